"""Published facts about OpenAI's GPT-2 models, and the comparison of a model with them."""

from numgpt.verification.checks import Row, read_published, verify

__all__ = ["Row", "read_published", "verify"]
