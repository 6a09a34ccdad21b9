"""OpenAI's and Hugging Face's checkpoint files, and those of a Transformer or Classifier, without a framework."""

from numgpt.checkpoint.classifier import open_classifier, save_classifier
from numgpt.checkpoint.folder import open_checkpoint, save_checkpoint
from numgpt.checkpoint.translator import open_transformer, save_transformer

__all__ = [
    "open_checkpoint",
    "open_classifier",
    "open_transformer",
    "save_checkpoint",
    "save_classifier",
    "save_transformer",
]
