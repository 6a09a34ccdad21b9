"""The evaluation with the lowest loss so far, which decides what is kept and when patience ends."""

import math
from dataclasses import asdict, dataclass

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import check_number


@dataclass(frozen=True)
class Best:
    """step: after how many steps; val_loss: in nats per token; since: evaluations that count, made after it.

    Raises InputError for what cannot be these.
    """

    step: int
    val_loss: float
    since: int = 0

    def __post_init__(self):
        check_number(self.step, "best: step", whole=True, low=0)
        check_number(self.val_loss, "best: val_loss", low=0)
        check_number(self.since, "best: since", whole=True, low=0)

    def as_dict(self):
        """name -> value, for JSON."""
        return asdict(self)


def after(best, step, val_loss, counts):
    """The Best once `val_loss` is known after `step`, `best` being that of before, or None.

    counts: whether patience counts this evaluation, should it be no better. An equal loss is no better.
    """
    if val_loss < (best.val_loss if best else math.inf):
        return Best(step, val_loss)
    return Best(best.step, best.val_loss, best.since + 1) if counts else best


def read_best(fields, step):
    """The Best in the fields of state.json at `step`, None where there is none. Raises InputError for another thing."""
    if fields is None:
        return None
    try:
        best = Best(**fields)
    except TypeError:
        raise InputError(f"best is {quoted(fields)}, and not a step and its loss") from None
    if best.step > step:
        raise InputError(f"best is of step {best.step}, which is yet to come")
    return best
