"""A model that answers at once, and a training run that takes milliseconds."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

SIZES = {"n-layer": 1, "n-head": 2, "n-embd": 8, "context": 8, "batch-size": 2, "dropout": 0.2, "vocab-size": 300}
TIMES = {"eval-every": 5, "eval-batches": 1, "save-every": 5, "max-steps": 10}
TINY = [f"--{name}={value}" for name, value in {**SIZES, **TIMES}.items()]


@pytest.fixture
def command(text_file, tmp_path):
    """The words of a run that takes milliseconds."""
    return ["train", "--data", str(text_file), "--out", str(tmp_path / "run"), *TINY]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A folder with a random model whose tokens are the 256 bytes and <|endoftext|>."""
    import numgpt

    folder = tmp_path_factory.mktemp("tiny-model")
    model = numgpt.GPT(numgpt.GPTConfig(n_vocab=257, n_ctx=64, n_embd=8, n_head=2, n_layer=1), seed=0)
    model.values *= 12
    model.save(folder)
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}  # stand for themselves in GPT-2's vocabulary files
    others = iter(range(256, 512))
    symbols = [chr(byte if byte in visible else next(others)) for byte in range(256)]
    vocabulary = {symbol: i for i, symbol in enumerate([*symbols, "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return str(folder)


@pytest.fixture
def printed(capsys, monkeypatch):
    """A function: the lines that a command prints, given lines on standard input; it must succeed."""
    from numgpt.cli import main

    def printed(*words, lines=""):
        data = lines if isinstance(lines, bytes) else lines.encode()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
        assert main([*words]) == 0
        return capsys.readouterr().out.split("\n")[:-1]

    return printed


@pytest.fixture
def run(tiny_model, capsys):
    """A function: run `numgpt generate` on the tiny model; return (status, output, complaints)."""

    from numgpt.cli import main

    def generate(*arguments):
        status = main(["generate", "--model", tiny_model, *arguments])
        return status, *capsys.readouterr()

    return generate
