#!/usr/bin/env python3
"""How long a step takes on many machines: the model of docs/scaling.md, its table and its figure.

    python scripts/tools/scaling.py [FIGURE.svg]
    python scripts/tools/scaling.py --tokens N --rank GFLOPS --wire GBITS    # 124M on one rank and on two

A step's products are shared by N ranks. Every rank sends its gradients in N - 1 parts, one to each other rank, bucket
by bucket; those of the blocks, a share s of all, are sent while backward, two thirds of the products, still runs. Then
every rank updates its own part of the weights and sends it to all others:

    t(N) = F / (N R)  +  waiting  +  share  +  U / N
    send = (N - 1) / N  P b / W  +  B L
    waiting = (1 - s) send  +  max(0, s send - 2/3 F / (N R))
    share = (N - 1) / N  P b / W  +  L

F: floating-point operations of a step, 6 per parameter and token. R: those of a rank in a second. P b: bytes of the
parameters. W: bytes per second over the wire, L: seconds until a message's first byte arrives. B: buckets. U: seconds
of AdamW.
"""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """parameters; the share of them in the blocks; tokens in a step, over all ranks."""

    name: str
    parameters: float
    blocks: float
    tokens: int


@dataclass(frozen=True)
class Wire:
    """bytes per second, and seconds of latency."""

    name: str
    rate: float
    latency: float


MODELS = (
    Model("124M, 32,768 tokens a step", 124e6, 0.68, 32768),
    Model("XL, 524,288 tokens a step", 1558e6, 0.95, 524288),
)
WIRES = (Wire("1 Gbit/s, 1 ms", 0.125e9, 1e-3), Wire("10 Gbit/s, 0.1 ms", 1.25e9, 1e-4))
RATE = 150e9  # floating-point operations per second that a rank of two cores sustains in a step, as measured
UPDATE = 28 / 15e9  # seconds of AdamW per parameter: it reads and writes 28 bytes of memory
BUCKETS = 32  # at most
RANKS = [2**i for i in range(11)]


def seconds(model, wire, n, rate=RATE):
    """The seconds of one step on n ranks: (products, waiting for gradients, sharing weights, update)."""
    products = 6 * model.parameters * model.tokens / (n * rate)
    sent = (n - 1) / n * 4 * model.parameters / wire.rate
    if n == 1:
        return products, 0.0, 0.0, UPDATE * model.parameters
    send = sent + BUCKETS * wire.latency
    waiting = (1 - model.blocks) * send + max(0.0, model.blocks * send - 2 / 3 * products)
    return products, waiting, sent + wire.latency, UPDATE * model.parameters / n


def efficiency(model, wire, n):
    """The speed of n ranks as a share of n times one rank's speed."""
    return sum(seconds(model, wire, 1)) / (n * sum(seconds(model, wire, n)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", metavar="FIGURE.svg", nargs="?")
    parser.add_argument("--tokens", type=int, help="tokens in a step")
    parser.add_argument("--rank", type=float, help="what a rank computes, GFLOP/s")
    parser.add_argument("--wire", type=float, help="what the wire carries each way, Gbit/s")
    args = parser.parse_args()
    if args.tokens:
        model, wire = Model("124M", 124e6, 0.68, args.tokens), Wire("", args.wire / 8 * 1e9, 0.0)
        for n in 1, 2:
            print(f"{n}: {sum(seconds(model, wire, n, args.rank * 1e9)):.2f} s")
        return
    print(f"{'':28} {'wire':18} " + " ".join(f"{n:>5}" for n in RANKS))
    for model in MODELS:
        for wire in WIRES:
            print(f"{model.name:28} {wire.name:18} " + " ".join(f"{efficiency(model, wire, n):5.2f}" for n in RANKS))
    if args.figure:
        draw(args.figure)


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
