"""`numgpt bleu`: sacrebleu's figure, of the sources that training held out."""

import json
import sys

import numpy as np
import pytest

from numgpt import load_transformer, translate, translate_beams
from numgpt.cli import main
from numgpt.training.data import open_part
from numgpt.training.pair_batches import PairPart

pytest.importorskip("sacrebleu", reason="no sacrebleu: pip install 'numgpt[bleu]'")
TINY = (
    "--vocab-size 300 --n-layer 1 --n-head 2 --n-embd 16 --max-steps 80 --warmup 1 --eval-every 80 --batch-tokens 400"
)
LINES = [f"{n} and {n}\t{n} {word} {n} ." for n in range(60) for word in ("et", "puis")[: 1 + n % 2]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with pairs.tsv and a run that has learnt a little of them."""
    folder = tmp_path_factory.mktemp("bleu")
    (folder / "pairs.tsv").write_text("\n".join(LINES) + "\n", "utf-8")
    command = ["train", "--task", "translate", "--data", str(folder / "pairs.tsv"), "--out", str(folder / "run")]
    assert main([*command, *TINY.split(), "--val-fraction", "0.3"]) == 0
    return folder


@pytest.fixture
def figures(folder, capsys):
    """A function: what the command finds."""

    def figures(*words):
        pairs = [] if words[:1] and words[0].endswith(".tsv") else [str(folder / "pairs.tsv")]
        assert main(["bleu", *pairs, *words, "--model", str(folder / "run"), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return figures


def expected(folder, references):
    """sacrebleu's own figure of the greedy translations."""
    model, tokenizer = load_transformer(folder / "run")
    found = [tokenizer.decode(ids) for ids, _ in translate(model, [tokenizer.encode(text) for text in references])]
    return bleu_of(found, references)


def bleu_of(found, references):
    """sacrebleu's figure of texts whose references are one or two."""
    sacrebleu = pytest.importorskip("sacrebleu")
    columns = [[texts[0] for texts in references.values()]]
    columns.append([texts[1] if len(texts) > 1 else None for texts in references.values()])
    return sacrebleu.corpus_bleu(found, columns).score


def test_it_is_what_sacrebleu_says_of_what_training_held_out(folder, figures):
    part = PairPart(open_part(folder / "run" / "data", "held_out"))
    _, tokenizer = load_transformer(folder / "run")
    references = {}
    for pair in np.arange(len(part.spans)):
        references.setdefault(tokenizer.decode(part.text(pair, 0)), []).append(tokenizer.decode(part.text(pair, 1)))
    found = figures("--val-fraction", "0.3")
    assert found["bleu"] == pytest.approx(expected(folder, references), abs=1e-9)
    assert 0 < found["bleu"] < 100
    assert (found["sources"], found["references"]) == (len(references), len(part.spans)) == (18, len(part.spans))
    assert "|case:mixed|eff:no|tok:13a|smooth:exp|version:" in found["signature"]


def test_a_whole_file_and_references_of_one_source_on_lines_apart(folder, figures, tmp_path):
    lines = LINES[40:60]
    (tmp_path / "other.tsv").write_text("\n".join(lines[::2] + lines[1::2]), "utf-8")
    references = {}
    for line in lines[::2] + lines[1::2]:
        source, target = line.split("\t")
        references.setdefault(source, []).append(target)
    found = figures(str(tmp_path / "other.tsv"))
    assert found["bleu"] == pytest.approx(expected(folder, references), abs=1e-9)
    assert found["references"] == 20 > found["sources"]


def test_of_the_beams_the_best_one_counts(folder, figures):
    model, tokenizer = load_transformer(folder / "run")
    references = {}
    for line in LINES:
        source, target = line.split("\t")
        references.setdefault(source, []).append(target)
    beams = translate_beams(model, [tokenizer.encode(text) for text in references], 4, 0.5)
    best = [tokenizer.decode(first.ids) for first, *_ in beams]
    found = figures("--beam", "4", "--length-penalty", "0.5")
    assert (found["beams"], figures()["beams"]) == (4, 1)
    assert found["bleu"] == pytest.approx(bleu_of(best, references), abs=1e-9)


def test_a_table_for_people(folder, capsys):
    pytest.importorskip("sacrebleu")
    assert main(["bleu", str(folder / "pairs.tsv"), "--model", str(folder / "run")]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["model", "bleu", "signature", "sources", "references", "beams", "seconds"]


def test_a_user_s_mistakes(folder, tmp_path, capsys, monkeypatch):
    pairs, run = str(folder / "pairs.tsv"), str(folder / "run")
    (tmp_path / "one.tsv").write_text("a\tb\nonly one\n", "utf-8")
    (tmp_path / "long.tsv").write_text("1 " * 2000 + "\tb\n", "utf-8")
    for words, reason in [
        ([str(tmp_path / "one.tsv"), "--model", run], "one.tsv, line 2: only one column"),
        ([str(tmp_path / "long.tsv"), "--model", run], "source 1 of"),
        ([str(tmp_path / "none.tsv"), "--model", run], "none.tsv"),
        ([pairs, "--model", run, "--val-fraction", "1"], "--val-fraction must be"),
        ([pairs, "--model", run, "--beam", "0"], "n_beams must be at least 1"),
        ([pairs, "--model", str(tmp_path)], "no model here"),
    ]:
        assert main(["bleu", *words]) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert main(["bleu", pairs, "--model", run]) == 2
    assert "pip install 'numgpt[bleu]'" in capsys.readouterr().err
