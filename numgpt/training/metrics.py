"""The log of a run, metrics.jsonl: one JSON object per step, each on its own line."""

import json
import os
from contextlib import suppress

from numgpt.errors import InputError
from numgpt.files import atomic_write, naming, parse_json
from numgpt.numbers import check_number

NAME = "metrics.jsonl"


class Metrics:
    """Appends records to the log in the folder `run`; an existing log is first cut back to `step`.

    Thus a run continued from the checkpoint of `step` has no step twice. Raises OSError if reading or writing fails.
    """

    def __init__(self, run, step):
        self.path = path = run / NAME
        if path.exists():
            kept = [record for record in read(run) if record["step"] <= step]
            with atomic_write(path, "w") as file:
                file.writelines(_line(record) for record in kept)
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with naming(self.path):
            self.file.close()

    def append(self, record):
        """Add a record (name -> number, "step" among them); it is in the file at once."""
        with naming(self.path):
            self.file.write(_line(record))
            self.file.flush()

    def sync(self):
        """Flush all records to disk."""
        with naming(self.path):
            os.fsync(self.file.fileno())


def read(run):
    """The records of a run, in order; lines that were cut off, or are not records, are skipped."""
    path = run / NAME
    records = []
    for line in path.read_bytes().splitlines():
        with suppress(InputError):
            records.append(_checked(parse_json(line, path)))
    return records


def _checked(record):
    check_number(record.get("step"), "step", whole=True, low=0)
    for name, value in record.items():
        check_number(value, name)
    return record


def _line(record):
    return json.dumps(record) + "\n"
