"""What happens inside a Transformer while it reads one text and writes another, forward and backward.

The definitions run; each attention keeps its p for backward anyway, so it is read there, not computed again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from numgpt.errors import InputError
from numgpt.kernels import use_kernels
from numgpt.layers.base import Layer, inferring
from numgpt.layers.loss import IGNORE
from numgpt.model.transformer import BEGIN, END, Transformer

Array = np.ndarray


class TranslationTrace(NamedTuple):
    """S tokens are read, T are written, the last being the end mark; L blocks of H heads; float64.

    reading (L, H, S, S), writing (L, H, T, T) and crossing (L, H, T, S): the probabilities p of the encoder's, the
    decoder's own and the cross-attention; row t is that of the position that writes token t. logp (T, V): log p of
    every id there. nll (T,): -log p of each written token, in nats. loss: their mean. dmemory (L, S): the norm of the
    gradient of `loss` that each block of the decoder sends to each position of the memory, through dk and dv. needs (T,
    S) and follows (T, T): the gradient of log p of the written token t times the vector of each token that is read, or
    was written before: to first order, what that vector contributes to log p.
    """

    source: list[int]
    written: list[int]
    reading: Array
    writing: Array
    crossing: Array
    logp: Array
    nll: Array
    loss: Array  # ()
    dmemory: Array
    needs: Array
    follows: Array


def trace_translation(model: Transformer, source: Sequence[int], written: Sequence[int]) -> TranslationTrace:
    """The trace of a source and its translation, ids without marks, on the CPU, in the model's own precision.

    The model's gradients are overwritten, and it is left in eval mode. Raises InputError for an empty source, as
    `Transformer.forward` does, and for a model on a GPU.
    """
    if model.device != "cpu":
        raise InputError("a translation is traced on the CPU: load the model without a device")
    model.eval()
    src, tgt = np.array([source]), np.array([[BEGIN, *written, END]])
    with use_kernels("plain"), watched(model) as seen:
        model.zero_grad()
        loss = model.loss(src, tgt, label_smoothing=0.0)
        reading = np.stack([block.attn.kept.p[0] for block in model.encoder])
        writing = np.stack([block.attn.kept.p[0] for block in model.decoder])
        crossing = np.stack([block.cross.kept.p[0] for block in model.decoder])
        logp = model.criterion.kept.surprise.log_p
        model.backward()
        dmemory = np.stack([np.linalg.norm(part[0], axis=-1) for part in seen["memory"][::-1]])
        needs, follows = zip(*(parts_of(model, seen, src, tgt, t) for t in range(len(written) + 1)), strict=True)
    nll = -logp[np.arange(len(written) + 1), tgt[0, 1:]]
    values = reading, writing, crossing, logp, nll, loss, dmemory, np.stack(needs), np.stack(follows)
    return TranslationTrace([*source], [*written, END], *(np.asarray(value, np.float64) for value in values))


def parts_of(model: Transformer, seen: dict[str, Any], src: Array, tgt: Array, t: int) -> tuple[Array, Array]:
    """What each token's vector contributes to log p of the token written at t, (S,) and (T,): gradient times vector."""
    targets = np.full_like(tgt[:, 1:], IGNORE)
    targets[0, t] = tgt[0, t + 1]
    model.zero_grad()
    model.criterion.forward(model.states(src, tgt[:, :-1]), targets, 0.0)
    model.backward()
    with inferring():
        vectors = model.read.forward(src)[0], model.write.forward(tgt[:, :-1])[0]
    gradients = seen["read"][0], seen["write"][0]
    needed, followed = (-(x * g).sum(-1) for x, g in zip(vectors, gradients, strict=True))
    return needed, followed


@contextmanager
def watched(model: Transformer) -> Iterator[dict[str, Any]]:
    """A context with a dict of the gradients that arrive at both texts and, block by block, at the memory."""
    seen: dict[str, Any] = {"memory": []}
    changed: list[Layer] = [model.read, model.write, *(block.cross for block in model.decoder)]

    def arriving(name: str, backward: Any) -> Any:
        def watching(dy: Array) -> None:
            seen[name] = dy
            backward(dy)

        return watching

    def leaving(backward: Any) -> Any:
        def watching(dy: Array) -> Any:
            dx, dmemory = backward(dy)
            seen["memory"].append(dmemory)
            return dx, dmemory

        return watching

    vars(model.read)["backward"] = arriving("read", model.read.backward)
    vars(model.write)["backward"] = arriving("write", model.write.backward)
    for block in model.decoder:
        vars(block.cross)["backward"] = leaving(block.cross.backward)
    try:
        yield seen
    finally:
        for layer in changed:
            del vars(layer)["backward"]
