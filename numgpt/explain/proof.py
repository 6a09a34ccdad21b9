"""Part 9, the proof: numbers of the backward pass beside their finite differences."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from numgpt.layers.base import inferring
from numgpt.tracing import Trace
from numgpt.tracing.rerun import losses_with

STEPS = {"float64": 1e-4, "float32": 3e-2}  # h of (loss(x + h) - loss(x - h)) / 2h
STREAM = 3  # blocks, evenly spread, at whose output the stream is checked


def places(found: Trace, focus: dict[str, int]) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """(name, block to start from, index) of the numbers to check, along the way of the number in focus."""
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
    """The row of one weight, whose value is then restored."""
    value, gradient = next(found_ for path, *found_ in found.model.named_parameters() if path == name)
    before = value[index].item()
    losses = []
    for step in (-h, h):
        value[index] = before + step
        with inferring():
            losses.append(found.model.loss(found.ids, found.targets))
    value[index] = before
    return row(name, index, before, gradient[index], (losses[1] - losses[0]) / (2 * h))
