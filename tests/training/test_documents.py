"""The formats of --data: a text, a folder of them, JSON lines, prompts with completions."""

import json
import random

import numpy as np
import pytest

from damage import CASES, answer, damage
from numgpt.cli import main
from numgpt.errors import InputError
from numgpt.tokenizer.bpe import END_OF_TEXT
from numgpt.training import session
from numgpt.training.documents import Document, read_documents
from numgpt.training.loop import train
from numgpt.training.source import read_source, source_sha256, where_to_cut

BYTES = {"tokenizer": "bpe", "vocab_size": 257}  # the 256 bytes, and <|endoftext|> as 256


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    """Five texts, and what is none."""
    folder = tmp_path / "texts"
    (folder / "a").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in "b.txt", "a/z.md", "a.text", "B.txt", "\u00e4.txt":
        (folder / name).write_text(f"This is {name}. " * 5, "utf-8")
    for name in "a/code.py", ".b.txt", ".hidden/c.txt", "d.txt.bak":
        (folder / name).write_text("none")
    (folder / "empty.txt").touch()
    return folder


@pytest.fixture
def pairs(tmp_path):
    """Thirty prompts with completions."""
    records = [{"prompt": f"{n} times {n} is", "completion": f" {n * n}", "n": n} for n in range(30)]
    return write_lines(tmp_path / "pairs.jsonl", records)


@pytest.fixture
def lines(tmp_path):
    """Thirty documents, of which two are longer than a context of 8."""
    return write_lines(tmp_path / "lines.jsonl", [{"text": f"{n * n}" * (1 + 9 * (n > 27))} for n in range(30)])


@pytest.fixture
def text_with_ends(tmp_path):
    path = tmp_path / "ends.txt"
    path.write_text(END_OF_TEXT.join(f"{n} times {n}" for n in range(30)))
    return path


def test_a_folder_in_the_order_of_its_names(folder):
    found = read_documents(folder)
    names = ["B.txt", "a.text", "a/z.md", "b.txt", "\u00e4.txt"]
    assert found.documents == [Document(f"This is {name}. " * 5) for name in names]
    assert found.left_out == (
        f"Left out of {folder}: 2 files whose name does not end in .txt, .text, .md; 1 empty file."
    )


def test_the_fingerprint_of_a_folder(folder, tmp_path):
    before = read_source(folder).sha256
    assert source_sha256(folder) == before
    (folder / "a/code.py").write_text("another")
    assert source_sha256(folder) == before
    (folder / "b.txt").rename(folder / "c.txt")
    renamed = source_sha256(folder)
    assert renamed != before
    (folder / "c.txt").write_text("another")
    assert source_sha256(folder) == read_source(folder).sha256 not in (before, renamed)


def test_json_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "one\\nline", "id": [1]}\r\n\n'
        b'{"completion": " b\xe2\x80\xa8", "prompt": ""}\n{"text": ""}\n{"prompt": "a", "completion": "b"}'
    )
    found = read_documents(path)
    assert found.documents == [Document("one\nline"), Document(" b\u2028"), Document("b", "a")]
    assert found.left_out == f"Left out of {path}: 1 line without text."


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x", ", line 3, column 1: not usable JSON"),
        (b'{"text": "a"', ", line 3, column 13: not usable JSON"),
        (b"[1]", ", line 3: expected a JSON object"),
        (b'{"text": "a", "text": "b"}', ", line 3: not usable JSON: 'text' occurs twice"),
        (b"[" * 100_000, ", line 3: not usable JSON: brackets nested too deeply"),
        (b'{"text": NaN}', ", line 3: not usable JSON: NaN is not a JSON number"),
        (b'{"text": 5}', ", line 3: text must be a string, not 5"),
        (b'{"text": null}', ", line 3: text must be a string, not None"),
        (b'{"prompt": "a", "completion": ["b"]}', r", line 3: completion must be a string, not \['b'\]"),
        (b'{"prompt": "a"}', ", line 3: a line has either text, or prompt and completion, but this one has prompt"),
        (b'{"Text": "a"}', ", line 3: a line has either .* has neither"),
        (b'{"text": "a", "prompt": "b", "completion": "c"}', ", line 3: .* has completion and prompt and text"),
        (b'{"text": "\\ud800"}', r", line 3: text has \\ud800, half of a character"),
        (b'{"text": "\xff"}', ", line 3: not UTF-8: byte 0xff"),
    ],
)
def test_a_malformed_line(tmp_path, capsys, line, reason):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n\n' + line + b'\n{"text": "good"}\n')
    with pytest.raises(InputError, match=f"a.jsonl{reason}"):
        read_documents(path)
    assert main(["train", "--data", str(path), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert len(error) <= 500
    assert not (tmp_path / "run").exists()


def test_any_damage_is_an_input_error_or_does_no_harm(pairs):
    rng, whole, n = random.Random(5), pairs.read_bytes(), 0
    for _ in range(CASES):
        pairs.write_bytes(damage(whole, rng))
        found = answer(lambda: read_documents(pairs))
        if found is not None:
            assert all(document.text for document in found.documents)
            n += 1
    assert 0 < n < CASES


def test_a_file_of_a_folder_that_is_no_text(folder):
    (folder / "a/z.md").write_bytes(b"one\ntwo\xff")
    with pytest.raises(InputError, match="texts/a/z.md, line 2: not UTF-8"):
        read_documents(folder)
    (folder / "a/z.md").write_bytes(b"one\0")
    with pytest.raises(InputError, match="texts/a/z.md holds NUL bytes"):
        read_documents(folder)


def test_nothing_to_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"text": ""}\n')
    for path, reason in (tmp_path / "a.jsonl", "is empty"), (tmp_path, "holds no text: files whose names end in .txt"):
        with pytest.raises(InputError, match=reason):
            read_documents(path)


def test_a_cut_is_where_a_document_ends():
    assert where_to_cut(100, 0.1, []) == 90
    assert where_to_cut(100, 0.1, [0, 40, 80, 95, 100]) == 95
    assert where_to_cut(100, 0.1, [80, 99]) == 99
    assert where_to_cut(100, 0.1, [7, 100]) == 7


def test_whole_documents_are_held_out(folder, pairs, text_with_ends, tmp_path):
    for path in folder, pairs:
        source = read_source(path)
        train, held_out = source.split(0.2)
        assert train + held_out == source.documents
        size = sum(len(document.text) + len(document.prompt) for document in held_out)
        assert 0.1 < size / sum(map(len, source.texts)) < 0.3
    train, held_out = (documents[0].text for documents in read_source(text_with_ends).split(0.2))
    assert train.endswith(END_OF_TEXT)
    assert train + held_out == text_with_ends.read_text()
    with pytest.raises(InputError, match="a.jsonl is one document, so none can be held out: give --val-data"):
        read_source(write_lines(tmp_path / "a.jsonl", [{"text": "alone"}])).split(0.1)


def test_tokens_are_cut_where_a_document_ends(tmp_path, settings):
    np.save(tmp_path / "tokens.npy", np.array(([1] * 9 + [256]) * 11))
    begun = session.begin(tmp_path / "run", tmp_path / "tokens.npy", settings(tokenizer=str(with_end(tmp_path))))
    assert begun.trainer.batches.part.documents.tolist() == [[max(0, n - 1), n + 10] for n in range(0, 100, 10)]
    assert len(begun.held_out.part.ids) == 10


def with_end(tmp_path):
    """A folder with the tokenizer of BYTES."""
    from numgpt.tokenizer.trainer import train_bpe

    (tmp_path / "with-end").mkdir()
    train_bpe("a", 257).save(tmp_path / "with-end")
    return tmp_path / "with-end"


def test_windows_line_ends_stay(tmp_path, settings):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one line,\r\nand another,\n\r\nat last.\r\n" * 3)
    begun = session.begin(tmp_path / "run", path, settings(**BYTES))
    parts = begun.trainer.batches.part, begun.held_out.part
    assert "".join(begun.tokenizer.decode(part.ids.tolist()) for part in parts).encode() == path.read_bytes()
    assert begun.notice == f"{path} has 9 Windows line endings, \\r\\n: they are kept and learnt."


def test_notices_stand_below_each_other(tmp_path, settings, folder):
    (folder / "b.txt").write_bytes(f"a\r\nb{END_OF_TEXT}".encode())
    notices = session.begin(tmp_path / "run", folder, settings(**BYTES), val_data=folder).notice.split("\n")
    assert [line.split()[0] for line in notices] == [END_OF_TEXT, "Left", str(folder)]


@pytest.mark.parametrize("data", ["folder", "lines", "pairs", "text_with_ends"])
@pytest.mark.parametrize("changed", [{}, {"documents": "joined"}, {"tokenizer": "char"}])
def test_a_run_that_stops_is_the_run_that_did_not(
    request, tmp_path, settings, quiet, stop_after, finish, newest, data, changed
):
    path, changed = request.getfixturevalue(data), settings(**{**BYTES, **changed})
    straight = finish(session.begin(tmp_path / "straight", path, changed))
    here = session.begin(tmp_path / "run", path, changed)
    for n in 3, 7, 20:
        train(here, quiet, stop_after(n))
        here = session.resume(here.run, {}, path)
    assert here.trainer.finished
    assert newest(here.run) == straight


@pytest.mark.parametrize("array", ["train", "train-documents", "train-counts", "held_out-documents", "held_out-counts"])
def test_arrays_that_are_others(tmp_path, settings, quiet, stop_after, pairs, array):
    begun = session.begin(tmp_path / "run", pairs, settings(**BYTES))
    train(begun, quiet, stop_after(1))
    path = begun.run / "data" / f"{array}.npy"
    values = np.load(path)
    values[-1] -= 1
    np.save(path, values)
    with pytest.raises(InputError, match="is missing, or is not what the run began with"):
        session.resume(begun.run, {})
    path.unlink()
    with pytest.raises(InputError, match="is missing, or is not what the run began with"):
        session.resume(begun.run, {})


def test_a_folder_that_changed(tmp_path, settings, quiet, stop_after, folder):
    begun = session.begin(tmp_path / "run", folder, settings(**BYTES), val_data=folder)
    train(begun, quiet, stop_after(1))
    session.resume(begun.run, {}, folder, val_data=folder)
    (folder / "b.txt").write_text("another")
    with pytest.raises(
        InputError, match="is not the folder 'texts' that the run began with; .*texts is not the folder"
    ):
        session.resume(begun.run, {}, folder, val_data=folder)
    with pytest.raises(InputError, match="--documents is joined here, but apart in the run"):
        session.resume(begun.run, {"documents": "joined"})


def test_data_of_one_format_and_held_out_of_another(tmp_path, settings, quiet, pairs, folder):
    begun = session.begin(tmp_path / "run", folder, settings(**BYTES, eval_batches=0), val_data=pairs)
    assert begun.trainer.batches.part.counts is None
    assert begun.held_out.part.n_targets == begun.held_out.n_tokens == sum(len(f" {n * n}") + 1 for n in range(30))
    assert train(begun, quiet)


def test_a_sample_goes_on_from_a_prompt(tmp_path, settings, pairs, folder, text_file):
    for path, prompt in (pairs, "27 times 27 is"), (folder, ""):
        begun = session.begin(tmp_path / path.stem, path, settings(**BYTES, context=16))
        assert begun.held_out.prompt == [256, *begun.tokenizer.encode(prompt)]
    begun = session.begin(tmp_path / "one", text_file, settings(**BYTES))
    assert begun.held_out.prompt == begun.held_out.part.ids[:1].tolist()


@pytest.mark.parametrize("kind", ["char", "word"])
def test_tables_spell_all_documents(tmp_path, settings, pairs, folder, kind):
    begun = session.begin(tmp_path / "run", pairs, settings(tokenizer=kind), val_data=folder)
    for part, path in (begun.trainer.batches.part, pairs), (begun.held_out.part, folder):
        text = "".join(document.prompt + document.text for document in read_documents(path).documents)
        assert begun.tokenizer.decode(part.ids.tolist()) == text
