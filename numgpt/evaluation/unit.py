"""What is scored, written down and, with --limit, counted as one."""

from dataclasses import dataclass

from numgpt.evaluation.windows import Window


@dataclass(frozen=True)
class Unit:
    """Windows that belong together, a passage or a page say."""

    windows: list[Window]
