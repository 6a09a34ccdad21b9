"""Sampling text from a model."""

from numgpt.generation.generate import generate, steps, stream

__all__ = ["generate", "steps", "stream"]
