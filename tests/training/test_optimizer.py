"""AdamW, clipping and the schedule against what others computed and against their own definitions."""

import json
import math

import numpy as np
import pytest

import numgpt
from numgpt import GPT, GPTConfig
from numgpt.training import AdamW, clip_gradients, learning_rate

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)


def losses(model, ids, targets, steps, **settings):
    """The loss before each of `steps` steps on one batch."""
    optimizer = AdamW(model, **settings)
    found = []
    for _ in range(steps):
        model.zero_grad()
        found.append(model.loss(ids, targets))
        model.backward()
        optimizer.step()
    return found


@pytest.mark.parametrize("layout", ["hf", "tf"])
def test_ten_steps_on_a_trained_model_equal_pytorchs(shared, layout):
    folder = shared / "oracles/mini-gpt2"
    expected = json.loads((folder / "expected.json").read_text())["adamw_losses_float64"]
    batch = np.load(folder / "expected.npz")
    model, _ = numgpt.load(folder / layout, dtype="float64")
    found = losses(
        model,
        batch["grad_x"],
        batch["grad_y"],
        10,
        lr=expected["lr"],
        betas=expected["betas"],
        eps=expected["eps"],
        weight_decay=expected["weight_decay_on_2d"],
    )
    assert np.abs(np.array(found) - expected["losses"]).max() < 1e-9


def plain_adamw(w, gradients, lr, beta1, beta2, eps, decay):
    """The docstring's five lines, for one number."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w -= lr * (m / (1 - beta1**t) / (math.sqrt(v / (1 - beta2**t)) + eps) + decay * w)
    return w


def test_matrices_decay_and_vectors_do_not():
    model = GPT(CONFIG, dtype="float64")
    start = {name: value.copy() for name, value, _ in model.named_parameters()}
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((5, model.grads.size))
    optimizer = AdamW(model, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.5)
    seen = {name: [] for name in start}
    for gradient in gradients:
        model.grads[...] = gradient
        for name, _, grad in model.named_parameters():
            seen[name].append(grad.flat[-1])
        optimizer.step()
    for name, value, _ in model.named_parameters():
        decay = 0.5 if value.ndim == 2 else 0.0
        expected = plain_adamw(start[name].flat[-1], seen[name], 0.1, 0.8, 0.9, 1e-3, decay)
        assert value.flat[-1] == pytest.approx(expected, rel=1e-12)


def test_the_published_defaults():
    steps = AdamW(GPT(CONFIG))
    assert (steps.lr, steps.betas, steps.eps, steps.weight_decay) == (3e-4, (0.9, 0.999), 1e-8, 0.0)


def test_the_learning_rate_may_change_between_steps():
    model = GPT(CONFIG, dtype="float64")
    optimizer = AdamW(model, lr=0.1)
    model.grads[...] = 1
    optimizer.lr = 0.0
    before = model.values.copy()
    optimizer.step()
    assert np.array_equal(model.values, before)


def test_clipping_keeps_the_direction():
    model = GPT(CONFIG, dtype="float64")
    gradient = np.random.default_rng(0).standard_normal(model.grads.size)
    model.grads[...] = gradient
    norm = np.linalg.norm(gradient)
    assert clip_gradients(model, 2 * norm) == pytest.approx(norm, rel=1e-12)
    assert np.array_equal(model.grads, gradient)
    assert clip_gradients(model, norm / 4) == pytest.approx(norm, rel=1e-12)
    assert np.allclose(model.grads, gradient / 4, rtol=1e-12)


def test_a_gradient_that_is_not_a_number_is_reported_not_spread():
    model = GPT(CONFIG)
    model.grads[...] = 1
    model.grads[0] = np.nan
    assert math.isnan(clip_gradients(model, 1.0))
    assert (model.grads[1:] == 1).all()


def test_warm_up_and_cosine():
    rates = [learning_rate(step, 1e-3, 1e-4, 100, 2000) for step in range(2000)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[49] == pytest.approx(5e-4)
    assert rates[99] == rates[100] == max(rates) == 1e-3
    assert rates[100 + (1999 - 100) // 2] == pytest.approx((1e-3 + 1e-4) / 2, rel=1e-2)
    assert rates[-1] == pytest.approx(1e-4)
    assert all(a >= b for a, b in zip(rates[100:], rates[101:], strict=False))
    assert learning_rate(0, 1.0, 0.1, 0, 1) == 1.0


def test_steps_of_a_small_model_equal_pytorchs():
    torch = pytest.importorskip("torch")
    model = GPT(CONFIG, seed=5, dtype="float64")
    parameters = {n: torch.nn.Parameter(torch.tensor(v.copy())) for n, v, _ in model.named_parameters()}
    groups = [
        {"params": [p for p in parameters.values() if p.ndim == 2], "weight_decay": 0.1},
        {"params": [p for p in parameters.values() if p.ndim < 2], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), eps=1e-8)
    ours = AdamW(model, lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        for name, _, grad in model.named_parameters():
            grad[...] = rng.standard_normal(grad.shape)
            parameters[name].grad = torch.tensor(grad.copy())
        norm = clip_gradients(model, 1.0)
        assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)), rel=1e-12)
        ours.step()
        theirs.step()
    for name, value, _ in model.named_parameters():
        assert np.allclose(value, parameters[name].detach().numpy(), rtol=1e-5, atol=1e-7)
