"""Sampling text from a model."""

from numgpt.generation.loop import generate, steps, stream

__all__ = ["generate", "steps", "stream"]
