"""The settings for choosing the next token, checked."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import LARGEST_SEED, check_number


@dataclass(frozen=True)
class Rules:
    """The keywords of `numgpt.generate`, which says what they mean.

    Raises InputError for a value that is not a number or is outside its range. Ids are checked against the vocabulary
    where it is known, by `numgpt.generation.batch.check_rules`.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop_ids: int | Iterable[int] | None = None
    logit_bias: Mapping[int, float] | None = None
    no_repeat_ngram_size: int | None = None
    min_new_tokens: int | None = None

    def __post_init__(self) -> None:
        self._check("temperature", low=0, note="0 is greedy")
        self._check("top_k", low=0, whole=True, note="0 switches it off")
        self._check("top_p", above=0, high=1, note="1 keeps every token")
        self._check("min_p", low=0, high=1, note="0 keeps every token")
        self._check("repetition_penalty", above=0, note="1 changes nothing")
        self._check("no_repeat_ngram_size", low=0, whole=True, note="0 switches it off")
        self._check("min_new_tokens", low=0, whole=True, note="0 lets a text end at once")
        self._check("seed", low=0, below=LARGEST_SEED, whole=True, note="without one the text is random")
        if self.stop_ids is not None:
            self._set("stop_ids", as_tuple(self.stop_ids))
        if self.logit_bias is not None:
            self._set("logit_bias", read_bias(self.logit_bias))

    def _check(self, name: str, **limits: Any) -> None:
        """Replace the value by a plain Python number, unless it is None and may be."""
        value = getattr(self, name)
        if value is not None or name == "temperature":
            self._set(name, check_number(value, name, **limits))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def stops(self) -> NDArray[np.int64]:
        """`stop_ids` as an array, (n,)."""
        return np.array(self.stop_ids or (), np.int64)

    def adjust_scores(self, n_new: int) -> bool:
        """Whether a rule that comes before the temperature changes the scores of a text with `n_new` new tokens."""
        others = self.logit_bias or self.repetition_penalty is not None or self.no_repeat_ngram_size
        return bool(others) or n_new < (self.min_new_tokens or 0)

    def generators(self, B: int, first: int = 0) -> list[np.random.Generator]:
        """One random number generator per row, fixed by `seed` and the row's number alone, counted from `first`."""
        seed = secrets.randbits(128) if self.seed is None else self.seed
        return [np.random.default_rng([seed, b]) for b in range(first, first + B)]


NAMES = [field.name for field in fields(Rules)]


def make_rules(keywords: dict[str, Any]) -> Rules:
    """Rules(**keywords). Raises TypeError, listing the rules, for a keyword that is not one of them."""
    for name in keywords:
        if name not in NAMES:
            raise TypeError(f"{name!r} is not a rule of generation; the rules are {', '.join(NAMES)}")
    return Rules(**keywords)


def as_tuple(several: Any) -> tuple[Any, ...]:
    """One thing or several, as a tuple, which can be read more than once."""
    try:
        return tuple(several)
    except (TypeError, NotImplementedError):
        return (several,)


def read_bias(bias: object) -> dict[int, float]:
    """`bias`, {id: what is added to its logit}, with plain numbers. Raises InputError for anything else."""
    if not isinstance(bias, Mapping):
        raise InputError(f"logit_bias must be a dict, {{id: number}}, not {quoted(bias)}")
    return {
        int(check_number(i, "an id in logit_bias", low=0, whole=True)): check_number(x, f"logit_bias[{quoted(i)}]")
        for i, x in bias.items()
    }
