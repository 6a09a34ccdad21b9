"""The learning rate over a run."""

import math


def learning_rate(step, lr, min_lr, warmup, max_steps):
    """The learning rate of step 0, 1, ..., max_steps - 1.

    It rises linearly from lr / warmup to lr in `warmup` steps, then falls along half a cosine to min_lr at the
    last step (Loshchilov and Hutter 2017, section 3, without restarts; warm-up: Goyal et al. 2017, section 2.2).
    """
    if step < warmup:
        return lr * (step + 1) / warmup
    if step >= max_steps:
        return min_lr
    done = (step - warmup) / max(1, max_steps - 1 - warmup)
    return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * done)) / 2
