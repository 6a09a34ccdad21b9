"""`numgpt info`."""

import shutil
import sys

import numpy as np
import pytest

import numgpt
from numgpt import Classifier, Transformer, TransformerConfig
from numgpt.cli import main


@pytest.fixture
def info(capsys, monkeypatch, tmp_path):
    """A function: run `numgpt info` on a machine without downloads; return its lines as a dict."""
    monkeypatch.setenv("NUMGPT_HOME", str(tmp_path))

    def run(*arguments):
        assert main(["info", *arguments]) == 0
        lines = capsys.readouterr().out.splitlines()
        return dict(line.split("  ", 1) for line in lines)

    return lambda *arguments: {name: value.strip() for name, value in run(*arguments).items()}


def test_the_system(info, tmp_path):
    lines = info()
    assert lines["numgpt"] == numgpt.__version__
    assert lines["NumPy"] == np.__version__
    assert lines["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert lines["downloads"] == str(tmp_path)
    assert lines["124M"] == "not downloaded (numgpt download 124M)"
    assert lines["BLAS threads"]


def test_threads_without_threadpoolctl(info, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert "OPENBLAS_NUM_THREADS=3" in info()["BLAS threads"]


def test_a_published_model(info):
    lines = info("gpt2")
    assert lines["parameters"] == "124,439,808"
    assert lines["n_layer"] == "12"
    assert "497.8 MB" in lines["memory for the parameters"]


def test_the_model_that_comes_along(info, tiny_model, monkeypatch):
    monkeypatch.setattr("numgpt.checkpoint.hub.find_shipped", {"shakespeare": tiny_model}.get)
    assert info()["shakespeare"] == info("shakespeare")["folder"] == tiny_model


def test_a_folder(info, tiny_model):
    lines = info(tiny_model)
    model, _ = numgpt.load(tiny_model)
    assert lines["parameters"] == f"{model.values.size:,}"
    assert lines["folder"] == tiny_model
    assert lines["n_ctx"] == "64"
    assert lines["vocabulary"] == "257 tokens"


def test_a_transformer_and_a_classifier(info, tmp_path):
    """Also in the folder of a run."""
    config = TransformerConfig(20, 8, 2, 12, 1)
    run = tmp_path / "run"
    model, classifier = Transformer(config, seed=0), Classifier(config, ["good", "bad"], seed=0)
    model.save(run / "step-00000010")
    (run / "latest").write_text("step-00000010\n", encoding="utf-8")
    classifier.save(tmp_path / "classifier")
    lines = info(str(run))
    assert lines["folder"] == str(run / "step-00000010")
    assert lines["model"].startswith("a Transformer, which translates: numgpt translate --model")
    assert (lines["vocab"], lines["d_ff"]) == ("20", "12")
    assert lines["parameters"] == f"{model.values.size:,}"
    assert lines["vocabulary"].startswith("missing")
    lines = info(str(tmp_path / "classifier"))
    assert lines["model"].startswith("a Classifier, which labels texts: numgpt classify --model")
    assert lines["labels"] == "good, bad"
    assert lines["parameters"] == f"{classifier.values.size:,}"


def test_a_transformer_that_is_damaged(tmp_path, capsys):
    Transformer(TransformerConfig(20, 8, 2, 12, 1), seed=0).save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text("utf-8").replace('"layers": 1', '"layers": 2'), "utf-8")
    assert main(["info", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "model.safetensors" in out
    assert "config.json makes a model of" in err
    assert err.count("\n") == 1


def test_the_folder_of_a_run_is_its_newest_checkpoint(info, tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "run" / "step-00000010")
    (tmp_path / "run" / "latest").write_text("step-00000010\n", encoding="utf-8")
    assert info(str(tmp_path / "run"))["folder"] == str(tmp_path / "run" / "step-00000010")


@pytest.mark.parametrize(("model", "message"), [("gpt3", "124M"), ("./nowhere", "nowhere"), (__file__, "file")])
def test_what_is_no_model(model, message, capsys):
    assert main(["info", model]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_folder_that_is_no_model(tmp_path, capsys):
    """What is there on standard output, what is missing as the one line of an error."""
    for name in "config.json", "vocab.json", "pytorch_model.bin", "notes.txt", "model.ckpt.data-00000-of-00001":
        (tmp_path / name).write_text("{}")
    (tmp_path / "runs").mkdir()
    assert main(["info", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    assert {name.strip(): value.strip() for name, value in lines.items()} == {
        "folder": str(tmp_path),
        "config.json": "the configuration, as Hugging Face writes it, 2 bytes",
        "model.ckpt.data-00000-of-00001": "weights, as TensorFlow writes them, 2 bytes",
        "notes.txt": "not read by numgpt, 2 bytes",
        "pytorch_model.bin": "never opened: it can run code, 2 bytes",
        "vocab.json": "the vocabulary, 2 bytes",
        "runs": "a folder",
    }
    assert err.count("\n") == 1
    assert "pytorch_model.bin can run code and is never opened; convert it: in that folder, python -c" in err


def test_a_folder_of_very_many_files(tmp_path, capsys):
    for n in range(99):
        (tmp_path / f"{n}.txt").touch()
    assert main(["info", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == 32
    assert "and 69 more" in out
    assert "no model here" in err


def test_a_folder_whose_vocabulary_is_missing(info, tiny_model, tmp_path):
    for name in "config.json", "model.safetensors":
        shutil.copy(f"{tiny_model}/{name}", tmp_path)
    assert info(str(tmp_path))["vocabulary"].startswith("missing: text needs vocab.json and merges.txt")


def test_a_folder_that_lacks_a_part_of_its_vocabulary_is_not_one_that_loads(tiny_model, tmp_path, capsys):
    for name in "config.json", "model.safetensors", "vocab.json":
        shutil.copy(f"{tiny_model}/{name}", tmp_path)
    assert main(["info", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert {line.split("  ")[0] for line in out.splitlines()} >= {"config.json", "model.safetensors", "vocab.json"}
    assert err == f"numgpt: {tmp_path}: vocab.json needs merges.txt: put that file beside it\n"
