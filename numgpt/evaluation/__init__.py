"""Evaluation by named protocols, and the comparison with published figures."""

from numgpt.evaluation.run import evaluate
from numgpt.evaluation.tasks import TASKS

__all__ = ["TASKS", "evaluate"]
