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
    text = read_text(path)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}, {place}: not JSON ({error.msg}): fetch the file again") from None
    except (RecursionError, ValueError) as error:  # brackets nested by the thousand, a number as long
        raise InputError(f"{path}: not usable JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, {{...}}, but found a {type(found).__name__}")
    return found


def tokens_by_id(vocabulary, path):
    """The tokens of a {token: id} in the order of their ids. Raises InputError unless the ids are 0 to n - 1."""
    ids, last = list(vocabulary.values()), len(vocabulary) - 1
    wrong = next((i for i in ids if type(i) is not int or not 0 <= i <= last), None)
    if wrong is not None or None in ids:
        token = next(token for token, i in vocabulary.items() if i is wrong)
        raise InputError(
            f"{path}: the id of {token!r:.60} is {wrong!r:.40}; {last + 1} tokens have the ids 0 to {last}"
        )
    by_id = dict(zip(ids, vocabulary, strict=True))
    if len(by_id) < len(ids):
        token = next(token for token, i in vocabulary.items() if by_id[i] != token)
        raise InputError(
            f"{path}: {token!r:.60} and {by_id[vocabulary[token]]!r:.60} have the same id {vocabulary[token]}"
        )
    return [by_id[i] for i in range(len(by_id))]
