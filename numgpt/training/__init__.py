"""Training: the optimizer, the schedule, the data, and the loop that can be stopped and resumed."""

from numgpt.training.optimizer import AdamW, clip_gradients
from numgpt.training.schedule import learning_rate

__all__ = ["AdamW", "clip_gradients", "learning_rate"]
