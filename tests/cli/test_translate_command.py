"""`numgpt translate`, from a run of `numgpt train --task translate`."""

import io
import json
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from numgpt import GPT, GPTConfig, load_transformer, translate_beams
from numgpt.checkpoint import hub
from numgpt.cli import main
from numgpt.cli.translate import MOST_TOKENS
from numgpt.generation.translation import Translation
from tools import ship_translator

TINY = "--vocab-size 280 --n-layer 1 --n-head 2 --n-embd 8 --max-steps 3 --warmup 1 --eval-every 3 --batch-tokens 90"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translate")
    (folder / "pairs.tsv").write_text("".join(f"{n} and {n}\t{n} et {n}\n" for n in range(60)), "utf-8")
    command = ["train", "--task", "translate", "--data", str(folder / "pairs.tsv"), "--out", str(folder / "run")]
    assert main([*command, *TINY.split()]) == 0
    return folder / "run"


@pytest.fixture
def says(run, printed):
    """A function: the lines that the command prints, given lines on standard input."""
    return partial(printed, "translate", "--model", str(run))


def test_a_run_ends_with_what_to_try(run, capsys):
    assert main(["train", "--resume", str(run), "--max-steps", "4"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f'finished; try it: numgpt translate --model {run} "..."'


def test_lines_come_in_order_however_they_are_given(says):
    texts = ["1 and 2", "3", "4 and 5 and 6"]
    one_by_one = [line for text in texts for line in says(text)]
    assert says(*texts) == one_by_one
    assert says(lines="\n".join(texts) + "\n") == one_by_one
    assert says(lines="1 and 2\n\n3\n") == [one_by_one[0], "", one_by_one[1]]
    assert says() == []


def test_json(says):
    records = [json.loads(line) for line in says("1 and 2", "--json")]
    assert len(records) == 1
    assert records[0]["source"] == "1 and 2"
    logprobs = records[0]["logprobs"]
    assert records[0]["logprob"] == pytest.approx(sum(logprobs))
    assert records[0]["score"] == pytest.approx(sum(logprobs) / len(logprobs))
    assert len(logprobs) in (len(records[0]["ids"]), len(records[0]["ids"]) + 1)


def test_the_end_mark_counts_in_the_length(says, monkeypatch):
    monkeypatch.setattr("numgpt.generation.translation.translate", lambda *_: [Translation([5], [-1.0, -2.0])])
    for words, score in ([], -1.5), (["--length-penalty", "0"], -3.0), (["--length-penalty", "2"], -0.75):
        record = json.loads(says("1", "--json", *words)[0])
        assert (record["logprob"], record["score"]) == (-3.0, score)


def test_beams(says, run):
    model, tokenizer = load_transformer(run)
    sources = [tokenizer.encode(text) for text in ("1 and 2", "3")]
    expected = translate_beams(model, sources, 3, 0.5)
    records = [json.loads(line) for line in says("1 and 2", "3", "--json", "--beam", "3", "--length-penalty", "0.5")]
    for record, beams in zip(records, expected, strict=True):
        assert [(found["ids"], found["score"]) for found in record["beams"]] == [(b.ids, b.score) for b in beams]
        assert {name: record[name] for name in record["beams"][0]} == record["beams"][0]
    assert says("1 and 2", "3", "--beam", "3", "--length-penalty", "0.5") == [r["translation"] for r in records]
    assert json.loads(says("", "--json", "--num-beams", "2")[0])["ids"] == []


def test_alignment_has_a_row_for_every_token(says):
    n = len(json.loads(says("1 and 2", "--json")[0])["ids"])
    lines = says("1 and 2", "--alignment")
    assert lines[0] == says("1 and 2")[0]
    assert (lines[1], lines[-1]) == ("", "")
    assert len(lines) == n + 4 if n else len(lines) == 1


def test_alignment_as_a_picture(says, tmp_path):
    path = tmp_path / "a.svg"
    assert says("1 and 2", "3 and 4", "--alignment", "-o", str(path)) == says("1 and 2", "3 and 4")
    cells = [json.loads(line) for line in says("1 and 2", "3 and 4", "--json")]
    n = sum(len(record["source_ids"]) * len(record["ids"]) for record in cells)
    assert path.read_text("utf-8").count("fill-opacity") == n > 0


def test_a_picture_that_is_not_drawn(run, tmp_path, capsys):
    path = tmp_path / "a.svg"
    for words, reason in [
        (["1", "-o", str(path)], "-o works only with --alignment"),
        (["", "--alignment", "-o", str(path)], "no text has a translation"),
        (["1", "--alignment", "-o", str(tmp_path / "none" / "a.svg")], "none"),
    ]:
        assert main(["translate", "--model", str(run), *words]) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_model_that_is_shipped_is_the_default(run, tmp_path, capsys, monkeypatch):
    """It is made of a run by scripts/tools/ship_translator.py, and without it there is one line."""
    monkeypatch.setattr(hub, "_PACKAGE", tmp_path)
    assert main(["translate", "1 and 2"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("numgpt: 'english-french' is not in this installation: give a folder")
    assert said.count("\n") == 1
    folder = tmp_path / "weights" / "english-french"
    ship_translator.main(run, folder)
    assert "held-out loss" in capsys.readouterr().out
    assert main(["translate", "1 and 2"]) == main(["translate", "--model", str(folder), "1 and 2"]) == 0
    found, expected = capsys.readouterr().out.splitlines()
    assert found == expected
    assert "tatoeba.org" in (folder / "LICENSE.txt").read_text("utf-8")
    assert not (folder / "encoder.json").exists()
    assert main(["generate", "--model", "english-french", "x"]) == 2
    assert "a Transformer, which translates and is not a GPT" in capsys.readouterr().err


def test_a_user_s_mistakes(run, tmp_path, capsys, monkeypatch):
    """Each is one line on standard error, and status 2."""
    GPT(GPTConfig(50, 8, 8, 2, 1)).save(tmp_path / "gpt")
    long = "1 " * (2 * MOST_TOKENS)
    for words, stdin, reason in [
        (["translate", "--model", str(tmp_path / "gpt"), "x"], b"", "holds a GPT, which does not translate"),
        (["translate", "--model", "shakespeare", "x"], b"", "holds a GPT, which does not translate"),
        (["translate", "--model", str(tmp_path / "nowhere"), "x"], b"", "nowhere' is not a folder"),
        (["translate", "--model", str(run)], "Go.".encode("utf-16"), "standard input, line 1: not UTF-8"),
        (["translate", "--model", "124M", "x"], b"", "'124M' is not a folder"),
        (["translate", "--model", str(run), long], b"", "text 1 has"),
        (["translate", "--model", str(run)], b"a\n" + long.encode(), "standard input, line 2 has"),
        (["translate", "--model", str(run)], b"a\nd\xe9j\xe0", "standard input, line 2: not UTF-8"),
        (["translate", "--model", str(run), "x", "--beam", "0"], b"", "n_beams must be at least 1, not 0"),
        (["translate", "--model", str(run), "x", "--beam", "9" * 18], b"", "choose smaller sizes"),
        (["translate", "--model", str(run), "x", "--length-penalty", "nan"], b"", "--length-penalty must be"),
        (["translate", "--model", str(run), "x", "--checkpoint", "9"], b"", "has no checkpoint '9'"),
        (["loss", "--model", str(run), __file__], b"", "a Transformer, which translates and is not a GPT"),
        (["evaluate", "text", "--model", str(run), "--file", __file__], b"", "which translates and is not a GPT"),
        (["generate", "--model", str(run), "x"], b"", "a Transformer, which translates and is not a GPT"),
        (["train", "--data", "x", "--out", str(tmp_path / "r"), "--init", str(run)], b"", "is not a GPT"),
    ]:
        stdin = SimpleNamespace(buffer=io.BytesIO(stdin), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(words) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1
