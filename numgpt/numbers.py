"""The one check of every number that comes from outside: an argument, an option, a field of a file."""

import math

from numgpt.errors import InputError
from numgpt.files import quoted

LARGEST = 1 << 63  # what no whole number reaches, where nothing smaller is asked: NumPy's integers end there


def check_number(value, name, whole=False, low=None, above=None, below=None):
    """`value`, which a message calls `name`: an int or a float, finite, low <= value, above < value < below.

    whole=True: an int, and below 2^63 where `below` says nothing. Raises InputError for anything else, True and False
    among it; the message does not repeat a long value at length.
    """
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not _finite(value, whole):
        raise InputError(f"{name} must be a {'whole ' if whole else ''}number, not {quoted(value)}")
    if whole and below is None and value >= LARGEST:
        raise InputError(f"{name} must be below 2^63, not {quoted(value)}")
    if (low is not None and value < low) or (above is not None and value <= above) or (below and value >= below):
        limits = ("at least", low), ("above", above), ("below", below)
        parts = [f"{word} {limit}" for word, limit in limits if limit is not None]
        raise InputError(f"{name} must be {' and '.join(parts)}, not {quoted(value)}")
    return value


def _finite(value, whole):
    try:
        return whole or math.isfinite(value)
    except OverflowError:  # an int beyond all floats
        return False
