"""GPT-2 in NumPy, with every gradient derived and written by hand."""

from numgpt import gradcheck
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.generation import generate, stream
from numgpt.kernels import use_kernels
from numgpt.loading import load
from numgpt.model import GPT
from numgpt.training import AdamW

__version__ = "0.1.0"

__all__ = ["GPT", "AdamW", "GPTConfig", "InputError", "generate", "gradcheck", "load", "stream", "use_kernels"]
