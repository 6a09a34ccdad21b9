"""What is scored, written down and, with --limit, counted as one."""

from dataclasses import dataclass, field

from numgpt.evaluation.windows import Window


@dataclass(frozen=True)
class Unit:
    """Windows that belong together, a passage or a page say, and what the protocol knows of them besides.

    shared: how many ids all the windows begin with, when these are to be read once for all of them; at least one id
    that is not scored comes after them.
    """

    windows: list[Window]
    about: dict = field(default_factory=dict)
    shared: int = 0
