"""GPT-2 in NumPy, with every gradient derived and written by hand."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from numgpt.config import GPTConfig, TransformerConfig
from numgpt.errors import InputError
from numgpt.generation import beam_search, generate, stream, translate, translate_beams
from numgpt.kernels import use_kernels
from numgpt.loading import load, load_classifier, load_transformer
from numgpt.model import GPT, Classifier, Transformer
from numgpt.training import AdamW

if TYPE_CHECKING:
    from numgpt import gradcheck
    from numgpt.evaluation import evaluate
    from numgpt.gradcheck import check_layer
    from numgpt.tracing import ablate, trace

__version__ = "0.1.0"

__all__ = [
    "GPT",
    "AdamW",
    "Classifier",
    "GPTConfig",
    "InputError",
    "Transformer",
    "TransformerConfig",
    "ablate",
    "beam_search",
    "check_layer",
    "evaluate",
    "generate",
    "gradcheck",
    "load",
    "load_classifier",
    "load_transformer",
    "stream",
    "trace",
    "translate",
    "translate_beams",
    "use_kernels",
]


def __getattr__(name: str) -> Any:
    """Load the tools that inspect models only when they are asked for: sampling and training do not need them."""
    if name == "gradcheck":
        return import_module("numgpt.gradcheck")
    if name == "check_layer":
        return import_module("numgpt.gradcheck").check_layer
    if name == "evaluate":
        return import_module("numgpt.evaluation").evaluate
    if name in ("ablate", "trace"):
        return getattr(import_module("numgpt.tracing"), name)
    raise AttributeError(f"module 'numgpt' has no attribute {name!r}")
