"""Sampling text from a model, searching for likely text, and translating."""

from numgpt.generation.beams import beam_search
from numgpt.generation.loop import generate, steps, stream
from numgpt.generation.translation import translate
from numgpt.generation.translation_beams import translate_beams

__all__ = ["beam_search", "generate", "steps", "stream", "translate", "translate_beams"]
