"""Pairs of texts to learn from: a TSV with a source and a target on each line, or with a text and its label.

    source TAB target                    UTF-8; empty lines are skipped
    source TAB target TAB attribution    further columns are ignored, such as the attribution in Tatoeba's export

A source may be on several lines, with a target each. Either all of these are held out or none: a sentence that was
learnt with one translation is not new with another. The same holds for a text and its label.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from numgpt.errors import InputError
from numgpt.files import quoted, read_bytes
from numgpt.training.documents import STANDARD_INPUT, counted, decode_text


@dataclass(frozen=True)
class Pairs:
    """A list of (source, target); the name and the SHA-256 of the file that they come from.

    notices: lines for the user. held_out: the Pairs held out; None if some of these are. columns: their names.
    """

    name: str
    pairs: list[tuple[str, str]]
    sha256: str
    notices: tuple[str, ...] = ()
    held_out: "Pairs | None" = None
    columns: tuple[str, str] = ("source", "target")

    def split(self, val_fraction):
        """(pairs to train on, pairs held out); the latter from `held_out` or, without it, of that share of the sources.

        Which sources are held out depends on their SHA-256, so neither on their order nor on a seed. Raises InputError
        for fewer than two sources.
        """
        if self.held_out:
            return self.pairs, self.held_out.pairs
        sources = sorted({source for source, _ in self.pairs}, key=lambda text: hashlib.sha256(text.encode()).digest())
        if len(sources) < 2:
            raise InputError(
                f"{self.name} has only one {self.columns[0]}, so none can be held out: give --val-data too"
            )
        chosen = set(sources[: min(len(sources) - 1, max(1, round(val_fraction * len(sources))))])
        parts = [], []
        for pair in self.pairs:
            parts[pair[0] in chosen].append(pair)
        return parts


def read_pairs(path, val_path=None, columns=("source", "target")):
    """The Pairs in the TSV at `path`; val_path: the TSV of those held out. "-" is standard input. columns: as in Pairs.

    Raises InputError, naming the line, for a single column or an empty side, and for data that is not text; OSError if
    reading fails.
    """
    if path == val_path == "-":
        raise InputError("--data and --val-data cannot both be standard input: give a file for one of them")
    held_out = None if val_path is None else _read(val_path, None, columns)
    found = _read(path, held_out, columns)
    if held_out is None:
        return found
    both = len({source for source, _ in found.pairs} & {source for source, _ in held_out.pairs})
    notice = f"{held_out.name} shares {counted(both, columns[0])} with {found.name}: held out, but not new."
    return Pairs(
        found.name, found.pairs, found.sha256, (*found.notices, *([notice] if both else [])), held_out, columns
    )


def _read(path, held_out, names):
    data = read_bytes(path)
    name = STANDARD_INPUT if path == "-" else Path(path).name
    pairs, n_more = [], 0
    for number, line in enumerate(decode_text(data, path).split("\n"), 1):
        if line.strip():
            columns = [column.strip() for column in line.split("\t")]
            check_line(columns, names, f"{name}, line {number}")
            pairs.append((columns[0], columns[1]))
            n_more += len(columns) > 2
    if not pairs:
        raise InputError(f"{name} is empty: there is no {names[0]} in it")
    first, second = names
    more = f"{name} has more than two columns in {counted(n_more, 'line')}: only {first} and {second} are read."
    return Pairs(name, pairs, hashlib.sha256(data).hexdigest(), (more,) if n_more else (), held_out, names)


def check_line(columns, names, where):
    """Raise InputError unless both of the named texts are in the columns of a line."""
    if len(columns) < 2:
        raise InputError(
            f"{where}: only one column, {quoted(columns[0])}: a line is a {names[0]}, a TAB and a {names[1]}"
        )
    for side, text in zip(names, columns, strict=False):
        if not text:
            raise InputError(f"{where}: the {side} is empty: remove the line, or fill it in")
