"""Parts 8 and 9: the loss and the way back. The page computes dp, ds, dq, dk, dv of an opened head from q, k, v, do."""

from typing import Any

import numpy as np

from numgpt.explain.packing import Picture, single
from numgpt.explain.subject import Subject
from numgpt.explain.tokens import Vocabulary
from numgpt.model import GPT
from numgpt.tracing import Trace, trace
from numgpt.tracing.ablation import estimate, losses_without, without_change
from numgpt.tracing.result import largest

TOP = 8  # logits per position
CELLS = 24  # at most, along a side of a picture of a weight gradient


def loss_part(found: Trace, vocabulary: Vocabulary) -> dict[str, Any]:
    """Each token's loss, and at each position the logits with the largest gradients, the target's first."""
    logits, gradient = found.values["logits"][0], found.gradients["logits"][0]
    targets = np.asarray(found.targets)[0]
    counted = targets >= 0
    z = logits - logits.max(-1, keepdims=True)
    log_sum = np.log(np.exp(z).sum(-1)) + logits.max(-1)
    p = np.exp(logits - log_sum[:, None])
    size = np.abs(gradient)
    size[np.arange(len(targets))[counted], targets[counted]] = np.inf
    ids = largest(size, min(TOP, size.shape[-1]))
    attribution, norms = found.attribution()
    return {
        "loss": found.loss,
        "counted": int(counted.sum()),
        "nll": single(found.nll[0]),
        "ids": vocabulary.mention(ids),
        "logits": single(np.take_along_axis(logits, ids, -1)),
        "p": single(np.take_along_axis(p, ids, -1)),
        "gradient": single(np.take_along_axis(gradient, ids, -1)),
        "log_sum": single(log_sum),
        "attribution": single(attribution[0]),
        "attribution_norm": single(norms[0]),
    }


def shares_part(found: Trace) -> dict[str, Any]:
    """How much of dL/dx below each block came past it, through its mlp and through its attention, (L, T, 3) each.

    shares are (part . dx) / (dx . dx), which sum to 1; norms are those of the parts.
    """
    shares, norms = [], []
    for i in range(len(found.model.h)):
        below = found.gradients["embed" if i == 0 else f"h.{i - 1}"][0]
        parts = [found.gradients[f"h.{i}"][0], found.through[f"h.{i}.mlp"][0], found.through[f"h.{i}.attn"][0]]
        whole = (below * below).sum(-1)
        shares.append([(part * below).sum(-1) / np.where(whole == 0, 1, whole) for part in parts])
        norms.append([np.linalg.norm(part, axis=-1) for part in parts])
    return {"shares": single(np.moveaxis(np.array(shares), 1, 2)), "norms": single(np.moveaxis(np.array(norms), 1, 2))}


def weights_part(model: GPT, layers: list[int]) -> list[dict[str, Any]]:
    """The norms of every parameter and its gradient; for the matrices of `layers` also a picture of the gradient."""
    rows = []
    for name, value, gradient in model.named_parameters():
        row: dict[str, Any] = {
            "name": name,
            "shape": list(value.shape),
            "norm": float(np.linalg.norm(value)),
            "gradient": float(np.linalg.norm(gradient)),
        }
        if name.startswith("h.") and int(name.split(".")[1]) in layers and value.ndim == 2:
            row["picture"] = Picture(root_mean_squares(gradient))
        rows.append(row)
    return rows


def root_mean_squares(matrix: np.ndarray) -> np.ndarray:
    """A matrix reduced to CELLS x CELLS cells or fewer: the root mean square of each."""
    edges = [np.arange(min(n, CELLS)) * n // min(n, CELLS) for n in matrix.shape]
    sizes = np.outer(*(np.diff(edge, append=n) for edge, n in zip(edges, matrix.shape, strict=True)))
    sums = np.add.reduceat(np.add.reduceat(matrix * matrix, edges[0], axis=0), edges[1], axis=1)
    return np.sqrt(sums / sizes)


def heads_part(subject: Subject, found: Trace) -> dict[str, Any]:
    """For every head of the chosen layers, (layers, H): how the loss changes without it, measured and estimated."""
    H = subject.model.config.n_head
    names = [[f"h.{i}.attn.{head}" for head in range(H)] for i in subject.layers]
    whole = trace(subject.model, subject.batch[0], None, ["embed"])
    whole.targets = subject.batch[1]
    loss = without_change(whole)
    without = losses_without(whole, [name for row in names for name in row])
    return {
        "layers": subject.layers,
        "change": single([[without[name] - loss for name in row] for row in names]),
        "estimate": single([[estimate(found, name) for name in row] for row in names]),
    }
