"""Layers made of others, and whole models: gradients against the complex step, and kernels against definitions.

A layer and its complex twin have the same weights. The twin's loss, computed by the definitions, gives the derivatives;
the layer's backward is run once by the definitions and once by the kernels.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numgpt.backend import to_device, to_host
from numgpt.config import GPTConfig, TransformerConfig
from numgpt.gradcheck.case import SMALL, normal, some_targets
from numgpt.gradcheck.definitions import COMPLEX_STEP, KERNEL
from numgpt.gradcheck.derivatives import TINY, complex_step
from numgpt.gradcheck.rows import Row, compare
from numgpt.kernels import use_kernels
from numgpt.layers import Attention, Dropout, FeedForward, Layer
from numgpt.model import GPT, Block, Classifier, Transformer

B, T, H, D, V = SMALL
C = H * D
SENTENCE = "Every gradient here was derived and written by hand."
CHECKPOINT = 1e-10  # sums over millions of products are rounded millions of times

Backward = Callable[[Layer], dict[str, np.ndarray]]


def attention_layer(rng):
    return check_composite(Attention(C, H, 0.2, rng), rng)


def feedforward(rng):
    return check_composite(FeedForward(C, 0.2, rng), rng)


def block(rng):
    return check_composite(Block(GPTConfig(n_embd=C, n_head=H, dropout=0.2), rng=rng), rng)


def model(rng, dropout=0.0):
    """Two blocks, three heads, one ignored target."""
    config = GPTConfig(n_vocab=V, n_ctx=T + 1, n_embd=C, n_head=H, n_layer=2, dropout=dropout)
    ids, targets = rng.integers(0, V, (B, T)), some_targets(rng, SMALL)
    return lambda device: check_model(GPT(config, seed=None, dtype="float64"), ids, targets, rng, device)


def model_dropout(rng):
    return model(rng, dropout=0.2)


def transformer(rng, **changes):
    """Source and target padded in different rows; two blocks, so that the memory has two readers.

    Its layers are proven number by number; the whole, along random directions, as there are some 6,000 numbers.
    """
    config = TransformerConfig(V, C, H, d_ff=5, layers=2, dropout=0.2, **changes)
    src, tgt = rng.integers(3, V, (2, 4)), rng.integers(3, V, (2, 5))
    src[0, 2:], tgt[1, 3:], tgt[:, 0] = 0, 0, 1
    model = with_random_weights(Transformer(config, seed=None, dtype="float64"), rng).train()
    return lambda device: along_directions(model, (src, tgt), rng, 3, COMPLEX_STEP)


def transformer_pre_norm(rng):
    return transformer(rng, norm_first=True, final_norm=True, activation="gelu")


def classifier(rng):
    """Texts of different lengths, one label that does not count."""
    config = TransformerConfig(V, C, H, d_ff=5, layers=2, dropout=0.2)
    ids, labels = rng.integers(3, V, (4, 5)), np.array([2, -1, 0, 1])
    ids[0, 3:], ids[3, 4:] = 0, 0
    model = with_random_weights(Classifier(config, ["a", "b", "c"], seed=None, dtype="float64"), rng).train()
    return lambda device: along_directions(model, (ids, labels), rng, 3, COMPLEX_STEP)


WHOLES: dict[str, Callable[[np.random.Generator], Callable[[str], Iterator[Row]]]] = {
    "attention-layer": attention_layer,
    "feedforward": feedforward,
    "block": block,
    "model": model,
    "model-dropout": model_dropout,
    "transformer": transformer,
    "transformer-pre-norm": transformer_pre_norm,
    "classifier": classifier,
}


def check_composite(layer, rng):
    """The check of a layer (B, T, C) -> (B, T, C), on a device: rows for its input and all its parameters.

    Its output y is reduced to one number by L = sum(y * dy) with random dy, whose gradient at y is dy.
    """
    layer = with_random_weights(layer, rng).train()
    x, dy = normal(rng, B, T, C), normal(rng, B, T, C)

    def backward(layer, x):
        reset_dropout(layer)
        layer.forward(x)
        return {"input": layer.backward(np.asarray(dy, like=x))}

    def loss(layer, x):
        reset_dropout(layer)
        return (layer.forward(x) * dy).sum()

    return lambda device: prove(layer, backward, loss, x, rng, device)


def check_model(gpt, ids, targets, rng, device):
    """Rows for each parameter of a whole GPT, with its own loss."""
    with_random_weights(gpt, rng).train()

    def backward(gpt, _):
        reset_dropout(gpt)
        gpt.loss(ids, targets)
        gpt.backward()
        return {}

    def loss(gpt, _):
        reset_dropout(gpt)
        return gpt.loss(ids, targets)

    return prove(gpt, backward, loss, None, rng, device)


def prove(layer, backward, loss, x, rng, device):
    """Rows of the plain gradients against the complex step, and of the fast ones against the plain ones."""
    before = rng.standard_normal(layer.values.shape)
    with use_kernels("plain"):
        found = gradients(layer, backward, x, before)
        twin = copy.deepcopy(layer).allocate(complex)
        varied = None if x is None else x.astype(complex)
        derivatives = {} if x is None else {"input": complex_step(lambda: loss(twin, varied), varied)}
        for name, value, _ in twin.named_parameters():
            derivatives[name] = complex_step(lambda: loss(twin, varied), value)
    for name, expected in derivatives.items():
        yield compare(name, found[name], expected, "model", "complex step", COMPLEX_STEP)
    with use_kernels("fast"):
        layer = copy.deepcopy(layer).allocate("float64", device)
        fast = gradients(layer, backward, None if x is None else to_device(x, device), before)
    if device == "cpu" or not dropouts(layer):  # a GPU draws other masks
        for name, expected in found.items():
            yield compare(f"{name} float64", fast[name], expected, "kernel", "definition", KERNEL["float64"])


def gradients(layer, backward, x, before):
    """name -> gradient, on the host, of the input and all parameters; those that are added to start from `before`."""
    layer.grads[...] = np.asarray(before, like=layer.grads)
    returned = backward(layer, x)
    layer.grads -= np.asarray(before, like=layer.grads)
    added = {name: gradient for name, _, gradient in layer.named_parameters()}
    return {name: to_host(gradient).copy() for name, gradient in {**returned, **added}.items()}


def check_checkpoint(gpt: GPT, ids: np.ndarray, seed: int = 0, directions: int = 2) -> Iterator[Row]:
    """A row for each parameter of a trained model: its gradient along random directions.

    gpt: on the CPU, in float64. ids: (1, T + 1), of which the last T are the targets. The derivative along a direction
    d comes from the complex step with v + i h d; the dot product of gradient and d must equal it.
    """
    rng = np.random.default_rng(seed)
    return along_directions(gpt, (ids[:, :-1], ids[:, 1:]), rng, directions, CHECKPOINT)


def along_directions(model, texts, rng, directions, tolerance):
    """Rows for each parameter of a model with its loss on `texts`, as in `check_checkpoint`."""

    def loss():
        reset_dropout(model)
        return model.loss(*texts)

    model.zero_grad()
    loss()
    model.backward()
    for name, layer, parameter in model.slots():
        value, gradient = getattr(layer, parameter), getattr(layer, "d" + parameter)
        found, expected = np.empty((2, directions))
        for k in range(directions):
            direction = rng.standard_normal(value.shape)
            found[k] = np.vdot(gradient, direction)
            setattr(layer, parameter, value + 1j * TINY * direction)
            try:
                with use_kernels("plain"):
                    expected[k] = loss().imag / TINY
            finally:
                setattr(layer, parameter, value)
        row = compare(name, found, expected, "model", "complex step", tolerance)
        yield row._replace(shape=value.shape)


def with_random_weights(layer: Any, rng: np.random.Generator) -> Any:
    """`layer` in float64 with weights of order one, so that no term of a gradient is too small to be seen."""
    layer.allocate("float64")
    for name, value, _ in layer.named_parameters():
        value[...] = rng.standard_normal(value.shape) / math.sqrt(value.shape[0] if value.ndim == 2 else 1)
        if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight", "norm.weight")):
            value += 1
    return layer


def reset_dropout(layer):
    """Make the dropout inside `layer` draw the same after every reset."""
    for part in dropouts(layer):
        part.rng.bit_generator.state = np.random.default_rng(0).bit_generator.state


def dropouts(layer):
    """The dropout layers inside `layer` that drop anything."""
    return [part for _, part in layer.named_layers() if isinstance(part, Dropout) and part.p]
