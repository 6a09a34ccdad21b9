"""A run's records in a file, one per line, so that an interrupted run resumes where it stopped.

    {"task": "lambada-lm-eval", "model_sha256": ...}    what the records were made from, and how
    {"unit": 0, "nats": -17.4, ...}
    {"unit": 1, ...}
    {"figures": {...}}                                  once all are there

A process that is killed leaves the beginning of this, its last line perhaps cut off. Numbers are written to the last
bit, and a resumed run reads units in the same batches, so the result is the same however often a run is interrupted.
"""

import json
import os
from contextlib import contextmanager

from numgpt.checkpoint.lock import exclusive
from numgpt.errors import InputError
from numgpt.files import check_path, naming, parse_json, quoted


@contextmanager
def open_journal(path, head):
    """A context with the Journal at `path`, which is created if missing; in memory only if `path` is None.

    head: what the records are made from, a dict for JSON. Raises InputError if the file has another head, or is
    something else, and if another process is writing to it; OSError if reading or writing fails.
    """
    if path is None:
        yield Journal(None, [])
        return
    path = check_path(path, "the file for the results")
    busy = f"{path} is being written by another run: wait for it to end"
    mode = "r+b" if path.exists() else "x+b"
    with naming(path), exclusive(f"{path}.lock", busy, wait=False), open(path, mode) as file:
        records = read(file, path, line_of(head))
        yield Journal(file, records)


class Journal:
    """The records so far, and the file that holds them; None for no file."""

    def __init__(self, file, records):
        self.file, self.records = file, records

    def append(self, records):
        """Add records and flush them to disk."""
        for record in records:
            self.write({"unit": len(self.records), **record})
            self.records.append(record)
        self.flush()

    def finish(self, figures):
        """Add the last line, the figures."""
        self.write({"figures": figures})
        self.flush()

    def write(self, fields):
        if self.file is not None:
            self.file.write(line_of(fields))

    def flush(self):
        if self.file is not None:
            self.file.flush()
            os.fsync(self.file.fileno())


def line_of(fields):
    """A line of the file, bytes."""
    return json.dumps(fields, allow_nan=False).encode("ascii") + b"\n"


def read(file, path, head):
    """The records in an open file, which is left at their end.

    Anything after them, a line cut off or the figures, is removed; a file without a complete line gets the head.
    """
    data = file.read()
    whole, end, _ = data.rpartition(b"\n")
    first, *lines = whole.split(b"\n")
    if not end:
        if not head.startswith(data):
            raise InputError(f"{path} exists, but was not written by `numgpt evaluate`: name another file")
        file.seek(0)
        file.truncate()
        file.write(head)
        return []
    check_head(first + b"\n", head, path)
    records = []
    for number, line in enumerate(lines, 2):
        record = parse_json(line, path, number)
        if "figures" in record and number == len(lines) + 1:
            break
        if record.pop("unit", None) != len(records):
            raise InputError(
                f"{path}, line {number}: expected the record of unit {len(records)}: remove the file and start again"
            )
        records.append(record)
    file.seek(len(head) + sum(len(line) + 1 for line in lines[: len(records)]))
    file.truncate()
    return records


def check_head(found, head, path):
    """Raise InputError, saying what differs, unless the first line of the file is the head."""
    if found == head:
        return
    theirs, mine = parse_json(found, path, 1), json.loads(head)
    if "task" not in theirs:
        raise InputError(f"{path} exists, but was not written by `numgpt evaluate`: name another file")
    key = next((key for key in mine if theirs.get(key) != mine[key]), "version")
    what = {"model_sha256": "another model", "file_sha256": "another text"}.get(key)
    what = what or f"a run whose {key} is {quoted(theirs.get(key))}, where this one's is {quoted(mine.get(key))}"
    raise InputError(f"{path} has the records of {what}: name another file, or remove it")
