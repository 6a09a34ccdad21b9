"""GPT-2 in NumPy, with every gradient derived and written by hand."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.generation import generate, stream
from numgpt.kernels import use_kernels
from numgpt.loading import load
from numgpt.model import GPT
from numgpt.training import AdamW

if TYPE_CHECKING:
    from numgpt import gradcheck

__version__ = "0.1.0"

__all__ = ["GPT", "AdamW", "GPTConfig", "InputError", "generate", "gradcheck", "load", "stream", "use_kernels"]


def __getattr__(name: str) -> Any:
    """Load the proof when it is asked for: nothing else needs it."""
    if name == "gradcheck":
        return import_module("numgpt.gradcheck")
    raise AttributeError(f"module 'numgpt' has no attribute {name!r}")
