"""B texts of any lengths as one array, and checks of the arguments: what has passed them is not checked again."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numgpt.backend import check_memory
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.generation.rules import Rules
from numgpt.layers.inputs import check_integers
from numgpt.model import GPT

Ids = Sequence[Any] | NDArray[np.integer[Any]]  # (T,) or (B, T) ints, or B sequences of different lengths


class Batch:
    """B texts, which all grow by one token at a time.

    Texts of different lengths are padded on the left to the longest, so that their next tokens form one column.
    """

    def __init__(self, rows: Ids) -> None:
        lengths = np.array([len(row) for row in rows])
        self.size = max(lengths)
        self.padding = self.size - lengths  # (B,)
        self._room = np.zeros((len(rows), self.size), np.int64)
        for room, padding, row in zip(self._room, self.padding, rows, strict=True):
            room[padding:] = row

    @property
    def ids(self) -> NDArray[np.int64]:
        """(B, size) int64, padding included."""
        return self._room[:, : self.size]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B,), without the padding."""
        return self.size - self.padding

    @property
    def rows(self) -> list[NDArray[np.int64]]:
        """The ids of each text, without padding: B arrays."""
        return [ids[padding:] for ids, padding in zip(self.ids, self.padding, strict=True)]

    def append(self, tokens: ArrayLike) -> None:
        """Add one token to each text: (B,) ints."""
        if self.size == self._room.shape[1]:
            self._room = np.pad(self._room, ((0, 0), (0, self.size)))
        self._room[:, self.size] = tokens
        self.size += 1


def read_prompts(model: GPT, ids: Ids) -> Batch:
    """`ids`, (B, T) or B sequences of different lengths, as a Batch; raises InputError as `generate` does."""
    if not all(hasattr(model, name) for name in ("config", "check_ids", "next_logits")):
        raise InputError(f"model must be a GPT, not {quoted(model)}")
    check_batch(model.config, len(ids) if hasattr(ids, "__len__") else 0)
    if not is_ragged(ids):
        return Batch(model.check_ids(ids))
    rows = []
    for b, row in enumerate(ids):
        try:
            rows.append(model.check_ids([row])[0])
        except InputError as error:
            raise InputError(f"prompt {b} of {len(ids)}: {error}") from None
    return Batch(rows)


def check_batch(config: GPTConfig, B: int) -> None:
    """Raise InputError if not even one position of B texts, its keys, values and logits, fits into memory."""
    n_bytes = 4 * (2 * config.n_layer * config.n_embd + config.n_vocab)  # at least: float32
    check_memory(B * n_bytes, f"a batch of {B} texts")


def is_flat(ids: Ids) -> bool:
    """Whether `ids` is one sequence, not a batch of them."""
    return not is_ragged(ids) and np.ndim(ids) == 1


def is_ragged(ids: Ids) -> bool:
    """Whether `ids` is a list of sequences of different lengths, which NumPy cannot make into one array."""
    try:
        np.asarray(ids)
    except ValueError:
        return isinstance(ids, Sequence)
    except TypeError:  # an array on a GPU, which `check_ids` refuses
        return False
    return False


def check_rules(model: GPT, rules: Rules) -> None:
    """Raise InputError for an id among `rules` that is not in the model's vocabulary."""
    for name, ids in ("stop_ids", rules.stop_ids), ("logit_bias", rules.logit_bias):
        found = check_integers(list(cast("Iterable[int]", ids or ())), name, 0, model.config.n_vocab)
        if found.ndim != 1:
            raise InputError(f"{name} must be one id or several, but have shape {found.shape}")
