"""Which code computes a formula: its definition, in plain NumPy where it is explained, or a faster kernel.

    @definition
    def gelu(x): ...                    # in layers/gelu.py

A call of `gelu` runs the function of that name in kernels/cpu/gelu.py for NumPy's arrays, in kernels/gpu/gelu.py for
CuPy's. Where there is none, and everywhere after `use_kernels("plain")`, it runs the definition, which suits both. The
tests and `numgpt gradcheck` hold every kernel to its definition.
"""

import os
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from typing import ParamSpec, TypeVar

import numpy as np

from numgpt.backend import check_device
from numgpt.errors import InputError
from numgpt.files import quoted

KINDS = ("fast", "plain")
PRECISIONS = ("float32", "tf32", "bf16")

_kind = os.environ.get("NUMGPT_KERNELS") or "fast"  # another word is told when it is asked for, not by an import

P = ParamSpec("P")
R = TypeVar("R")


def definition(function: Callable[P, R]) -> Callable[P, R]:
    """Let calls of `function` run the kernel of its name where there is one."""
    file, name = function.__module__.rpartition(".")[2], function.__name__

    @wraps(function)
    def formula(*args: P.args, **kwargs: P.kwargs) -> R:
        kernel = None if _kind == "plain" else find_kernel(file, name, args)
        return (kernel or function)(*args, **kwargs)

    return formula


def find_kernel(file, name, args):
    """The kernel for the first array among `args`; None where its device has none, or it holds no real numbers."""
    for array in args:
        if hasattr(array, "dtype"):
            if array.dtype.kind != "f":
                return None
            return namesake("cpu" if isinstance(array, np.ndarray) else "gpu", file, name)
    return namesake("cpu", file, name)


def kernel_of(function, device):
    """The kernel of a definition on "cpu" or "cuda"; None where it has none there."""
    file = function.__module__.rpartition(".")[2]
    return namesake("cpu" if device == "cpu" else "gpu", file, function.__name__)


@cache
def namesake(device, file, name):
    """The function `name` of kernels/`device`/`file`.py; None where there is no such file or function."""
    kernels_in_use()
    module = f"numgpt.kernels.{device}.{file}"
    try:
        return getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None


class use_kernels:
    """ "fast": kernels where there are any. "plain": only definitions, to read, to step through, to change.

        numgpt.use_kernels("plain")             # from here on
        with numgpt.use_kernels("plain"): ...   # for a while

    It holds for the whole process, all threads included. Choose before a forward pass: what forward keeps is for a
    backward of its own kind. The environment variable NUMGPT_KERNELS=plain chooses for a program. Raises InputError for
    another word.
    """

    def __init__(self, kind: str) -> None:
        global _kind
        if not isinstance(kind, str) or kind not in KINDS:
            raise InputError(f"kernels must be {' or '.join(map(repr, KINDS))}, not {quoted(kind)}")
        self.before, _kind = _kind, kind

    def __enter__(self) -> "use_kernels":
        return self

    def __exit__(self, *_: object) -> None:
        global _kind
        _kind = self.before


def kernels_in_use() -> str:
    """ "fast" or "plain": see `use_kernels`. Raises InputError where NUMGPT_KERNELS is another word."""
    if _kind not in KINDS:
        raise InputError(f"NUMGPT_KERNELS must be {' or '.join(map(repr, KINDS))}, not {_kind!r}")
    return _kind


def plain() -> bool:
    """Whether definitions run and no kernels."""
    return _kind == "plain"


def set_precision(precision: str, device: str) -> None:
    """Have the matrix products on the GPU made in "float32", "tf32" or "bf16", in the whole process from here on.

    It is about their factors only: sums, and all that is stored, are float32, and float64 stays float64. Definitions
    know float32 only. Raises InputError for another word, for the CPU, which has only float32, and for a device that
    cannot be used or is too old for it.
    """
    check_device(device)
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise InputError(f"precision must be {', '.join(PRECISIONS)}, not {quoted(precision)}")
    if precision != "float32" and device == "cpu":
        raise InputError(f"precision {precision!r} needs device 'cuda': the CPU computes in float32 (or float64)")
    if precision != "float32" and plain():
        raise InputError(f"precision {precision!r} needs 'fast' kernels: definitions compute in float32 (or float64)")
    if device != "cpu" and not plain():
        import_module("numgpt.kernels.gpu.matmul").set_precision(precision)
