"""The loss of a traced pass with some values changed: several runs side by side, from where they first differ."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from numgpt.layers.base import Array, inferring
from numgpt.model import GPT
from numgpt.tracing.result import Trace
from numgpt.tracing.walk import Walk

POSITIONS = 1024  # of all runs made at once
LOGITS = 1 << 24  # in memory at once

Change = Callable[[Array], Array]


def losses_with(whole: Trace, first: int, changes: Sequence[Mapping[str, Change]]) -> list[float]:
    """The loss of each of several reruns of the pass traced in `whole`, which must have targets.

    changes: one mapping per run, from the name of a value to a function from that value, (B, ...), to its replacement.
    Nothing below block `first` is run again, so only the stream that enters it (`embed` or h.first-1), and values after
    it, can be changed.
    """
    B, T = whole.ids.shape
    at_once = max(1, POSITIONS // (B * T))
    losses: list[float] = []
    for start in range(0, len(changes), at_once):
        losses += side_by_side(whole, first, changes[start : start + at_once])
    return losses


def side_by_side(whole: Trace, first: int, changes: Sequence[Mapping[str, Change]]) -> list[float]:
    """The losses of runs that are rows of one batch."""
    model, (B, T), R = whole.model, whole.ids.shape, len(changes)
    x = whole.stream[first]
    x = np.broadcast_to(x, (R, *x.shape)).reshape(R * B, T, -1)
    names = {name for change in changes for name in change}

    def changed(name: str) -> Change:
        def change(value: Array) -> Array:
            runs = value.reshape(R, B, *value.shape[1:]).copy()
            for run, change in zip(runs, changes, strict=True):
                if name in change:
                    run[...] = change[name](run)
            return runs.reshape(value.shape)

        return change

    assert whole.targets is not None
    walk = Walk(model, np.zeros((R * B, T), int), [], {name: changed(name) for name in names})
    with inferring():
        nll = surprises(model, walk.rise(x, first), np.broadcast_to(whole.targets, (R, B, T)).reshape(-1))
    return np.nanmean(nll.reshape(R, B * T), -1).tolist()


def surprises(model: GPT, x: Array, targets: np.ndarray) -> np.ndarray:
    """-log p of every target, (N,) float64, nan where one does not count; x is what the output head reads."""
    rows, nll = x.reshape(len(targets), -1), np.full(len(targets), np.nan)
    step = max(1, LOGITS // model.config.n_vocab)
    for start in range(0, len(rows), step):
        logits = model.head.forward(rows[start : start + step])
        for n, z in enumerate(logits, start):
            if targets[n] >= 0:
                top = z.max()
                nll[n] = float(np.log(np.exp(z - top).sum()) + top - z[targets[n]])
    return nll
