"""The one check for all numbers that come from outside: arguments, options, fields of files."""

import math
import operator
from numbers import Integral, Real

from numgpt.errors import InputError
from numgpt.files import quoted

LARGEST = 1 << 63  # all whole numbers are below it if no upper limit is given: NumPy's integers end there
LARGEST_SEED = 1 << 128  # all seeds are below it


def check_number(value, name, whole=False, low=None, above=None, high=None, below=None, note=""):
    """`value`, called `name` in errors: an int or a finite float, low <= value <= high, above < value < below.

    NumPy's numbers become Python's. whole=True: an int, below 2^63 if no upper limit is given. note: what the message
    adds about the limits. Raises InputError for anything else, including True and False; the message shortens a long
    value.
    """
    number = _plain(value, whole)
    note = f" ({note})" if note else ""
    if number is None:
        raise InputError(f"{name} must be a {'whole ' if whole else ''}number{note}, not {quoted(value)}")
    if whole and below is None and high is None and number >= LARGEST:
        raise InputError(f"{name} must be below 2^63, not {quoted(value)}")
    if (
        (low is not None and number < low)
        or (above is not None and number <= above)
        or (high is not None and number > high)
        or (below is not None and number >= below)
    ):
        limits = ("at least", low), ("above", above), ("at most", high), ("below", below)
        parts = [f"{word} {limit}" for word, limit in limits if limit is not None]
        raise InputError(f"{name} must be {' and '.join(parts)}{note}, not {quoted(value)}")
    return number


def check_size(value, name):
    """`value`, a whole number of at least 1, as an int. Raises InputError for anything else."""
    return check_number(value, name, whole=True, low=1)


def check_heads(width, heads, width_name="n_embd", heads_name="n_head"):
    """Raise InputError unless `heads` divides `width`, two sizes that the message calls by the names given."""
    if width % heads:
        raise InputError(
            f"{width_name} ({quoted(width)}) must be divisible by {heads_name} ({quoted(heads)}): "
            "every head gets an equal share"
        )


def check_seed(seed):
    """`seed`, None or a whole number of at least 0, below 2^128. Raises InputError for anything else."""
    return None if seed is None else check_number(seed, "seed", whole=True, low=0, below=LARGEST_SEED)


def _plain(value, whole):
    """`value` as a finite Python number, an int if `whole`; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        return None
    try:
        number = operator.index(value) if isinstance(value, Integral) else float(value)
    except (TypeError, OverflowError):  # a span of time, which NumPy calls an integer; a fraction beyond all floats
        return None
    if isinstance(number, int):
        return number if whole or number.bit_length() < 1024 else None  # beyond that, an int is beyond all floats
    return number if math.isfinite(number) else None
