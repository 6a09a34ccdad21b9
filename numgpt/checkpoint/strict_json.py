"""JSON from files that somebody else made: one object, or one clear line that says why not."""

import json

from numgpt.errors import InputError

LONGEST_INTEGER = 20  # digits; a 64-bit number has 20, and thousands would keep int() busy for minutes


def parse_object(data, where):
    """The JSON object in `data` (bytes) as a dict; `where` names the file in errors.

    Raises InputError for anything but one object in UTF-8, and for what JSON readers disagree on: a field
    that occurs twice, NaN and Infinity, integers of more than 20 digits, thousands of nested brackets.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_int=_short_integer,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise InputError(f"{where}: not usable JSON: brackets nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{where}: not usable JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, {{...}}, but found a {type(value).__name__}")
    return value


def quoted(value):
    """`value`, which a file supplied, as a message can show it: one line, escaped, shortened."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _without_duplicates(pairs):
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the field {quoted(name)} occurs twice")
            seen.add(name)
    return fields


def _short_integer(digits):
    if len(digits) > LONGEST_INTEGER:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _refuse_constant(name):
    raise ValueError(f"{name} is not a JSON number")
