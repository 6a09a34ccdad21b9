"""What `trace` returns, and what can be read off it."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from numgpt.backend import to_host
from numgpt.errors import InputError
from numgpt.files import atomic_write
from numgpt.layers.base import Array, inferring
from numgpt.model import GPT

ROWS = 64  # positions whose logits are in memory at once


class Lens(NamedTuple):
    """What a model would predict if it ended at each of several places of the residual stream.

    names: of the L + 1 places, "embed", "h.0", ... tokens, (L+1, B, T, top): the likeliest ids, likeliest first;
    probabilities, of the same shape: theirs. entropy, (L+1, B, T), in nats. rank, (L+1, B, T): how many ids are
    likelier than the target; target_probability, of the same shape; both None without targets.
    """

    names: list[str]
    tokens: np.ndarray
    probabilities: np.ndarray
    entropy: np.ndarray
    rank: np.ndarray | None
    target_probability: np.ndarray | None


class Trace:
    """Values and gradients by name, on the host; `numgpt.tracing.walk` says what each name means.

    values[name]; gradients[name], dLoss/dvalue of the mean loss; through["h.i.attn"] and ["h.i.mlp"], (B, T, C), the
    part of the stream's gradient below a branch that came through it; the rest came past it. loss: in nats; None
    without targets.
    """

    def __init__(self, model: GPT, ids: np.ndarray) -> None:
        self.model, self.ids = model, ids
        self.targets: np.ndarray | None = None
        self.loss: float | None = None
        self.values: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}
        self.through: dict[str, np.ndarray] = {}
        self.stream: list[Array] = []  # embed, h.0, h.1, ..., for the lens

    @property
    def nll(self) -> np.ndarray:
        """-log p of each target, (B, T), in nats; nan where a target does not count."""
        if self.targets is None:
            raise InputError("nll: there are no targets; pass some to trace()")
        nll = np.full(self.targets.shape, np.nan)
        for rows, log_p in self._log_probabilities(self.stream[-1]):
            target = self.targets.reshape(-1)[rows]
            found = -np.take_along_axis(log_p, np.maximum(target, 0)[:, None], -1)[:, 0]
            nll.reshape(-1)[rows] = np.where(target < 0, np.nan, found)
        return nll

    def lens(self, top: int = 10) -> Lens:
        """The `Lens`: ln_f and the output head on the stream after every block (nostalgebraist 2020, "logit lens")."""
        if not isinstance(top, int) or isinstance(top, bool) or not 1 <= top <= self.model.config.n_vocab:
            raise InputError(f"top must be a whole number from 1 to {self.model.config.n_vocab}, not {top!r}")
        shape = (len(self.stream), *self.ids.shape)
        tokens, probabilities = np.empty((*shape, top), np.int64), np.empty((*shape, top))
        entropy, target_probability = np.empty(shape), np.empty(shape)
        rank = np.empty(shape, np.int64)
        targets = np.zeros_like(self.ids) if self.targets is None else np.maximum(self.targets, 0)
        for i, x in enumerate(self.stream):
            for rows, log_p in self._log_probabilities(x):
                order = largest(log_p, top)
                of_target = np.take_along_axis(log_p, targets.reshape(-1)[rows, None], -1)
                p = np.exp(log_p)
                tokens[i].reshape(-1, top)[rows] = order
                probabilities[i].reshape(-1, top)[rows] = np.take_along_axis(p, order, -1)
                entropy[i].reshape(-1)[rows] = -(p * log_p).sum(-1)
                rank[i].reshape(-1)[rows] = (log_p > of_target).sum(-1)
                target_probability[i].reshape(-1)[rows] = np.exp(of_target[:, 0])
        names = ["embed", *(f"h.{i}" for i in range(len(self.model.h)))]
        known = self.targets is not None
        return Lens(
            names, tokens, probabilities, entropy, rank if known else None, target_probability if known else None
        )

    def attribution(self) -> tuple[np.ndarray, np.ndarray]:
        """For each token: its embedding times the gradient there, and the norm of that gradient, (B, T) each.

        The first is, to first order, how much the loss would fall if the token's embedding were zero.
        """
        value, gradient = self._named(self.values, "embed"), self._named(self.gradients, "embed")
        return (value * gradient).sum(-1), np.sqrt((gradient * gradient).sum(-1))

    def heads(self, block: int) -> np.ndarray:
        """What each head of a block writes into the stream, (B, H, T, C); their sum plus c_proj.bias is `h.i.attn`."""
        o = self._named(self.values, f"h.{block}.attn.o")
        weight = to_host(self.model.h[block].attn.c_proj.weight)
        return o @ weight.reshape(1, o.shape[1], o.shape[3], -1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz of ids, targets, loss, nll, "value/NAME", "gradient/NAME", "through/NAME". Raises OSError."""
        arrays: dict[str, Any] = {"ids": self.ids}
        if self.targets is not None:
            arrays |= {"targets": self.targets, "loss": np.array(self.loss), "nll": self.nll}
        for kind, found in ("value", self.values), ("gradient", self.gradients), ("through", self.through):
            arrays |= {f"{kind}/{name}": array for name, array in found.items()}
        with atomic_write(path) as file:
            np.savez(file, **arrays)

    def __repr__(self) -> str:
        loss = "no targets" if self.loss is None else f"loss {self.loss:.4f}"
        return f"Trace of {self.ids.shape} ids, {loss}: {len(self.values)} values, {len(self.gradients)} gradients"

    def _repr_html_(self) -> str:
        """The trace as a notebook shows it."""
        from numgpt.explain.notebook import notebook

        return notebook(self)

    def _log_probabilities(self, x: Array) -> Iterator[tuple[slice, np.ndarray]]:
        """(slice of rows, log softmax of their logits, float64 on the host) for the stream x, some rows at a time."""
        rows = x.reshape(-1, x.shape[-1])
        for start in range(0, len(rows), ROWS):
            here = slice(start, min(start + ROWS, len(rows)))
            with inferring():
                logits = self.model.head.forward(self.model.ln_f.forward(rows[here]))
            z = to_host(logits).astype(np.float64)
            z -= z.max(-1, keepdims=True)
            yield here, z - np.log(np.exp(z).sum(-1, keepdims=True))

    def _named(self, found: dict[str, np.ndarray], name: str) -> np.ndarray:
        if name not in found:
            what = "gradient" if found is self.gradients else "value"
            raise InputError(f"the trace has no {what} {name!r}: name it in names= (and give targets for gradients)")
        return found[name]


def largest(rows: np.ndarray, n: int) -> np.ndarray:
    """The indices of the n largest of each row of (N, V), largest first; among equals the leftmost first."""
    found = np.empty((len(rows), n), np.int64)
    for row, places in zip(rows, found, strict=True):
        candidates = np.flatnonzero(row >= np.partition(row, len(row) - n)[len(row) - n])
        places[...] = candidates[np.argsort(-row[candidates], kind="stable")[:n]]
    return found
