"""OpenAI's and Hugging Face's checkpoint files, and a Transformer's, read and written without a framework."""

from numgpt.checkpoint.folder import open_checkpoint, save_checkpoint
from numgpt.checkpoint.translator import open_transformer, save_transformer

__all__ = ["open_checkpoint", "open_transformer", "save_checkpoint", "save_transformer"]
