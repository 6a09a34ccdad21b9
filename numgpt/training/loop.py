"""The loop: step, evaluate, write down, save."""

import math
import time
from dataclasses import asdict

import numpy as np

from numgpt.files import newest_checkpoint
from numgpt.training.metrics import Metrics
from numgpt.training.parallel.team import LOSS
from numgpt.training.trainer import Diverged

SAVE_SECONDS = 120  # a checkpoint is at most about this old, however long steps take
FIRST_EVALUATION = 8


def train(session, report, stopped=lambda: False):
    """Take the steps of a Session that are left, or until patience ends; return whether that was the end of it.

    Evaluates and saves before the first step, as often as the settings say, and after the last; saves too whatever is
    better on held-out text than all before. stopped() is asked
    after every step; once it is true, a checkpoint is saved and the loop ends.

    report gets report.step(record) after every step, report.evaluated(record) after every evaluation and
    report.sample(model), with the model as it would be saved, when a sample is due. A record is what metrics.jsonl has
    of the step: step, loss, lr, norm, tokens_per_second, and after an evaluation val_loss and val_loss_per_character,
    in nats, and of translations bleu.

    Raises Diverged, the last checkpoint being whole and from before, and OSError as the disk does.
    """
    try:
        return _train(session, report, stopped)
    except Diverged as error:
        good = newest_checkpoint(session.run)
        advice = (
            f"; {good} is whole and from before: continue from it with --init {good} and a smaller --lr" if good else ""
        )
        raise Diverged(f"{error}{advice}") from None


@np.errstate(over="ignore", invalid="ignore")  # what NumPy would warn of ends the run with a message
def _train(session, report, stopped):
    trainer = session.trainer
    with Metrics(session.run, trainer.steps) as metrics:
        if newest_checkpoint(session.run) is None:
            metrics.append(evaluate(session, {"step": 0}, report))
            if not session.settings.sample_every:
                show_sample(trainer, report)
            save(session, metrics)
        saved = time.monotonic()
        while not trainer.finished:
            record = timed_step(trainer)
            before = trainer.best
            evaluating = is_early(trainer) or is_due(trainer, session.settings.eval_every)
            if evaluating:
                record = evaluate(session, record, report)
            metrics.append(record)
            report.step(record)
            every = session.settings.sample_every
            if is_due(trainer, every) if every else evaluating:
                show_sample(trainer, report)
            ending = stopped()
            better = trainer.best is not before and trainer.best.step == trainer.steps
            late = time.monotonic() - saved >= SAVE_SECONDS
            if ending or better or late or is_due(trainer, session.settings.save_every):
                save(session, metrics)
                saved = time.monotonic()
            if ending:
                break
    return trainer.finished


def timed_step(trainer):
    """Make a step; return its record."""
    started = time.perf_counter()
    step = trainer.step()
    return {**asdict(step), "tokens_per_second": trainer.tokens_read / (time.perf_counter() - started)}


def evaluate(session, record, report):
    """The record with the loss on held-out text added. Raises Diverged where that is no finite number."""
    with session.trainer.weights_to_keep() as model:
        session.trainer.team.say(LOSS)
        loss = session.held_out.loss(model, session.trainer.team)
        if not math.isfinite(loss.nats):
            raise Diverged(f"step {session.trainer.steps}: the loss on held-out text is {loss.nats}: training diverged")
        session.trainer.note(loss.per_token)
        record = {**record, **loss.figures()}
    report.evaluated(record)
    return record


def show_sample(trainer, report):
    """Have the report show what the model writes, with the weights that would be saved."""
    with trainer.weights_to_keep() as model:
        report.sample(model)


def save(session, metrics):
    """Write a checkpoint, with the diary up to it on the disk first."""
    metrics.sync()
    session.save()


def is_early(trainer):
    """Whether this step, before the first regular evaluation, has one so that the curve has a beginning: 8, 16, 32, ...

    Earlier steps, of a rate that still rises, would show ln V again, and an evaluation costs as much as many steps.
    """
    step = trainer.steps
    return FIRST_EVALUATION <= step < trainer.settings.eval_every and step & (step - 1) == 0


def is_due(trainer, every):
    """Whether something is to be done after this step that is done every so many steps, and at the end."""
    return trainer.finished or trainer.steps % every == 0
