"""The keys and values of the positions read so far, kept so that the next token need not compute them again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from numgpt.layers.base import Array

if TYPE_CHECKING:
    from numgpt.model.gpt import GPT


class LayerCache:
    """The keys and values of one attention layer, (B, H, room, D), of which the first `length` positions are filled.

    When the room runs out, the arrays grow to twice the new length, at most n_ctx: allocating n_ctx positions up front
    would delay the first token.
    """

    def __init__(self, keys: Array, values: Array, n_ctx: int, start: Array | None) -> None:
        self.keys, self.values, self.n_ctx, self.start = keys, values, n_ctx, start
        self.length = 0

    def extend(self, k: Array, v: Array) -> tuple[Array, Array, Array | None]:
        """Append k, v, (B, H, T, D); return all keys and values so far, (B, H, S, D), and each row's start."""
        old, self.length = self.length, self.length + k.shape[2]
        if self.length > self.keys.shape[2]:
            room = min(2 * self.length, self.n_ctx)
            self.keys, self.values = (moved(memory, old, room) for memory in (self.keys, self.values))
        self.keys[:, :, old : self.length] = k
        self.values[:, :, old : self.length] = v
        return self.keys[:, :, : self.length], self.values[:, :, : self.length], self.start


def moved(memory: Array, length: int, room: int) -> Array:
    """A copy of `memory`, (B, H, any, D), with room for `room` positions, of which the first `length` are filled."""
    B, H, _, D = memory.shape
    larger = np.empty_like(memory, shape=(B, H, room, D))
    larger[:, :, :length] = memory[:, :, :length]
    return larger


class KVCache:
    """One LayerCache for every block of `model`, for B = `batch` sequences.

    lengths: the number of ids in each of B prompts that were padded on the left to the longest; without it, all rows
    begin at position 0. Positions are counted from the beginning of each row, so a prompt gets the same answer in a
    batch as alone.
    """

    def __init__(self, model: "GPT", batch: int, lengths: Sequence[int] | np.ndarray | None = None) -> None:
        config = model.config
        self.batch = batch
        nothing = np.empty_like(model.values, shape=(batch, config.n_head, 0, config.n_embd // config.n_head))
        self.start = None
        if lengths is not None and min(lengths) != max(lengths):
            self.start = max(lengths) - np.asarray(lengths)
        start = None if self.start is None else np.asarray(self.start, like=nothing)
        self.layers = [LayerCache(nothing, nothing, config.n_ctx, start) for _ in range(config.n_layer)]

    def fits(self, model: "GPT") -> bool:
        """Whether the cache has the sizes, the dtype and the device of `model`."""
        config, keys = model.config, self.layers[0].keys
        sizes = (config.n_layer, config.n_head, config.n_embd // config.n_head, config.n_ctx)
        mine = (len(self.layers), keys.shape[1], keys.shape[3], self.layers[0].n_ctx)
        return mine == sizes and keys.dtype == model.values.dtype and type(keys) is type(model.values)

    @property
    def length(self) -> int:
        """How many positions are filled, padding included."""
        return self.layers[0].length

    def positions(self, T: int) -> np.ndarray:
        """The positions of the next T ids: (T,), or (B, T) where rows begin at different places; 0 for padding."""
        columns = np.arange(self.length, self.length + T)
        return columns if self.start is None else np.maximum(columns - self.start[:, None], 0)
