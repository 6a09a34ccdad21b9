"""The training loop: step, evaluate, record, save."""

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
    """Take the remaining steps of a Session, or until patience runs out; return whether the run is finished.

    Evaluates and saves before the first step, as often as the settings say, and after the last; also saves whenever the
    loss on held-out text is the lowest so far. stopped() is called after every step; once it is true, a checkpoint is
    saved and the loop ends.

    Calls report.step(record) after every step, report.evaluated(record) after every evaluation and
    report.sample(model), with the weights that would be saved, when a sample is due. A record is the step's line in
    metrics.jsonl: step, loss, lr, norm, tokens_per_second and, after an evaluation, the figures of a Loss.

    Raises Diverged, which leaves the last checkpoint intact, and OSError if writing fails.
    """
    try:
        return _train(session, report, stopped)
    except Diverged as error:
        good = newest_checkpoint(session.run)
        advice = f"; {good} is intact: continue from it with --init {good} and a smaller --lr" if good else ""
        raise Diverged(f"{error}{advice}") from None


@np.errstate(over="ignore", invalid="ignore")  # Diverged reports it
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
    """The record with the loss on held-out text added. Raises Diverged if that is not finite."""
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
    """Have the report show a sample, with the weights that would be saved."""
    with trainer.weights_to_keep() as model:
        report.sample(model)


def save(session, metrics):
    """Flush the log to disk, then write a checkpoint."""
    metrics.sync()
    session.save()


def is_early(trainer):
    """Whether an early evaluation is due, to give the curve a beginning: 8, 16, 32, ..., before the first regular one.

    At still earlier steps, while the learning rate rises, the loss is hardly below ln V, and an evaluation costs as
    much as many steps.
    """
    step = trainer.steps
    return FIRST_EVALUATION <= step < trainer.settings.eval_every and step & (step - 1) == 0


def is_due(trainer, every):
    """Whether something that is done every `every` steps, and at the end, is due after this step."""
    return trainer.finished or trainer.steps % every == 0
