"""`numgpt verify`: the table, the exit status, and which numbers are compared."""

import argparse

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, InputError, gradcheck, loading
from numgpt.checkpoint import hub
from numgpt.cli import verify as command
from numgpt.config import OFFICIAL_SIZES
from numgpt.verification import Row, checks

CONFIG = GPTConfig(n_vocab=13, n_ctx=12, n_embd=12, n_head=3, n_layer=2)


@pytest.fixture
def model():
    return gradcheck.with_random_weights(GPT(CONFIG), np.random.default_rng(3))


@pytest.fixture
def run(monkeypatch, model):
    """A function that runs the command on `model`, of which the two given numbers are published as its wte[0][0:2]."""
    monkeypatch.setattr(loading, "load", lambda name, device, offline: (model, None))
    monkeypatch.setattr(hub, "find", lambda name: None)
    monkeypatch.setattr(hub, "check_files", lambda name, folder: [("model.bin", "ab" * 32, "ab" * 32)])
    monkeypatch.setitem(OFFICIAL_SIZES, "355M", CONFIG)

    def run(*words, published=None):
        values = model.wte.weight[0, :2] if published is None else published
        entry = {"source": "them", "name": "wte.weight", "row": 0, "values": values, "tolerance": 1e-6}
        monkeypatch.setattr(checks, "read_published", lambda size: {"parameters": [entry] if size == "355M" else []})
        parser = argparse.ArgumentParser()
        command.add_parser(parser.add_subparsers())
        args = parser.parse_args(["verify", *words])
        return args.run(args)

    return run


def test_a_right_model(run, capsys):
    assert run("gpt2-medium") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["what", "published", "computed", "within", "source"]
    assert lines[1].startswith("ok    SHA-256 of model.bin ")
    assert lines[2].startswith("ok    wte.weight[0], 2 values ")
    assert lines[2].endswith("1e-06  them")
    assert lines[3:] == ["2 compared, all right"]


def test_a_wrong_number(run, model, capsys):
    assert run("gpt2-medium", published=model.wte.weight[0, :2] + [0, 0.5]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("WRONG wte.weight[0], 2 values")
    assert f"{model.wte.weight[0, 1]:.6f}" in lines[2]
    assert f"{model.wte.weight[0, 1] + 0.5:.6f}" in lines[2]
    assert lines[3:] == ["2 compared, 1 wrong"]


def test_a_wrong_file(run, monkeypatch):
    monkeypatch.setattr(hub, "check_files", lambda name, folder: [("model.bin", "ab" * 32, "cd" * 32)])
    assert run("gpt2-medium") == 1


def test_the_files_of_a_folder_are_its_own(run, tmp_path, capsys):
    assert run(str(tmp_path)) == 0
    assert "SHA-256" not in capsys.readouterr().out


def test_a_model_that_says_to_be_another(run, tmp_path):
    with pytest.raises(InputError, match="this is not the model 124M"):
        run(str(tmp_path), "--size", "gpt2")


def test_a_model_of_no_published_size(run, tmp_path, monkeypatch):
    monkeypatch.setitem(OFFICIAL_SIZES, "355M", OFFICIAL_SIZES["124M"])
    with pytest.raises(InputError, match="no published model has this size: .*n_layer=2"):
        run(str(tmp_path))


def test_long_texts_are_shown_where_they_differ():
    text = "a\n" + 50 * "b"
    assert command.show(text + "c end", text + "d\x1b end") == (
        "...bbbbbbbbbbbbbbbc end",
        "...bbbbbbbbbbbbbbbd\\x1b end",
    )
    assert command.show(text, text) == ("a\\nbbbbbbbbbbbbbbbbbbbbbbbb...",) * 2
    row = Row("text", "them", text, text, None, True)
    assert command.line(row).count("a\\nbbbbbbbbbbbbbbbbbbbbbbbb... ") == 2


def test_a_text_that_is_the_others_beginning():
    assert command.show("one two", "one") == ("one two", "one")


def test_help_has_examples(run, capsys):
    with pytest.raises(SystemExit):
        run("--help")
    assert "numgpt verify 124M" in capsys.readouterr().out
