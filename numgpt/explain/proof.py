"""Part 9, the proof: numbers of the backward pass beside finite differences, and beside what a step really changes."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from numgpt.layers.base import inferring
from numgpt.model import GPT
from numgpt.tracing import Trace
from numgpt.tracing.rerun import losses_with
from numgpt.training.optimizer import adamw_update

STEPS = {"float64": 1e-4, "float32": 3e-2}  # h of (loss(x + h) - loss(x - h)) / 2h
PROMISED = 0.1, 0.01  # shares of the loss that a step of SGD promises to take away
ADAMW_LR = 1e-5
STREAM = 4  # blocks, evenly spread, at whose output the stream is tried
CHUNK = 1 << 18


def places(found: Trace, focus: dict[str, int]) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """(name, block to start from, index) of what is proven: on the way of the number that is in focus."""
    L = len(found.model.h)
    t, u, c, d = focus["t"], focus["u"], focus["channel"], focus["d"]
    i, head, neuron = focus["layer"], focus["head"], focus["neuron"]
    spread = {round(n * (L - 1) / (STREAM - 1)) for n in range(STREAM)}
    yield "embed", 0, (0, t, c)
    for block in sorted(spread | {i}):
        if block == i:
            at = f"h.{i}.attn"
            yield from (
                (f"{at}.{name}", i, (0, head, row, d)) for name, row in (("q", t), ("k", u), ("v", u), ("o", t))
            )
            yield from ((f"{at}.{name}", i, (0, head, t, u)) for name in "sp")
            yield from ((f"h.{i}.mlp.{name}", i, (0, t, neuron)) for name in ("c_fc", "act"))
        yield f"h.{block}", block + 1, (0, t, c)
    yield "ln_f", L, (0, t, c)


def proof_part(found: Trace, focus: dict[str, int]) -> dict[str, Any]:
    """Rows of name, index, value, gradient and finite difference; the last two rows are of parameters."""
    h = STEPS[found.model.dtype.name]
    rows = []
    for first, group in groupby(places(found, focus), key=itemgetter(1)):
        names, _, indices = zip(*group, strict=True)
        pairs = list(zip(names, indices, strict=True))
        losses = losses_with(found, first, [{name: nudge(at, step)} for name, at in pairs for step in (-h, h)])
        for (name, at), down, up in zip(pairs, losses[::2], losses[1::2], strict=True):
            rows.append(row(name, at[1:], found.values[name][at], found.gradients[name][at], (up - down) / (2 * h)))
    rows += [of_parameter(found, name, index, h) for name, index in parameters(found, focus)]
    return {"h": h, "dtype": found.model.dtype.name, "rows": rows}


def row(name, index, value, gradient, difference):
    """A row, in Python's own numbers."""
    return {
        "name": name,
        "index": [int(i) for i in index],
        "value": float(value),
        "gradient": float(gradient),
        "difference": float(difference),
    }


def nudge(index, step):
    """A function that adds `step` to one number of a value."""

    def add(value):
        value = value.copy()
        value[index] += step
        return value

    return add


def parameters(found, focus):
    """(name, index) of a weight of the opened head and of one of the token's row."""
    model = found.model
    column = focus["head"] * (model.config.n_embd // model.config.n_head) + focus["d"]
    yield f"h.{focus['layer']}.attn.c_attn.weight", (focus["channel"], column)
    yield "wte.weight", (int(found.ids[0, focus["t"]]), focus["channel"])


def of_parameter(found, name, index, h):
    """The row of one weight, which is as it was afterwards."""
    value, gradient = next(found_ for path, *found_ in found.model.named_parameters() if path == name)
    before = value[index].item()
    losses = []
    for step in (-h, h):
        value[index] = before + step
        losses.append(loss_now(found))
    value[index] = before
    return row(name, index, before, gradient[index], (losses[1] - losses[0]) / (2 * h))


def step_part(found: Trace, start: np.ndarray) -> list[dict[str, Any]]:
    """One step of each kind from the same place: what the gradient promised, and what the loss did.

    start: the values of the parameters, which the traced model has again afterwards.
    """
    model, loss = found.model, float(np.nanmean(found.nll))
    squares = sum(float(np.vdot(part, part)) for part in chunks(model.grads))
    rows, done = [], 0.0
    for share in PROMISED:
        lr = share * loss / squares
        add_scaled(model, done - lr)
        rows.append({"kind": "SGD", "lr": lr, "promised": -lr * squares, "measured": loss_now(found) - loss})
        done = lr
    model.values[...] = start
    promised = first_adamw_step(model, ADAMW_LR)
    rows.append({"kind": "AdamW", "lr": ADAMW_LR, "promised": promised, "measured": loss_now(found) - loss})
    model.values[...] = start
    return rows


def loss_now(found):
    """The loss of the same text, the model being another since the trace."""
    with inferring():
        return found.model.loss(found.ids, found.targets)


def add_scaled(model, factor):
    """values += factor grads, without a third array of that size."""
    for value, gradient in zip(chunks(model.values), chunks(model.grads), strict=True):
        value += factor * gradient


def first_adamw_step(model: GPT, lr: float) -> float:
    """AdamW's first step, whose moments are 0 before it; returns the sum of gradient times change."""
    promised = 0.0
    for w, g in zip(chunks(model.values), chunks(model.grads), strict=True):
        before = w.copy()
        adamw_update(w, g, np.zeros_like(w), np.zeros_like(w), 1, lr, 0.9, 0.999, 1e-8, 0.0)
        promised += float(np.vdot(w - before, g))
    return promised


def chunks(flat):
    """Views of a flat array, one after the other."""
    return (flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK))
