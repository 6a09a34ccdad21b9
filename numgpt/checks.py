"""What comes from outside, checked at the door: one rule for every number, and values that stay short in messages."""

import math
import os
import reprlib
from numbers import Integral, Real
from pathlib import Path

from numgpt.errors import InputError, shorten

LONGEST = 60  # characters of a value in a message
LARGEST = 2**63 - 1  # what an array can count to

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = _brief.maxlong = LONGEST


def shown(value: object) -> str:
    """`value` as a message can show it: one line of at most LONGEST characters, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a whole number of {value.bit_length()} bits"
    try:
        return shorten(_brief.repr(value), LONGEST)
    except Exception:  # there are objects that cannot be printed
        return shorten(f"a {type(value).__name__}", LONGEST)


def check_number(
    value: object,
    name: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
    whole: bool = False,
    note: str = "",
) -> float:
    """`value` as a float, or as an int where it has to be `whole`; True and False are no numbers here.

    Raises InputError, which says that `name` must be a number with low <= value <= high and above < value < below, and
    what `note` adds, unless it is a finite one.
    """
    number = as_int(value) if whole else as_float(value)
    if (
        number is None
        or (low is not None and number < low)
        or (above is not None and number <= above)
        or (high is not None and number > high)
        or (below is not None and number >= below)
    ):
        limits = [
            *([f"of at least {low}"] if low is not None else []),
            *([f"above {above}"] if above is not None else []),
            *([f"at most {high}"] if high is not None else []),
            *([f"below {below}"] if below is not None else []),
        ]
        words = ["a whole number" if whole else "a number", " and ".join(limits), note and f"({note})"]
        raise InputError(f"{name} must be {' '.join(filter(None, words))}, not {shown(value)}")
    return number


def as_int(value: object) -> int | None:
    """`value` as an int; None where it is no whole number."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def as_float(value: object) -> float | None:
    """`value` as a float; None where it is no finite number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def check_seed(seed: object) -> int | None:
    """`seed`, None or a whole number of at least 0 and of any size. Raises InputError for anything else."""
    return None if seed is None else int(check_number(seed, "seed", low=0, whole=True))


def check_path(path: object, name: str) -> Path:
    """`path`, a str or a Path, as a Path. Raises InputError for what cannot be the name of a file or folder."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise InputError(f"{name} must be a text or a Path, not {shown(path)}")
    try:
        unusable = b"\0" in os.fsencode(text)
    except UnicodeEncodeError:
        unusable = True
    if unusable:
        raise InputError(f"{name} {shown(text)} has a character that no file's name can have")
    return Path(text)
