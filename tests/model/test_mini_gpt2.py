"""A GPT-2 that others trained, in both formats, against what PyTorch computed with it."""

import json

import numpy as np
import pytest

import numgpt


@pytest.fixture(scope="module", params=["hf", "tf"])
def folder(shared, request):
    return shared / "oracles/mini-gpt2" / request.param


@pytest.fixture(params=["plain", "fast"])
def kind(request):
    with numgpt.use_kernels(request.param):
        yield request.param


@pytest.fixture(scope="module")
def expected(shared):
    numbers = json.loads((shared / "oracles/mini-gpt2/expected.json").read_text("utf-8"))
    return numbers, np.load(shared / "oracles/mini-gpt2/expected.npz")


def test_logits(folder, expected, kind):
    model, _ = numgpt.load(folder)
    logits = model.forward(expected[1]["logits_ids"])
    assert logits.dtype == np.float32
    assert np.abs(logits - expected[1]["logits"]).max() < 1e-4


def test_greedy_continuations(folder, expected):
    model, tokenizer = numgpt.load(folder)
    for case in expected[0]["greedy"]:
        ids = tokenizer.encode(case["prompt"])
        assert ids == case["prompt_ids"]
        new = len(case["continuation_ids"])
        found = numgpt.generate(model, [ids], max_new_tokens=new, temperature=0)[0][len(ids) :]
        assert list(found) == case["continuation_ids"]
        assert tokenizer.decode(found) == case["text"]


def test_loss_over_windows(folder, expected):
    model, _ = numgpt.load(folder)
    published = expected[0]["windowed_nll"]
    ids, T, total, count = expected[1]["eval_ids"], model.config.n_ctx, 0.0, 0
    for start in range(0, len(ids), T):
        window = ids[None, start : start + T]
        scored = window.shape[1] - 1
        if scored:
            total += scored * model.loss(window[:, :-1], window[:, 1:])
            count += scored
    assert count == published["tokens_scored"]
    assert total / count == pytest.approx(published["mean_nll"], abs=1e-5)


def test_every_gradient_in_float64(folder, expected, kind):
    model, _ = numgpt.load(folder, dtype="float64")
    loss = model.loss(expected[1]["grad_x"], expected[1]["grad_y"])
    assert loss == pytest.approx(expected[0]["grad_loss_float64"], rel=1e-12)
    model.backward()
    published = expected[0]["grad_float64"]
    seen = set()
    for name, _, grad in model.named_parameters():
        theirs = published["transformer." + name]
        seen.add("transformer." + name)
        norm = np.linalg.norm(grad)
        projection = grad.ravel() @ np.cos(np.arange(grad.size))
        assert abs(norm - theirs["norm"]) < 1e-9 * theirs["norm"], name
        assert abs(projection - theirs["dot_with_cos_arange"]) < 1e-9 * theirs["norm"], name
    assert seen == set(published)


def test_plain_and_fast_are_the_same(folder, expected):
    model, _ = numgpt.load(folder, dtype="float64")
    found = {}
    for kind in "plain", "fast":
        with numgpt.use_kernels(kind):
            model.zero_grad()
            loss = model.loss(expected[1]["grad_x"], expected[1]["grad_y"])
            model.backward()
            logits = model.forward(expected[1]["logits_ids"])
        found[kind] = [np.array(loss), logits, *(grad.copy() for _, _, grad in model.named_parameters())]
    for plain, fast in zip(*found.values(), strict=True):
        assert np.linalg.norm(plain - fast) <= 1e-10 * np.linalg.norm(plain)
