"""How the next token is to be chosen: the settings, checked."""

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

import numpy as np

from numgpt.errors import InputError


@dataclass(frozen=True)
class Rules:
    """The keywords of `numgpt.generate`, which says what they mean.

    Raises InputError for a value outside its range or that is not a number. `stop_ids` are checked where the vocabulary
    is known, by `numgpt.generation.batch.read_stop_ids`.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop_ids: int | Iterable[int] | None = None

    def __post_init__(self) -> None:
        if not is_number(self.temperature) or self.temperature < 0:
            raise InputError(f"temperature must be a number of at least 0 (0 is greedy), not {self.temperature!r}")
        if self.top_k is not None:
            check_whole(self.top_k, "top_k", "0 switches it off")
        if self.top_p is not None and not (is_number(self.top_p) and 0 < self.top_p <= 1):
            raise InputError(f"top_p must be above 0 and at most 1 (1 keeps every token), not {self.top_p!r}")
        if self.min_p is not None and not (is_number(self.min_p) and 0 <= self.min_p <= 1):
            raise InputError(f"min_p must be from 0 to 1 (0 keeps every token), not {self.min_p!r}")
        if self.repetition_penalty is not None and not (
            is_number(self.repetition_penalty) and self.repetition_penalty > 0
        ):
            raise InputError(
                f"repetition_penalty must be a number above 0 (1 changes nothing), not {self.repetition_penalty!r}"
            )
        if self.seed is not None:
            check_whole(self.seed, "seed", "without one the text is random")

    def generators(self, B: int) -> list[np.random.Generator]:
        """One random number generator a row, which only `seed` and the row's place decide."""
        seed = secrets.randbits(128) if self.seed is None else self.seed
        return [np.random.default_rng([seed, b]) for b in range(B)]


NAMES = [field.name for field in fields(Rules)]


def make_rules(keywords: dict[str, Any]) -> Rules:
    """Rules(**keywords). Raises TypeError for a keyword that is none of theirs, and says which there are."""
    for name in keywords:
        if name not in NAMES:
            raise TypeError(f"{name!r} is not a rule of generation; there are {', '.join(NAMES)}")
    return Rules(**keywords)


def is_number(value: object) -> bool:
    """Whether `value` is a finite real number; True and False are not numbers here."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(value: object, name: str, meaning_of_0: str) -> None:
    """Raise InputError unless `value` is a whole number of at least 0."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise InputError(f"{name} must be a whole number of at least 0 ({meaning_of_0}), not {value!r}")
