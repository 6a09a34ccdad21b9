"""The proof of the gradients, and of the kernels that stand in for the formulas.

Every definition's backward is compared with derivatives of its forward, computed without it (`derivatives`); so are the
layers made of several, and whole models. Every kernel is compared with its definition. `check_layer` checks the
gradients of a layer of your own.
"""

import difflib
from collections.abc import Iterator

import numpy as np

from numgpt.backend import check_device
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.gradcheck.cases import CASES
from numgpt.gradcheck.definitions import hold, hold_optimizer, prove, prove_draw
from numgpt.gradcheck.derivatives import complex_step, differences
from numgpt.gradcheck.layer import Rows, check_layer
from numgpt.gradcheck.results import held_to
from numgpt.gradcheck.rows import Row, compare
from numgpt.gradcheck.whole import SENTENCE, WHOLES, check_checkpoint, with_random_weights
from numgpt.numbers import LARGEST_SEED, check_number

__all__ = [
    "CHECKS",
    "SENTENCE",
    "Row",
    "Rows",
    "check",
    "check_checkpoint",
    "check_layer",
    "compare",
    "complex_step",
    "differences",
    "held_to",
    "with_random_weights",
]

CHECKS = (*CASES, "dropout-draw", *WHOLES, "adamw")


def check(name: str, seed: int = 0, device: str = "cpu") -> Iterator[Row]:
    """The rows of one check of CHECKS; definitions are proven on the CPU, kernels are compared with them on `device`.

    Raises InputError for a name that is not in CHECKS, a seed out of range and a device that cannot be used.
    """
    seed = check_number(seed, "seed", whole=True, low=0, below=LARGEST_SEED)
    if not isinstance(name, str) or name not in CHECKS:
        close = difflib.get_close_matches(str(name).lower(), CHECKS, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"there is no gradient check called {quoted(name)}: {guess}choose from {', '.join(CHECKS)}")
    check_device(device)
    if name in WHOLES:
        return WHOLES[name](np.random.default_rng(seed))(device)
    if name == "dropout-draw":
        return prove_draw(seed)
    if name == "adamw":
        return hold_optimizer(seed, device)
    return _prove_and_hold(name, seed, device)


def _prove_and_hold(name, seed, device):
    yield from prove(CASES[name], seed)
    yield from hold(CASES[name], seed, device)
