"""The loss curve of a run, loss.svg."""

import math

from numgpt.files import atomic_write
from numgpt.training import metrics

NAME = "loss.svg"


def draw_losses(run, n_choices=None, unit="token"):
    """Draw the losses logged in the folder `run` to loss.svg; return a line for the user, or None.

    The line says how to install matplotlib if it is missing. n_choices: the number of tokens or labels; ln n_choices,
    the loss of a model that has learnt nothing, is then drawn too. unit: what the loss is per. Raises OSError if
    reading or writing fails.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return f"{NAME} is not drawn without matplotlib: pip install 'numgpt[plot]'"
    records = metrics.read(run)
    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for key, label in ("loss", "training batch"), ("val_loss", "held out"):
        points = [(record["step"], record[key]) for record in records if key in record]
        axes.plot(*zip(*points, strict=True), label=label, **STYLES[key]) if points else None
    if n_choices is not None:
        axes.axhline(math.log(n_choices), label=f"knowing nothing: ln {n_choices}", color="gray", linestyle="--")
    axes.set(xlabel="step", ylabel=f"loss, nats per {unit}")
    axes.legend()
    axes.grid(alpha=0.3)
    with atomic_write(run / NAME) as file:
        figure.savefig(file, format="svg")
    return None


STYLES = {"loss": {"linewidth": 0.7, "alpha": 0.6}, "val_loss": {"marker": "o", "markersize": 3}}
