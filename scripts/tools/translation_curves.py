#!/usr/bin/env python3
"""The same translation model trained twice, by numgpt and by PyTorch's nn.Transformer: the losses side by side.

    python scripts/tools/translation_curves.py RUN [--steps 300]

RUN is a folder of `numgpt train --task translate`, whose tokens are read. Both start from the same weights and see the
same batches, in the order of that run, at the same learning rates; dropout is each side's own. Prints the mean training
loss of every 25 steps, and the smoothed loss of both on 4000 held-out tokens.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[i]) for i in (1, 2)]

from benchmarks.torch_transformer import copy_of  # noqa: E402  (after the path to numgpt is known)
from benchmarks.translating import BUNDLED, SETTINGS, steps, their_loss, their_steps  # noqa: E402
from numgpt import Transformer  # noqa: E402
from numgpt.training.data import PARTS, open_part  # noqa: E402
from numgpt.training.pair_batches import PairBatches, PairPart  # noqa: E402

WARMUP, SMOOTHING, EVERY = 100, 0.1, 25


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    train, held_out = (PairPart(open_part(args.run / "data", part)) for part in PARTS)
    model = Transformer(BUNDLED)
    theirs = copy_of(model)
    sides = {"numgpt": steps(model), "PyTorch": their_steps(theirs)}
    batches = PairBatches(train, 3500, SMOOTHING, np.random.default_rng(0))
    losses = {side: [] for side in sides}
    print(f"{'steps':>6} {'numgpt':>8} {'PyTorch':>8}")
    for n, batch in enumerate(islice(iter(batches.draw, None), args.steps), 1):
        lr = SETTINGS["lr"] * min(1, n / WARMUP)
        for side, step in sides.items():
            losses[side].append(step(*batch, lr=lr))
        if n % EVERY == 0:
            print(f"{n:6}" + "".join(f" {mean(losses[side][-EVERY:]):8.4f}" for side in sides), flush=True)
    pairs = held_out.cut(held_out.by_length(np.arange(len(held_out.spans))), 4000)
    unseen = *held_out.rows(pairs[len(pairs) // 2]), SMOOTHING
    print(f"held out {model.eval().loss(*unseen):.4f} {their_loss(theirs.eval(), *unseen).item():8.4f}")


if __name__ == "__main__":
    main()
