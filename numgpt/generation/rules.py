"""How the next token is to be chosen: the settings, checked."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from numgpt.errors import InputError


@dataclass(frozen=True)
class Rules:
    """The settings of `numgpt.generation.sampling.choose`; a rule that is None is off.

    temperature: what logits are divided by, at least 0; 0 is greedy. top_k: how many tokens stay, at least 0; 0 is off.
    top_p: the probability that the tokens that stay have together, in (0, 1]. min_p: the share of the
    likeliest token's probability that a token needs to stay, in [0, 1]. repetition_penalty: above 1 makes tokens that
    the text already has less likely, below 1 more; above 0.

    Raises InputError for a value outside its range or that is not a number.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None

    def __post_init__(self):
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


def is_number(value):
    """Whether `value` is a finite real number; True and False are not numbers here."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(value, name, meaning_of_0):
    """Raise InputError unless `value` is a whole number of at least 0."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise InputError(f"{name} must be a whole number of at least 0 ({meaning_of_0}), not {value!r}")
