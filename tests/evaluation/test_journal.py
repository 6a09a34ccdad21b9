"""The records of a run in a file: it goes on where it was, ends with the same bytes, and mixes nothing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numgpt
from damage import answer
from numgpt.cli import main

TOOL = Path(__file__).parents[2] / "scripts" / "tools" / "kill_evaluating.py"
LINES = [f"{n} plus {n} is {2 * n}, and it is more than {n}" for n in range(40)]


class Bytes:
    """A tokenizer whose tokens are the bytes."""

    n_vocab, end_of_text = 257, 256

    def encode(self, text):
        return list(text.encode("utf-8"))


@pytest.fixture
def model():
    config = numgpt.GPTConfig(n_vocab=257, n_ctx=64, n_embd=8, n_head=2, n_layer=2)
    return numgpt.gradcheck.with_random_weights(numgpt.GPT(config), np.random.default_rng(3))


@pytest.fixture
def lambada(tmp_path):
    path = tmp_path / "passages.jsonl"
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in LINES))
    return path


@pytest.fixture
def written(model, lambada, tmp_path):
    """(bytes of a whole file of records, the result)."""
    result = numgpt.evaluate(model, Bytes(), "lambada-lm-eval", file=lambada, batch_size=3, out=tmp_path / "whole")
    return (tmp_path / "whole").read_bytes(), result


def test_what_is_written(written):
    head, *units, last = map(json.loads, written[0].decode().splitlines())
    assert head["task"] == "lambada-lm-eval"
    assert [unit["unit"] for unit in units] == list(range(len(LINES)))
    assert last["figures"]["accuracy"] == written[1]["accuracy"]
    assert sum(unit["nats"] for unit in units) == written[1]["sum_logprob_nats"]


def test_from_wherever_it_was_broken_off_it_ends_with_the_same_bytes(model, lambada, tmp_path, written):
    whole, result = written
    out = tmp_path / "out"
    for end in [*range(0, len(whole), 97), len(whole) - 1, len(whole)]:
        out.write_bytes(whole[:end])
        found = numgpt.evaluate(model, Bytes(), "lambada-lm-eval", file=lambada, batch_size=3, out=out)
        assert out.read_bytes() == whole, end
        assert found == result
    assert not out.with_name("out.lock").exists()


def test_a_file_that_is_whole_is_not_computed_again(model, lambada, tmp_path, written, monkeypatch):
    monkeypatch.setattr(type(model), "final_states", None)
    found = numgpt.evaluate(model, Bytes(), "lambada-lm-eval", file=lambada, batch_size=3, out=tmp_path / "whole")
    assert found == written[1]


def test_nothing_of_another_run_is_mixed_in(model, lambada, tmp_path, written):
    def run(task="lambada-lm-eval", model=model, file=lambada, batch_size=3, **words):
        numgpt.evaluate(model, Bytes(), task, file=file, batch_size=batch_size, out=tmp_path / "whole", **words)

    other_text = tmp_path / "other.jsonl"
    other_text.write_bytes(lambada.read_bytes().replace(b"plus", b"less"))
    other_model = numgpt.GPT(model.config)
    for words, reason in [
        ({"task": "lambada-last-token"}, "whose task is 'lambada-lm-eval', where this one's is 'lambada-last-token'"),
        ({"file": other_text}, "of another text"),
        ({"model": other_model}, "of another model"),
        ({"batch_size": 2}, "batch_size is 3, where this one's is 2"),
        ({"limit": 5}, "limit is None, where this one's is 5"),
    ]:
        with pytest.raises(numgpt.InputError, match=reason):
            run(**words)
        assert (tmp_path / "whole").read_bytes() == written[0]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda whole: b"my own notes", "exists, but was not written by `numgpt evaluate`"),
        (lambda whole: b"my own\nnotes\n", "line 1, column 1: not usable JSON"),
        (lambda whole: b'{"a": 1}\n', "exists, but was not written by `numgpt evaluate`"),
        (lambda whole: whole.replace(b'"unit": 3', b'"unit": 4'), "line 5: expected the record of unit 3"),
        (lambda whole: whole.replace(b'{"unit": 3', b"{unit: 3"), "line 5, column 2: not usable JSON"),
    ],
)
def test_what_is_no_file_of_records(model, lambada, tmp_path, written, damage, reason):
    out = tmp_path / "out"
    out.write_bytes(damage(written[0]))
    before = out.read_bytes()
    with pytest.raises(numgpt.InputError, match=reason):
        numgpt.evaluate(model, Bytes(), "lambada-lm-eval", file=lambada, batch_size=3, out=out)
    assert out.read_bytes() == before


def test_kills(tmp_path):
    """As scripts/tools/kill_evaluating.py does it, with the bundled model."""
    (tmp_path / "text").write_text("".join(f"{line}\n" for line in LINES * 5))
    words = ["text", "--protocol", "strided", "--stride", "16", "--batch-size", "2", "--file", str(tmp_path / "text")]
    command = [sys.executable, str(TOOL), "--kills", "3", "--", *words, "--model", "shakespeare"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same bytes" in done.stdout


def test_two_runs_do_not_write_to_one_file(lambada, tmp_path, capsys):
    from numgpt.checkpoint.lock import exclusive

    out = str(tmp_path / "out")
    with exclusive(f"{out}.lock", "busy"):
        assert main(["evaluate", "lambada-last-token", "--file", str(lambada), "--out", out]) == 2
    assert "is being written by another run" in capsys.readouterr().err


@pytest.mark.parametrize("value", ['"x"', "null", "[]"])
def test_a_record_that_somebody_changed(model, lambada, tmp_path, written, value):
    """A field that is gone, and one that is no number."""
    head, first, *_ = written[0].splitlines(keepends=True)
    record = json.loads(first)
    for name in record.keys() - {"unit"}:
        for changed in (
            {k: v for k, v in record.items() if k != name},
            record | {name: json.loads(value)},
        ):
            (tmp_path / "changed").write_bytes(head + json.dumps(changed).encode() + b"\n")
            answer(lambda: evaluated(model, lambada, tmp_path / "changed"))


def evaluated(model, lambada, out):
    return numgpt.evaluate(model, Bytes(), "lambada-lm-eval", file=lambada, batch_size=3, out=out)
