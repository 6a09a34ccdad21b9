"""The evaluation with the lowest loss so far, which decides what is kept and when patience runs out."""

import math
from dataclasses import asdict, dataclass

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import check_number


@dataclass(frozen=True)
class Best:
    """step: steps made before it; val_loss: in nats per token; since: later evaluations that patience counts.

    Raises InputError for values out of range.
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
    """The Best after an evaluation at `step` gave `val_loss`. best: the one before it, or None.

    counts: whether patience counts this evaluation if its loss is not lower.
    """
    if val_loss < (best.val_loss if best else math.inf):
        return Best(step, val_loss)
    return Best(best.step, best.val_loss, best.since + 1) if counts else best


def read_best(fields, step):
    """The Best from its field in state.json, or None. step: the checkpoint's. Raises InputError for any other value."""
    if fields is None:
        return None
    try:
        best = Best(**fields)
    except TypeError:
        raise InputError(f"best is {quoted(fields)}, not a step and its loss") from None
    if best.step > step:
        raise InputError(f"best names step {best.step}, which has not been reached")
    return best
