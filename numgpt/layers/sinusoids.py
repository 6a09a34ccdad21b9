"""A token's embedding plus its place, as in the first Transformer (Vaswani et al. 2017, sections 3.4 and 3.5).

Places are not learnt: channels 2i and 2i + 1 of position t are the sine and cosine of an angle, with wavelengths from
2 pi to 10000 2 pi. A step of a given length turns each pair by an angle that does not depend on t, so that "three to
the left" is the same linear map everywhere, even beyond the longest training text.

    place[t, 2i] = sin(t / 10000^(2i/C))           place[t, 2i+1] = cos(t / 10000^(2i/C))
    y            = dropout( weight[ids] sqrt(C) + place )

ids is (B, T), weight (V, C), y (B, T, C). The same table serves both texts of a translation and the output head, which
needs rows of about length one; here sqrt(C) gives them the size of a place. Backward: places are constants.

    dweight[i] += sum over the places where ids = i of dropout(dy) sqrt(C)
"""

import math

import numpy as np

from numgpt.layers.base import Array, Layer
from numgpt.layers.dropout import Dropout
from numgpt.layers.embedding import Embedding, check_table, embedding, embedding_backward
from numgpt.layers.inputs import check_integers


def sinusoids(positions, C):
    """place, (T, C) float64, for positions (T,)."""
    channels = np.arange(C)
    angles = positions[:, None] / 10000 ** (channels // 2 * 2 / C)
    return np.where(channels % 2 == 0, np.sin(angles), np.cos(angles))


class PlacedEmbedding(Layer):
    """Embeddings plus places, (B, T) ids -> (B, T, C); its only parameters are those of `table`, perhaps shared."""

    def __init__(self, table: Embedding, p_drop: float = 0.0, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.table = check_table(table)
        self.drop = Dropout(p_drop, rng)

    def forward(self, ids: Array, first: int = 0) -> Array:
        """y, for ids at positions first, first + 1, ... Raises InputError as `Embedding` does."""
        weight = self.table.weight
        V, C = weight.shape
        ids = np.asarray(check_integers(ids, "ids", 0, V), like=weight)
        place = np.asarray(sinusoids(np.arange(first, first + ids.shape[1]), C).astype(weight.dtype), like=weight)
        self.keep(ids)
        return self.drop.forward(embedding(weight, ids) * math.sqrt(C) + place)

    def backward(self, dy: Array) -> None:
        """Adds to the table's gradient."""
        scaled = self.drop.backward(dy) * math.sqrt(dy.shape[-1])
        embedding_backward(scaled, self.take(), self.table.dweight)
