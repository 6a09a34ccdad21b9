"""`numgpt classify`, from a run of `numgpt train --task classify`."""

import io
import json
import re
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from numgpt import GPT, GPTConfig
from numgpt.cli import main
from numgpt.cli.classify import MOST_TOKENS

TINY = "--vocab-size 280 --n-layer 1 --n-head 2 --n-embd 8 --max-steps 3 --warmup 1 --eval-every 3 --batch-tokens 90"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    lines = [f"{n} and {n}\t{'odd' if n % 2 else 'not odd'}\n" for n in range(60)]
    (folder / "labelled.tsv").write_text("".join(lines), "utf-8")
    command = ["train", "--task", "classify", "--data", str(folder / "labelled.tsv"), "--out", str(folder / "run")]
    assert main([*command, *TINY.split()]) == 0
    return folder / "run"


@pytest.fixture
def says(run, printed):
    """A function: the lines that the command prints, given lines on standard input."""
    return partial(printed, "classify", "--model", str(run))


def test_a_run_ends_with_its_accuracy_and_what_to_try(run, capsys):
    assert main(["train", "--resume", str(run), "--max-steps", "4"]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    meaning = "every label is equally likely: its loss is ln(K) = ln(2) = 0.69 nats per text"
    assert meaning in " ".join(lines)
    assert "54 texts to train on" in said
    accuracy = r"held out, at step \d, which has the lowest loss: accuracy \d+\.\d\d % of 6 texts"
    assert re.fullmatch(accuracy, lines[-2])
    assert lines[-1] == f'finished; try it: numgpt classify --model {run} "..."'


def test_lines_come_in_order_however_they_are_given(says):
    texts = ["1 and 2", "3", "4 and 5 and 6"]
    one_by_one = [line for text in texts for line in says(text)]
    assert set(one_by_one) <= {"odd", "not odd"}
    assert says(*texts) == one_by_one
    assert says(lines="\n".join(texts) + "\n") == one_by_one
    assert says(lines="1 and 2\n\n3\n") == [one_by_one[0], "", one_by_one[1]]
    assert says() == []


def test_json(says):
    record, empty = (json.loads(line) for line in says("1 and 2", "", "--json"))
    assert record["text"] == "1 and 2"
    assert list(record["probabilities"]) == ["not odd", "odd"]
    assert sum(record["probabilities"].values()) == pytest.approx(1)
    assert record["probabilities"][record["label"]] == max(record["probabilities"].values())
    assert empty == {"text": "", "label": None, "probabilities": {}}
    assert says("1 and 2") == [record["label"]]


def test_a_user_s_mistakes(run, tmp_path, capsys, monkeypatch):
    """Each is one line on standard error, and status 2."""
    GPT(GPTConfig(50, 8, 8, 2, 1)).save(tmp_path / "gpt")
    long = "1 " * (2 * MOST_TOKENS)
    for words, stdin, reason in [
        (["classify", "x"], b"", "--model"),
        (["classify", "--model", str(tmp_path / "gpt"), "x"], b"", "holds a GPT, which does not classify"),
        (["classify", "--model", "124M", "x"], b"", "'124M' is not a folder"),
        (["classify", "--model", str(run), long], b"", "text 1 has"),
        (["classify", "--model", str(run)], b"a\n" + long.encode(), "standard input, line 2 has"),
        (["classify", "--model", str(run)], b"a\nd\xe9j\xe0", "standard input, line 2: not UTF-8"),
        (["classify", "--model", str(run), "x", "--checkpoint", "9"], b"", "has no checkpoint '9'"),
        (["translate", "--model", str(run), "x"], b"", "a Classifier, which labels texts and does not translate"),
        (["generate", "--model", str(run), "x"], b"", "a Classifier, which labels texts and is not a GPT"),
        (["train", "--data", "x", "--out", str(tmp_path / "r"), "--init", str(run)], b"", "is not a GPT"),
    ]:
        stdin = SimpleNamespace(buffer=io.BytesIO(stdin), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(words) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1
