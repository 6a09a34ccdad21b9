"""What every process of a run does but the first: it is told what the run is, then each next thing to do."""

import signal
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from numgpt.files import newest_checkpoint
from numgpt.training import state
from numgpt.training.parallel.team import ARRAYS, END, LOSS, STEP
from numgpt.training.session import DATA, task_of
from numgpt.training.trainer import Diverged, Trainer


class Orders(NamedTuple):
    """What makes a process's trainer that of rank 0.

    run: the folder, which all can read. checkpoint: what the run continues from, None for a new one. progress: what
    the trainer's `state` is.
    """

    run: Any
    model: type
    config: Any
    options: dict[str, Any]
    settings: Any
    tokenizer: Any
    checkpoint: Any
    progress: dict[str, Any]


def orders_of(session):
    """The Orders of a Session that was begun or resumed just now."""
    trainer = session.trainer
    model = trainer.model
    options = {"recompute": True} if session.settings.recompute else {}
    if hasattr(model, "labels"):
        options["labels"] = model.labels
    about = type(model), model.config, options, session.settings, session.tokenizer
    return Orders(session.run.absolute(), *about, newest_checkpoint(session.run.absolute()), trainer.state())


@np.errstate(over="ignore", invalid="ignore")
def follow(team, orders):
    """Do what rank 0 says until it says END. That a training diverged all see at once, and rank 0 tells.

    Signals are for rank 0: it ends its step, saves, and says END.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    trainer, held_out = set_up(team, orders)

    def loss():
        with trainer.weights_to_keep() as model:
            held_out.loss(model, team)

    actions = {STEP: trainer.step, ARRAYS: trainer.arrays, LOSS: loss}
    while (word := team.hear()) != END:
        with suppress(Diverged):
            actions[word]()


def set_up(team, orders):
    """(trainer, what is held out), where rank 0 stands."""
    model = orders.model(orders.config, seed=None, dtype=orders.settings.dtype, **orders.options)
    team.start(model)
    opened = task_of(orders.settings).open_data(orders.run / DATA, orders.settings, orders.tokenizer, model)
    batches, held_out = opened
    trainer = Trainer(model, batches, orders.settings)
    if orders.checkpoint is None:
        trainer.set_state(orders.progress)
    else:
        state.restore(orders.checkpoint, trainer, orders.progress)
    return trainer.joining(team), held_out
