"""numgpt gradcheck: one row a tensor, JSON for programs, and a status that says whether all is right."""

import json

import numpy as np
import pytest

from numgpt.cli import main
from numgpt.layers.layernorm import LayerNorm


def rows(capsys):
    return json.loads(capsys.readouterr().out)["rows"]


@pytest.fixture
def broken(monkeypatch):
    """layernorm's backward without one of its means."""

    def backward(dy, kept, weight, dweight, dbias):
        xhat, rstd = kept
        dweight += (dy * xhat).sum((0, 1))
        dbias += dy.sum((0, 1))
        g = dy * weight
        return rstd * (g - xhat * (g * xhat).mean(-1, keepdims=True))

    monkeypatch.setattr("numgpt.gradcheck.cases.layernorm_backward", backward)


def test_one_row_a_tensor(capsys):
    assert main(["gradcheck", "--layer", "linear"]) == 0
    head, *table, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["layer", "tensor", "shape", "error", "at", "most", "by"]
    assert table[0].split()[:3] == ["linear", "x", "2x5x12"]
    assert all(line.split()[0] == "linear" and line.endswith(" ok") for line in table)
    assert last == f"{len(table)} tensors checked, all right"


def test_json_has_what_a_program_wants_to_know(capsys):
    assert main(["gradcheck", "--layer", "linear", "--json"]) == 0
    found = rows(capsys)
    assert {"tensor", "shape", "error", "kind", "ok"} <= set(found[0])
    assert (found[0]["tensor"], found[0]["shape"]) == ("x", [2, 5, 12])
    assert {row["kind"] for row in found} == {"definition", "kernel"}
    assert all(row["ok"] is True and row["error"] <= row["tolerance"] for row in found)


def test_another_seed_is_another_proof(capsys):
    errors = []
    for seed in "0", "1":
        assert main(["gradcheck", "--layer", "linear", "--json", "--seed", seed]) == 0
        errors.append([row["error"] for row in rows(capsys)])
    assert errors[0] != errors[1]


def test_what_is_wrong_is_told_and_is_status_1(capsys, broken):
    assert main(["gradcheck", "--layer", "layernorm"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if "WRONG" in line] == ["x"]
    assert lines[-1].endswith(" tensors checked, 1 wrong")
    assert main(["gradcheck", "--layer", "layernorm", "--json"]) == 1
    assert [row["tensor"] for row in rows(capsys) if not row["ok"]] == ["x"]


def test_an_error_that_is_no_number_is_null(capsys, monkeypatch):
    monkeypatch.setattr("numgpt.gradcheck.cases.relu_backward", lambda dy, x: np.full_like(dy, np.nan))
    assert main(["gradcheck", "--layer", "relu", "--json"]) == 1
    assert [(row["error"], row["ok"]) for row in rows(capsys) if row["tensor"] == "x"] == [(None, False)]


def test_an_unknown_layer_is_one_line_that_names_those_that_exist(capsys):
    assert main(["gradcheck", "--layer", "perceptron"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("numgpt: ")
    assert err.count("\n") == 1
    assert all(name in err for name in ("'perceptron'", "attention", "tied-cross-entropy", "model", "adamw"))


@pytest.mark.parametrize("text", [True, False])
def test_the_gradients_of_a_whole_model_that_is_loaded(tiny_model, tmp_path, capsys, text):
    """A folder without a tokenizer is checked with random ids."""
    folder = tiny_model
    if not text:
        from numgpt import GPT, GPTConfig

        folder = str(tmp_path)
        GPT(GPTConfig(n_vocab=9, n_ctx=5, n_embd=6, n_head=2, n_layer=1), seed=1).save(folder)
    assert main(["gradcheck", "--model", folder, "--json"]) == 0
    found = rows(capsys)
    assert [row["tensor"] for row in found][:3] == ["wte.weight", "wpe.weight", "h.0.ln_1.weight"]
    assert len(found) == 16
    assert {row["kind"] for row in found} == {"model"}
    assert all(row["ok"] and row["method"] == "complex step" for row in found)


def test_a_loaded_model_whose_backward_is_wrong(tiny_model, capsys, monkeypatch):
    backward = LayerNorm.backward
    monkeypatch.setattr(LayerNorm, "backward", lambda self, dy: 1.001 * backward(self, dy))
    assert main(["gradcheck", "--model", tiny_model, "--json"]) == 1
    wrong = {row["tensor"] for row in rows(capsys) if not row["ok"]}
    assert "h.0.mlp.c_proj.weight" in wrong
    assert "ln_f.weight" not in wrong
