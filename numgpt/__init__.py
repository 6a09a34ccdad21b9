"""GPT-2 in NumPy, with every gradient derived and written by hand."""

from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.generation import generate, stream
from numgpt.model import GPT

__version__ = "0.1.0"

__all__ = ["GPT", "GPTConfig", "InputError", "generate", "stream"]
