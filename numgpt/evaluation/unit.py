"""What is scored, recorded and, with --limit, counted as one."""

from dataclasses import dataclass, field

from numgpt.evaluation.windows import Window


@dataclass(frozen=True)
class Unit:
    """Windows that belong together, such as those of a page. about: what else the protocol has to record.

    shared: the number of ids at the beginning of all the windows that are to be read only once; at least one id that is
    not scored comes after them.
    """

    windows: list[Window]
    about: dict = field(default_factory=dict)
    shared: int = 0
