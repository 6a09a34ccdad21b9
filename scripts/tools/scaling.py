#!/usr/bin/env python3
"""How long a step takes on many machines: the model of docs/scaling.md, its table and its figure.

    python scripts/tools/scaling.py [FIGURE.svg]

A step's products are dealt to N ranks. Then every rank sends its gradients in N - 1 parts, one to each other, and its
new weights likewise; nothing of that runs while products do:

    t(N) = F / (N R)  +  2 (N - 1) / N  P b / W  +  2 (N - 1) L  +  U / N

F: floating-point operations of a step, 6 a parameter and token. R: of a rank in a second. P b: bytes of the
parameters. W: bytes a second over the wire, L: seconds until a message's first byte is there. U: seconds of AdamW.
"""

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """parameters; tokens in a step, of all ranks together."""

    name: str
    parameters: float
    tokens: int


@dataclass(frozen=True)
class Wire:
    """bytes a second, and seconds of latency."""

    name: str
    rate: float
    latency: float


MODELS = (Model("124M, 32,768 tokens a step", 124e6, 32768), Model("XL, 524,288 tokens a step", 1558e6, 524288))
WIRES = (Wire("1 Gbit/s, 1 ms", 0.125e9, 1e-3), Wire("10 Gbit/s, 0.1 ms", 1.25e9, 1e-4))
RATE = 150e9  # floating-point operations a second that a rank of two cores keeps up in a step, as measured
UPDATE = 28 / 15e9  # seconds of AdamW a parameter: it reads and writes 28 bytes of memory
RANKS = [2**i for i in range(11)]


def seconds(model, wire, n):
    """Of one step on n ranks: (products, bytes, latency, update)."""
    products = 6 * model.parameters * model.tokens / (n * RATE)
    sent = 2 * (n - 1) / n * 4 * model.parameters / wire.rate
    return products, sent, 2 * (n - 1) * wire.latency, UPDATE * model.parameters / n


def efficiency(model, wire, n):
    """How much of n times one rank's speed is there."""
    return sum(seconds(model, wire, 1)) / (n * sum(seconds(model, wire, n)))


def main():
    print(f"{'':28} {'wire':18} " + " ".join(f"{n:>5}" for n in RANKS))
    for model in MODELS:
        for wire in WIRES:
            print(f"{model.name:28} {wire.name:18} " + " ".join(f"{efficiency(model, wire, n):5.2f}" for n in RANKS))
    if len(sys.argv) > 1:
        draw(sys.argv[1])


def draw(path):
    """The efficiencies as a figure."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "numgpt"
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7, 4))
    for model, style in zip(MODELS, ("-", "--"), strict=True):
        for wire, colour in zip(WIRES, ("#9a2f12", "#23487a"), strict=True):
            found = [efficiency(model, wire, n) for n in RANKS]
            axis.plot(RANKS, found, style, color=colour, marker="o", label=f"{model.name}; {wire.name}")
    axis.set(xscale="log", xlabel="ranks", ylabel="share of N times one rank's speed", ylim=(0, 1.05))
    axis.set_xticks(RANKS, [str(n) for n in RANKS])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
