"""What is publicly known of the real GPT-2 models, and comparing a model with it."""

from numgpt.verification.checks import Row, read_published, verify

__all__ = ["Row", "read_published", "verify"]
