"""Files of one JSON object per line; every error names the line."""

from numgpt.errors import InputError
from numgpt.files import parse_json, quoted


def json_lines(text, name):
    """(where, object) of every line of `text` that is not blank; `where` begins a message about it.

    Raises InputError for a line that is not a JSON object.
    """
    for number, line in numbered_lines(text):
        yield f"{name}, line {number}", parse_json(line.encode("utf-8"), name, number)


def numbered_lines(text):
    """(number, line) of every line that is not blank. Only a line feed ends one: JSON strings may hold others."""
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def text_field(row, key, where):
    """The text row[key]. Raises InputError if there is none."""
    value = row.get(key)
    if not isinstance(value, str):
        raise InputError(f"{where}: {quoted(key)} must be a string, not {quoted(value)}: correct it, or fetch it again")
    return value
