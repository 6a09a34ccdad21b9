"""Run the Python blocks of pages, in order, in one session per page, and write what they print below them.

A block's output is the block of text right after it; without one, a block may print anything. The tests compare.

python scripts/tools/run_blocks.py docs/course/*.md      # writes today's outputs
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from numgpt.files import atomic_write

PYTHON = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
QUOTED = "# include: "  # how a block begins that quotes the source


class Block(NamedTuple):
    """A block's code, its first line's number, the output that the page shows, and where in the page that is."""

    code: str
    line: int
    output: str | None
    span: tuple[int, int]


def blocks(page: str) -> list[Block]:
    """The Python blocks of a page that do not quote the source."""
    found = [
        Block(match[1], page[: match.start()].count("\n") + 2, match[2], match.span(2))
        for match in PYTHON.finditer(page)
    ]
    return [block for block in found if not block.code.startswith(QUOTED)]


def run(page: str, name: str) -> Iterator[tuple[Block, str]]:
    """Each block and what it printed."""
    session = {"__name__": "page"}
    for block in blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.code, f"{name}, the block at line {block.line}", "exec"), session)
        yield block, printed.getvalue()


def with_outputs(page: str, name: str) -> str:
    """The page with what its blocks print."""
    for block, printed in reversed(list(run(page, name))):
        if block.output is not None:
            page = page[: block.span[0]] + printed + page[block.span[1] :]
    return page


def main() -> None:
    for path in [Path(argument).resolve() for argument in sys.argv[1:]]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            page = with_outputs(path.read_text("utf-8"), path.name)
            os.chdir(path.parent)
        with atomic_write(path, "w") as file:
            file.write(page)


if __name__ == "__main__":
    main()
