"""The curve of a run, loss.svg."""

import math

from numgpt.files import atomic_write
from numgpt.training import metrics

NAME = "loss.svg"


def draw_losses(run, n_choices=None, unit="token"):
    """Draw the losses in the diary of the folder `run` to loss.svg; return a line for the user, or None.

    The line says how to get matplotlib where it is missing. n_choices: of the model; its loss before it has learnt
    anything, ln n_choices, is then drawn too. unit: what the loss is one of. Raises OSError as the disk does.
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
