"""GPT-2 in NumPy, with every gradient derived and written by hand."""

from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.model import GPT

__all__ = ["GPT", "GPTConfig", "InputError"]
