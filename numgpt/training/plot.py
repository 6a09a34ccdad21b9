"""The curve of a run, loss.svg."""

import math

from numgpt.files import atomic_write
from numgpt.training import metrics

NAME = "loss.svg"


def draw_losses(run, n_vocab=None):
    """Draw the losses in the diary of the folder `run` to loss.svg; return a line for the user, or None.

    The line says how to get matplotlib where it is missing. n_vocab: of the model; its loss before it has learnt
    anything, ln n_vocab, is then drawn too. Raises OSError as the disk does.
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
    if n_vocab is not None:
        axes.axhline(math.log(n_vocab), label=f"knowing nothing: ln {n_vocab}", color="gray", linestyle="--")
    axes.set(xlabel="step", ylabel="loss, nats per token")
    axes.legend()
    axes.grid(alpha=0.3)
    with atomic_write(run / NAME) as file:
        figure.savefig(file, format="svg")
    return None


STYLES = {"loss": {"linewidth": 0.7, "alpha": 0.6}, "val_loss": {"marker": "o", "markersize": 3}}
