"""OpenAI's and Hugging Face's checkpoint files, read and written without a framework."""

from numgpt.checkpoint.folder import open_checkpoint, save_checkpoint

__all__ = ["open_checkpoint", "save_checkpoint"]
