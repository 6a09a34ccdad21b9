"""JSON that somebody else wrote: one object, or one clear line that says why not."""

import json

from numgpt.errors import InputError


def read_text(path):
    """The text of a UTF-8 file. Raises InputError naming the line that is none, OSError as the disk does."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text: fetch the file again") from None


def read_object(path):
    """The JSON object of a file, as a dict. Raises InputError naming the line where it is none."""
    try:
        found = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}): fetch the file again"
        ) from None
    except RecursionError:
        raise InputError(f"{path}: brackets nested too deeply for a vocabulary") from None
    except InputError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, {{...}}, but found a {type(found).__name__}")
    return found


def read_vocabulary(vocabulary, path):
    """The tokens of a {token: id} by their ids, a list of str. Raises InputError unless the ids are 0 to n - 1."""
    if not isinstance(vocabulary, dict) or not vocabulary:
        raise InputError(f"{path}: the vocabulary must be an object of tokens and their ids, with at least one")
    by_id = {}
    for token, i in vocabulary.items():
        if type(i) is not int or not 0 <= i < len(vocabulary):
            raise InputError(
                f"{path}: token {token!r} has the id {i!r:.40}, not a number from 0 to {len(vocabulary) - 1}"
            )
        if by_id.setdefault(i, token) is not token:
            raise InputError(f"{path}: tokens {by_id[i]!r} and {token!r} have the same id {i}")
    return [by_id[i] for i in range(len(by_id))]
