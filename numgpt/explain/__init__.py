"""A prompt's way through a model and back: the numbers, an offline page that shows them, and the same as plain text."""

from numgpt.explain.gather import gather
from numgpt.explain.page import LANGUAGES, page
from numgpt.explain.subject import Subject, read_subject
from numgpt.explain.text import text

__all__ = ["LANGUAGES", "Subject", "gather", "page", "read_subject", "text"]
