"""Numbers with the names of the protocols that made them, and what others published for them."""

from numgpt.evaluation.run import evaluate
from numgpt.evaluation.tasks import TASKS

__all__ = ["TASKS", "evaluate"]
