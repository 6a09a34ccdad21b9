"""The proof of the gradients: every hand-written backward against finite differences of its forward, in float64.

    numeric[i] = (L(v + h e_i) - L(v - h e_i)) / 2h        for every element v[i] of every parameter and input

is off by terms in h^2, h^4, ... Computed with h, h/2 and h/4, the three combine to (64 n(h/4) - 20 n(h/2) + n(h)) / 45,
where the first two terms are gone (Richardson 1911) and h can be large enough for rounding not to matter. A tensor's
error is |a - n| / max(|a|, |n|) over Euclidean norms, a the analytic and n the numeric gradient.
"""

import math
from collections import namedtuple

import numpy as np

from numgpt.backend import array_module, check_device, to_device, to_host
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.layers import (
    GELU,
    Attention,
    CrossEntropy,
    Dropout,
    Embedding,
    FeedForward,
    LayerNorm,
    Linear,
    ReLU,
    TiedCrossEntropy,
    TiedHead,
)
from numgpt.model import GPT, Block

LAYER_TOLERANCE = 1e-8
MODEL_TOLERANCE = 1e-6
# Distinct sizes, so that a transposed or swapped axis cannot go unnoticed: B, T, H, D and V all differ.
B, T, H, D, V = 2, 5, 3, 4, 7
C = H * D

Row = namedtuple("Row", "tensor shape norm error tolerance ok")


def numeric_gradient(loss, values):
    """The gradient of `loss()` at the array `values`, element by element, on the host; `values` is varied and put back.

    The step follows the size of the values, so that a function that bends on a small scale is seen on that scale.
    """
    gradient = np.empty(values.shape)
    h = 1e-3 * (math.sqrt(float(np.square(values).mean())) or 1.0)

    def slope(i, h):
        value = float(values[i])  # CuPy's values[i] would change with the array
        values[i] = value + h
        up = loss()
        values[i] = value - h
        down = loss()
        values[i] = value
        return (up - down) / (2 * h)

    for i in np.ndindex(values.shape):
        gradient[i] = (64 * slope(i, h / 4) - 20 * slope(i, h / 2) + slope(i, h)) / 45
    return gradient


def compare(name, analytic, numeric, tolerance):
    """One row of the table. A gradient that is not a number fails."""
    analytic = to_host(analytic)
    norms = np.linalg.norm(analytic), np.linalg.norm(numeric)
    error = np.linalg.norm(analytic - numeric) / (max(norms) or 1.0)
    return Row(name, analytic.shape, norms[1], float(error), tolerance, bool(error <= tolerance))


def check_layer(layer, inputs, rng, floating=True, tolerance=LAYER_TOLERANCE):
    """Rows for each parameter of `layer`, and for `inputs` where they are floating-point numbers.

    The layer's output y is reduced to one number by L = sum(y * dy) with random dy, whose gradient at y is dy.
    Gradients start from random values, so that a backward that overwrites instead of adding is caught.
    """
    hold_dropout = dropout_holder(layer)
    y = layer.forward(inputs.copy())
    device = array_module(y).asarray
    dy = device(rng.standard_normal(y.shape))

    def loss():
        hold_dropout()
        return float((layer.forward(inputs.copy()) * dy).sum())

    before = {name: device(rng.standard_normal(grad.shape)) for name, _, grad in layer.named_parameters()}
    for name, _, grad in layer.named_parameters():
        grad[...] = before[name]
    loss()
    dx = layer.backward(dy.copy())
    if floating:
        yield compare("input", dx, numeric_gradient(loss, inputs), tolerance)
    for name, value, grad in layer.named_parameters():
        yield compare(name, grad - before[name], numeric_gradient(loss, value), tolerance)


def check_model(model, ids, targets, tolerance=MODEL_TOLERANCE):
    """Rows for each parameter of a whole GPT, the loss being its own. Two backward passes: gradients must add up."""
    hold_dropout = dropout_holder(model)

    def loss():
        hold_dropout()
        return model.loss(ids, targets)

    model.zero_grad()
    for _ in range(2):
        loss()
        model.backward()
    for name, value, grad in model.named_parameters():
        yield compare(name, grad / 2, numeric_gradient(loss, value), tolerance)


def dropout_holder(layer):
    """A function that sets the dropout inside `layer` back, so that every forward after a call draws the same masks."""
    rngs = {id(part.rng): part.rng for _, part in layer.named_layers() if isinstance(part, Dropout) and part.rng}
    states = [(rng, rng.bit_generator.state) for rng in rngs.values()]

    def hold():
        for rng, state in states:
            rng.bit_generator.state = state

    return hold


def with_random_weights(layer, rng, device="cpu"):
    """`layer` in float64 on `device` with weights of order one, where no term of a gradient is too small to be seen."""
    layer.allocate("float64", device)
    for name, value, _ in layer.named_parameters():
        drawn = rng.standard_normal(value.shape) / math.sqrt(value.shape[0] if value.ndim == 2 else 1)
        value[...] = to_device(drawn, device)
        if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")):
            value += 1
    return layer


def check_cross_entropy(rng, device):
    """The loss layer has no dy: its output is the number itself. One target is ignored."""
    layer = CrossEntropy()
    logits = to_device(2 * rng.standard_normal((B, T, V)), device)
    targets = rng.integers(0, V, (B, T))
    targets[0, 1] = -1
    layer.forward(logits, targets)
    analytic = layer.backward()
    yield compare("input", analytic, numeric_gradient(lambda: layer.forward(logits, targets), logits), LAYER_TOLERANCE)


def check_tied_head(rng, device):
    """The head's weight belongs to the embedding, which is therefore listed in its place."""
    table = with_random_weights(Embedding(V, C), rng, device)
    head = TiedHead(table)
    head.named_parameters = table.named_parameters
    return check_layer(head, to_device(rng.standard_normal((B, T, C)), device), rng)


def check_tied_cross_entropy(rng, device):
    """The head and the loss in one, with a table of the embedding's; one target is ignored."""
    table = with_random_weights(Embedding(V, C), rng, device)
    layer, x = TiedCrossEntropy(table), to_device(rng.standard_normal((B, T, C)), device)
    targets = rng.integers(0, V, (B, T))
    targets[0, 1] = -1

    def loss():
        return layer.forward(x, targets)

    gradients = []
    for _ in range(2):  # twice, as the table's gradient is to be added to
        loss()
        gradients.append(layer.backward())
    yield compare("input", gradients[1], numeric_gradient(loss, x), LAYER_TOLERANCE)
    yield compare("weight", table.dweight / 2, numeric_gradient(loss, table.weight), LAYER_TOLERANCE)


def check_whole_model(rng, device, dropout):
    """Two blocks, three heads, one ignored target."""
    config = GPTConfig(n_vocab=V, n_ctx=T + 1, n_embd=C, n_head=H, n_layer=2, dropout=dropout)
    model = GPT(config, dtype="float64", device=device)
    with_random_weights(model, rng, device)
    ids, targets = rng.integers(0, V, (2, B, T))
    targets[1, 2] = -1
    return check_model(model.train(), ids, targets)


def layer_case(make, shape=(B, T, C), scale=1.0, away_from_zero=0.0):
    """A check of the layer that `make(rng)` makes, at inputs drawn from N(0, scale^2) and moved away from zero."""

    def check(rng, device):
        layer = with_random_weights(make(rng), rng, device).train()
        x = scale * rng.standard_normal(shape)
        return check_layer(layer, to_device(x + away_from_zero * np.sign(x), device), rng)

    return check


def check_embedding(rng, device):
    """Ids that occur twice, and one that does not occur."""
    ids = np.array([[0, 3, 3, 1, 5], [3, 2, 0, 6, 3]])
    return check_layer(with_random_weights(Embedding(V, C), rng, device), ids, rng, floating=False)


CHECKS = {
    "linear": layer_case(lambda rng: Linear(C, 5)),
    "embedding": check_embedding,
    "tied-head": check_tied_head,
    "layernorm": layer_case(lambda rng: LayerNorm(C)),
    # A variance of 1e-5 equals eps, where forgetting eps in the backward formula shows most.
    "layernorm-near-eps": layer_case(lambda rng: LayerNorm(C), scale=math.sqrt(1e-5)),
    "gelu": layer_case(lambda rng: GELU(), scale=2.0),
    "relu": layer_case(lambda rng: ReLU(), away_from_zero=0.1),
    "dropout": layer_case(lambda rng: Dropout(0.3, rng)),
    "attention": layer_case(lambda rng: Attention(C, H)),
    "attention-one-head": layer_case(lambda rng: Attention(D, 1), shape=(B, T, D)),
    "attention-dropout": layer_case(lambda rng: Attention(C, H, 0.2, rng)),
    "feedforward": layer_case(lambda rng: FeedForward(C)),
    "feedforward-dropout": layer_case(lambda rng: FeedForward(C, 0.2, rng)),
    "cross-entropy": check_cross_entropy,
    "tied-cross-entropy": check_tied_cross_entropy,
    "block": layer_case(lambda rng: Block(GPTConfig(n_embd=C, n_head=H), rng)),
    "model": lambda rng, device: check_whole_model(rng, device, dropout=0.0),
    "model-dropout": lambda rng, device: check_whole_model(rng, device, dropout=0.2),
}


def check(name, seed=0, device="cpu"):
    """The rows of one named check. Raises InputError for a name not in CHECKS and a device that cannot be used."""
    if name not in CHECKS:
        raise InputError(f"there is no gradient check called {name!r}: choose from {', '.join(CHECKS)}")
    check_device(device)
    return CHECKS[name](np.random.default_rng(seed), device)
