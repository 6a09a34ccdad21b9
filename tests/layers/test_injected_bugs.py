"""The proof can fail: bugs that real implementations have had (tests/helpers/bugs.py) are injected and have to be seen.

Twice, by those who know nothing of each other: by `numgpt gradcheck`, and by numbers from outside the package, those of
the plain twin in tests/helpers/reference.py and those of other software.
"""

import importlib
import inspect
import math
import pkgutil
import warnings
from functools import cache

import numpy as np
import pytest

import classification
import numgpt
import reference
import translation
from bugs import BUGS, ONLY_SEEN_BY_OTHERS, inject
from numgpt import GPT, AdamW, GPTConfig, gradcheck, kernels, layers, use_kernels
from numgpt.layers import cross_attention, dropout, gelu_erf, relu, swish
from numgpt.training import optimizer

CONFIG = GPTConfig(n_vocab=5, n_ctx=5, n_embd=6, n_head=2, n_layer=2, dropout=0.2)
IDS = np.array([[1, 4, 1, 0], [2, 1, 3, 4]])
TARGETS = np.array([[4, -1, 0, 2], [1, 3, 4, 0]])
bugs = pytest.mark.parametrize(
    "bug", BUGS, ids=lambda bug: f"{bug.where.rpartition('.')[2]}-{bug.instead.strip()[:30]}"
)


@pytest.fixture(autouse=True)
def _warnings_of_what_is_broken_are_of_no_interest():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def wrong_tensors(check):
    """The names of the tensors that a check finds wrong, by kernels in either precision."""
    rows = gradcheck.check(check, seed=3)
    return {row.tensor.removesuffix(" float64").removesuffix(" float32") for row in rows if not row.ok}


@cache
def passes_unbroken(check):
    """Whether nothing is wrong before anything is broken; asked once a check."""
    return not wrong_tensors(check)


def test_nothing_is_broken_yet(golden):
    assert not disagreements(golden)


@bugs
def test_gradcheck_sees_it(bug, monkeypatch):
    if not bug.check:
        assert bug in ONLY_SEEN_BY_OTHERS
        return
    assert passes_unbroken(bug.check)
    inject(bug, monkeypatch)
    assert set(bug.wrong.split(", ")) <= wrong_tensors(bug.check)


@bugs
def test_numbers_from_outside_see_it(bug, monkeypatch, golden):
    inject(bug, monkeypatch)
    assert disagreements(golden)


def test_every_definition_is_broken_once():
    modules = [importlib.import_module(f"numgpt.layers.{m.name}") for m in pkgutil.iter_modules(layers.__path__)]
    definitions = {
        f"{module.__name__.removeprefix('numgpt.')}:{name}"
        for module in [*modules, optimizer]
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__code__.co_filename == kernels.__file__  # wrapped by `definition`
        and value.__module__ == module.__name__
    }
    assert len(definitions) > 20
    assert definitions <= {bug.where for bug in BUGS}


def disagreements(golden):
    """What of the package, with either kind of kernels, is not as others have it."""
    found = set()
    for kind in "plain", "fast":
        with use_kernels(kind):
            checks = {
                "model": model_agrees,
                "relu": lambda: activation_agrees(relu.relu, relu.relu_backward, lambda v: max(v, 0.0)),
                "gelu_erf": lambda: activation_agrees(
                    gelu_erf.gelu_erf,
                    gelu_erf.gelu_erf_backward,
                    lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2,
                ),
                "swish": lambda: activation_agrees(
                    swish.swish, swish.swish_backward, lambda v: v / (1 + math.exp(-1.702 * v)), 1.702
                ),
                "dropout": dropout_agrees,
                "adamw": lambda: adamw_agrees(golden),
                "norm": norm_agrees,
                "cross_attention": cross_attention_agrees,
                "transformer": lambda: agrees(translation, golden / "transformer"),
                "classifier": lambda: agrees(classification, golden / "classifier"),
            }
            found |= {f"{name}, {kind}" for name, agrees_now in checks.items() if not agrees_now()}
    return found


def model_agrees():
    """Logits; and loss and gradient with dropout, the gradient being added to, along a random direction."""
    expected = twin()
    model = GPT(CONFIG, seed=None, dtype="float64")
    for name, value, _ in model.named_parameters():
        value[...] = expected["parameters"][name]
    logits = model.forward(IDS)
    model.rng.bit_generator.state = np.random.default_rng(7).bit_generator.state
    loss = model.train().loss(IDS, TARGETS)
    model.grads[...] = 1
    model.backward()
    slope = sum(np.vdot(grad - 1, expected["direction"][name]) for name, _, grad in model.named_parameters())
    return close(logits, expected["logits"]) and close(loss, expected["loss"]) and close(slope, expected["slope"], 1e-8)


@cache
def twin():
    """Parameters, and what the plain twin computes with them."""
    rng = np.random.default_rng(2)
    model = GPT(CONFIG, seed=None, dtype="float64")
    draw = {name: rng.standard_normal(value.shape) for name, value, _ in model.named_parameters()}
    parameters = {name: value + (".weight" in name and value.ndim == 1) for name, value in draw.items()}
    direction = {name: rng.standard_normal(value.shape) for name, value in draw.items()}
    shape = CONFIG.n_layer, CONFIG.n_head
    rng = np.random.default_rng(7)
    (B, T), C = IDS.shape, CONFIG.n_embd
    drop = {"drop": reference.factors(rng, (B, T, C), CONFIG.dropout)}
    for i in range(CONFIG.n_layer):
        drop[f"h.{i}.attn.attn_drop"] = reference.factors(rng, (B, CONFIG.n_head, T, T), CONFIG.dropout)
        drop[f"h.{i}.attn.resid_drop"] = reference.factors(rng, (B, T, C), CONFIG.dropout)
        drop[f"h.{i}.mlp.drop"] = reference.factors(rng, (B, T, C), CONFIG.dropout)

    def loss(parameters):
        return reference.loss(IDS, TARGETS, parameters, *shape, drop)

    return {
        "parameters": parameters,
        "direction": direction,
        "logits": [reference.logits(row, parameters, *shape) for row in IDS],
        "loss": loss(parameters),
        "slope": reference.slope(loss, parameters, direction),
    }


def activation_agrees(forward, backward, plain, *beta):
    """An activation and its gradient, number by number; the latter by differences of the plain one."""
    x, dy = np.random.default_rng(0).standard_normal((2, 20))
    x *= 2
    slopes = [reference.slope(lambda p: plain(p["x"]), {"x": v}, {"x": 1.0}) for v in x]
    return close(forward(x, *beta), [plain(v) for v in x]) and close(backward(dy, x, *beta), dy * slopes)


def dropout_agrees():
    x, p = np.random.default_rng(0).standard_normal((3, 7)), 0.3
    m = reference.factors(np.random.default_rng(1), x.shape, p)
    dropped = dropout.draw_dropped(np.random.default_rng(1), x.shape, p, x)
    return np.array_equal(dropped, m == 0) and close(dropout.drop(x, dropped, p), x * m)


def adamw_agrees(golden):
    """Losses of ten steps, as PyTorch has them."""
    expected = np.load(golden / "tiny-gpt2/expected.npz")
    model, _ = numgpt.load(golden / "tiny-gpt2/hf", dtype="float64")
    steps = AdamW(model, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    losses = []
    for _ in expected["adamw_losses"]:
        model.zero_grad()
        losses.append(model.loss(expected["ids"], expected["targets"]))
        model.backward()
        steps.step()
    return close(losses, expected["adamw_losses"], 1e-9)


def norm_agrees():
    x = np.random.default_rng(0).standard_normal(50)
    return close(optimizer.squared_norm(x), math.fsum(v * v for v in x))


def cross_attention_agrees():
    """With dropout and padding, query by query; the gradient along a direction by differences of the plain twin."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((2, 3, size, 4)) for name, size in (("q", 5), ("k", 6), ("v", 6))}
    do, padding, dropped = rng.standard_normal((2, 3, 5, 4)), rng.random((2, 6)) < 0.3, rng.random((2, 3, 5, 6)) < 0.3
    direction = {name: rng.standard_normal(value.shape) for name, value in arrays.items()}

    def plain(a):
        return reference.cross_attention(a["q"], a["k"], a["v"], 0.5, padding, dropped / 1.0, 0.3)

    o, kept = cross_attention.cross_attention(*arrays.values(), 0.5, padding, dropped, 0.3)
    dq, dkv = cross_attention.cross_attention_backward(do, kept)
    found = sum(np.vdot(g, direction[name]) for name, g in zip("qkv", (dq, *np.split(dkv, 2, axis=1)), strict=True))
    expected = reference.slope(lambda a: (plain(a) * do).sum(), arrays, direction)
    return close(o, plain(arrays)) and close(found, expected, 1e-8)


def agrees(helper, folder):
    """Whether whole models are what PyTorch computed of them."""
    try:
        for name in helper.NAMES:
            helper.check(folder / name)
    except AssertionError:
        return False
    return True


def close(found, expected, tolerance=1e-10):
    return np.shape(found) == np.shape(expected) and bool(np.all(np.abs(found - np.asarray(expected)) < tolerance))
