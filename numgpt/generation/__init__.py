"""Sampling text from a model, and searching for likely text."""

from numgpt.generation.beams import beam_search
from numgpt.generation.loop import generate, steps, stream

__all__ = ["beam_search", "generate", "steps", "stream"]
