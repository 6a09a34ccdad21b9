"""A text's figures: what transformers computed, what the plain reference computes, and what is refused."""

import json
import math

import numpy as np
import pytest

import numgpt
import reference
from numgpt.cli import main
from numgpt.evaluation.texts import join_rows

TEXT = "one two three, four five\nsix seven eight nine ten eleven twelve\n"


@pytest.fixture(params=["plain", "fast"])
def kernels(request):
    with numgpt.use_kernels(request.param):
        yield request.param


@pytest.fixture(scope="module")
def oracle(shared):
    return json.loads((shared / "oracles/mini-gpt2/evaluation.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("kernels", "which", "batch_size"),
    [("plain", "128", "8"), ("fast", "128", "8"), ("fast", "64", "1"), ("fast", "32", "8"), ("fast", "rolling", "1")],
    indirect=["kernels"],
)
def test_transformers_figures(shared, oracle, tmp_path, capsys, which, batch_size, kernels):
    text = (shared / "data/wikitext-2-raw.test.txt").read_bytes().decode("utf-8")[:40000]
    (tmp_path / "text").write_bytes(text.encode("utf-8"))
    how = ["--protocol", "rolling"] if which == "rolling" else ["--protocol", "strided", "--stride", which]
    expected = oracle["rolling"] if which == "rolling" else oracle["strided"][which]
    words = ["evaluate", "text", "--file", str(tmp_path / "text"), *how, "--model"]
    words += [str(shared / "oracles/mini-gpt2/hf"), "--dtype", "float64", "--batch-size", batch_size]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name


@pytest.fixture
def model():
    config = numgpt.GPTConfig(n_vocab=257, n_ctx=16, n_embd=8, n_head=2, n_layer=2)
    return numgpt.gradcheck.with_random_weights(numgpt.GPT(config, dtype="float64"), np.random.default_rng(3))


class Bytes:
    """A tokenizer whose tokens are the bytes."""

    n_vocab, end_of_text = 257, 256

    def encode(self, text):
        return list(text.encode("utf-8"))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_plain_reference_agrees(model, tmp_path, batch_size, kernels):
    (tmp_path / "text").write_text(TEXT)
    found = numgpt.evaluate(
        model, Bytes(), "text", file=tmp_path / "text", protocol="strided", stride=5, batch_size=batch_size
    )
    ids, p = list(TEXT.encode()), {name: value for name, value, _ in model.named_parameters()}
    nats, scored_to = 0.0, 1
    for begin in range(0, len(ids), 5):
        window = ids[begin : begin + 16]
        logits = reference.logits(window, p, 2, 2)
        for i in range(scored_to, begin + len(window)):
            nats += math.log(reference.softmax(list(logits[i - 1 - begin]))[ids[i]])
        scored_to = begin + len(window)
        if scored_to == len(ids):
            break
    assert found["sum_logprob_nats"] == pytest.approx(nats, rel=1e-12)
    assert found["tokens_scored"] == len(ids) - 1
    assert found["word_perplexity"] == pytest.approx(math.exp(-nats / 12))
    assert found["bits_per_byte"] == pytest.approx(-nats / len(ids) / math.log(2))


def test_a_limit_leaves_out_what_needs_the_whole_text(model, tmp_path):
    (tmp_path / "text").write_text(TEXT)
    found = numgpt.evaluate(model, Bytes(), "text", file=tmp_path / "text", protocol="rolling", limit=2)
    assert (found["limit"], found["units"], found["tokens_scored"]) == (2, 2, 32)
    assert found["stderr"] > 0
    assert "word_perplexity" not in found


def test_rows_are_joined_as_the_guide_has_them():
    assert join_rows(" \n = A = \n \n b c \n") == "\n\n = A = \n\n\n\n\n b c \n"


@pytest.mark.parametrize(
    ("content", "words", "reason"),
    [
        (b"", [], "is empty"),
        (b"\n\n \n", [], "is empty"),
        (b"a\n\xff", [], "line 2: not UTF-8"),
        (b"a", [], "has only 1 tokens"),
        (b"ab cd", ["--stride", "0"], "stride must be from 1"),
        (b"ab cd", ["--stride", "100000"], "stride must be from 1"),
        (b"ab cd", ["--protocol", "x"], "choose strided or rolling"),
        (b"ab cd", ["--protocol", "rolling", "--stride", "3"], "have no stride"),
        (b"ab cd", ["--limit", "0"], "the limit must be at least 1"),
        (b"ab cd", ["--batch-size", "0"], "the batch size must be at least 1"),
    ],
)
def test_a_user_s_mistakes(model, tmp_path, capsys, content, words, reason):
    (tmp_path / "text").write_bytes(content)
    status = main(["evaluate", "text", "--file", str(tmp_path / "text"), *words])
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert reason in error


def test_what_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words, reason in [
        (["wikitext-hf-1024"], "is missing: fetch it with `scripts/fetch-texts wikitext-2-raw.test.txt`"),
        (["text"], "give one with --file"),
        (["nothing"], "there is no task 'nothing'"),
        ([], "--list"),
        (["wikitext-hf-512", "--stride", "3"], "fixes its protocol"),
    ]:
        assert main(["evaluate", *words]) == 2
        assert reason in capsys.readouterr().err


def test_the_list(capsys):
    assert main(["evaluate", "--list"]) == 0
    assert "wikitext-hf-1024" in capsys.readouterr().out


def test_a_checkpoint_of_a_run(text_file, tmp_path, capsys):
    run, shape = str(tmp_path / "run"), ["--n-layer", "1", "--n-head", "2", "--n-embd", "8", "--context", "8"]
    train = ["train", "--data", str(text_file), "--out", run, "--tokenizer", "char", "--batch-size", "2", *shape]
    assert main([*train, "--max-steps", "3", "--save-every", "1", "--keep", "9"]) == 0
    capsys.readouterr()

    def figures(*words):
        assert main(["evaluate", "text", "--file", str(text_file), "--stride", "8", "--model", *words]) == 0
        return {**json.loads(capsys.readouterr().out), "model": None}

    first, last = figures(run, "--checkpoint", "1"), figures(run, "--checkpoint", "latest")
    assert first == figures(f"{run}/step-00000001")
    assert last == figures(run)
    assert first != last
    assert main(["evaluate", "text", "--file", str(text_file), "--model", run, "--checkpoint", "9"]) == 2
    assert "has no checkpoint '9'" in capsys.readouterr().err
