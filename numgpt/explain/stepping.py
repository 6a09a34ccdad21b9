"""Part 9, a step of the optimizer: what the gradient promises, and what the step does."""

from typing import Any

import numpy as np

from numgpt.layers.base import inferring
from numgpt.model import GPT
from numgpt.tracing import Trace
from numgpt.training.optimizer import adamw_update

PROMISED = 0.1, 0.01  # shares by which a step of SGD promises to lower the loss
ADAMW_LR = 1e-5
CHUNK = 1 << 18  # parameters at once, so that no third array of their size is needed


def step_part(found: Trace, start: np.ndarray) -> list[dict[str, Any]]:
    """One step of each kind from the same parameters: the promised and the actual change of the loss.

    start: the values of the parameters, which are restored afterwards.
    """
    model, loss = found.model, loss_now(found)
    rows = []
    for share in PROMISED:
        lr, promised = share * loss / squared_norm(model), -share * loss
        add_scaled(model, -lr)
        rows.append({"kind": "SGD", "lr": lr, "promised": promised, "measured": loss_now(found) - loss})
        model.values[...] = start
    promised = first_adamw_step(model, ADAMW_LR)
    rows.append({"kind": "AdamW", "lr": ADAMW_LR, "promised": promised, "measured": loss_now(found) - loss})
    model.values[...] = start
    return rows


def loss_now(found):
    """The loss on the same text with the model's present parameters."""
    with inferring():
        return found.model.loss(found.ids, found.targets)


def squared_norm(model):
    """The sum of the squares of all gradients."""
    return sum(float(np.vdot(part, part)) for part in chunks(model.grads))


def add_scaled(model, factor):
    """values += factor grads."""
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
