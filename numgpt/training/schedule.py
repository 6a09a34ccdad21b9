"""The learning rate over a run."""

import math

SCHEDULES = ("cosine", "inverse-root")


def rate_of(step, settings):
    """The learning rate of a step of a run with these Settings."""
    if settings.schedule == "inverse-root":
        return inverse_root(step, settings.lr, settings.warmup)
    return learning_rate(step, settings.lr, settings.min_lr, settings.warmup, settings.max_steps)


def inverse_root(step, lr, warmup):
    """The learning rate of step 0, 1, ...: it rises linearly to lr, then falls as one over the square root of the step.

    With lr = 1 / sqrt(d_model warmup) it is that of Vaswani et al. 2017, section 5.3. It does not depend on the length
    of the run.
    """
    n, warmup = step + 1, max(1, warmup)
    return lr * min(n / warmup, math.sqrt(warmup / n))


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
