"""`numgpt gradcheck`: a layer out of a file of the user's, and what is said of one that cannot be checked."""

import json

import pytest

from numgpt.cli import main

MINE = """\
import numpy as np

from helper import half
from numgpt.layers import Attention, Linear


class Scale:
    def __init__(self, C=8, factor=1.0):
        self.weight, self.dweight = np.ones(C), np.zeros(C)
        self.factor = factor

    def forward(self, x):
        self.x = x
        return half(x * self.weight)

    def backward(self, dy):
        self.dweight += self.factor * (dy * self.x / 2).reshape(-1, self.x.shape[-1]).sum(0)
        return dy * self.weight / 2


class Table:
    def __init__(self, n, C):
        self.weight, self.dweight = np.ones((n, C)), np.zeros((n, C))

    def forward(self, ids, x):
        self.ids = ids
        return self.weight[ids] + x

    def backward(self, dy):
        np.add.at(self.dweight, self.ids, dy)
        return None, dy


class Refused:
    def __init__(self):
        self.attention = Attention(10, 3)

    def forward(self, x):
        return self.attention.forward(x)


class Odd:
    def forward(self, x):
        return x

    def backward(self, dy):
        return {}["key"]
"""


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    """mine.py, which imports helper.py beside it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # undoes what the command adds
    (tmp_path / "mine.py").write_text(MINE, "utf-8")
    (tmp_path / "helper.py").write_text("def half(x):\n    return x / 2\n", "utf-8")


def test_a_right_layer(capsys):
    assert main(["gradcheck", "mine.py:Scale", "--input", "2,3,8"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["Scale", "input", "2x3x8"], ["Scale", "weight", "8"]]
    assert lines[-1] == "2 tensors checked, all right"
    assert err == ""


def test_a_wrong_layer_made_with_arguments(capsys):
    assert main(["gradcheck", "mine.py:Scale(3, factor=-1.0)", "--input", "2,3"]) == 1
    out = capsys.readouterr().out
    assert "WRONG its sign is wrong" in out
    assert out.endswith("2 tensors checked, 1 wrong\n")


def test_json(capsys):
    assert main(["gradcheck", "mine.py:Scale(3, factor=0.5)", "--input", "2,3", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["tensor"], row["kind"], row["ok"]) for row in rows] == [
        ("input", "layer", True),
        ("weight", "layer", False),
    ]
    assert rows[1]["hint"].startswith("it is 0.5 times")


def test_integers_and_several_inputs():
    assert main(["gradcheck", "mine.py:Table(5, 3)", "--input", "2,4:5", "--input", "2,4,3"]) == 0


@pytest.mark.parametrize(
    ("target", "shape", "says"),
    [
        ("missing.py:Scale", "2,3", "there is no file 'missing.py'"),
        ("mine.py:Missing", "2,3", "mine.py has no class Missing with a method forward: it has Scale, Table, "),
        ("mine.py", "2,3", "mine.py has not just one class with a method forward"),
        ("mine.py:Scale(", "2,3", "'Scale(' must be a class, with plain values if any"),
        ("mine.py:Scale(open('x'))", "2,3", "must be a class, with plain values if any: MyLayer, MyLayer(8) or"),
        ("mine.py:Scale(**{})", "2,3", "must be a class, with plain values if any"),
        ("mine.py:Table", "2,3", "mine.py: Table(n, C) needs other arguments, as in Table(8): missing a required"),
        ("mine.py:Scale", "2,3", "mine.py:14: ValueError: operands could not be broadcast"),
        ("mine.py:Odd", "2,3", "mine.py:47: KeyError: 'key'"),
        ("mine.py:Refused", "2,3", "mine.py:36: n_embd (10) must be divisible by n_head (3)"),
        ("mine.py:Linear(3, 4)", "2,2", "x must be (..., 3), but has shape (2, 2)"),
        ("mine.py:Scale", "2,x", "--input 2,x is not a shape: write 2,3,8, or 2,3:11"),
        ("mine.py:Scale", "0", "--input 0 is not a shape"),
        ("mine.py:Scale", "2:0", "--input 2:0 is not a shape"),
        ("mine.py:Table(5, 3)", "2,3", "Table.forward cannot be called with 1 input"),
    ],
)
def test_one_clear_line(target, shape, says, capsys):
    assert main(["gradcheck", target, "--input", shape]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("numgpt: ")
    assert err.count("\n") == 1
    assert says in err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n", "bad.py:1: SyntaxError"),
        ("import numpy\n\nimport no_such_module\n", "bad.py:3: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(0)\n", "bad.py:2: SystemExit: 0"),
    ],
)
def test_a_file_that_cannot_be_imported(text, says, tmp_path, capsys):
    (tmp_path / "bad.py").write_text(text, "utf-8")
    assert main(["gradcheck", "bad.py:Layer", "--input", "2"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert says in err


def test_no_shape(capsys):
    assert main(["gradcheck", "mine.py:Scale"]) == 2
    assert "the input shape of Scale is missing: give it, as in --input 2,3,8" in capsys.readouterr().err


def test_a_check_that_does_not_exist(capsys):
    assert main(["gradcheck", "--layer", "attenton"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "choose from linear, embedding" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mine.py:Scale", "--input", "2,3,8", "--layer", "linear"], "--layer has no effect on the check of a layer"),
        (["mine.py:Scale", "--input", "2,3,8", "--device", "cuda"], "--device has no effect on the check of a layer"),
        (["--model", "124M", "--layer", "linear"], "--layer has no effect on the check of a loaded model: leave it"),
        (["--layer", "linear", "--input", "2,3"], "--input has no effect on the check of numgpt's layers: leave it"),
    ],
)
def test_an_option_without_effect(words, says, capsys):
    assert main(["gradcheck", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
