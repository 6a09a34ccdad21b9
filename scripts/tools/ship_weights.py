#!/usr/bin/env python3
"""Copy the best checkpoint of a training run to a folder as weights to ship: float16 on disk, with the tokenizer.

    python scripts/tools/ship_weights.py RUN FOLDER [--calibrate OTHER]

Prints the held-out loss of what was written, read back as a user reads it: nats per token and per character over the
whole held-out text, in windows of the model's context that do not overlap.

A model that has read its text several times is overconfident about any other: its logits are too far apart. --calibrate
multiplies them, in the last LayerNorm's weights, by the factor that suits OTHER best on what OTHER held out: a run with
the same settings on part of the text, so that what RUN held out has no influence.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numgpt  # noqa: E402  (after the path to it is known)
from numgpt.checkpoint import save_checkpoint  # noqa: E402
from numgpt.training.data import open_tokens  # noqa: E402
from numgpt.training.evaluate import HeldOut  # noqa: E402

LOWEST, HIGHEST, STEPS = 0.6, 1.2, 12
GOLDEN = (5**0.5 - 1) / 2


def held_out_loss(model, tokenizer, run):
    """The loss of `model` on everything that the run held out."""
    context = model.config.n_ctx
    return HeldOut(open_tokens(run / "data", context)[1], context, 16, 0, tokenizer).loss(model)


def best_factor(run):
    """The factor for the logits of a run's model that gives the lowest loss on what the run held out."""
    model, tokenizer = numgpt.load(run)
    before = model.ln_f.weight.copy(), model.ln_f.bias.copy()

    def loss(factor):
        scale(model, factor, before)
        return held_out_loss(model, tokenizer, run).per_token

    low, high = LOWEST, HIGHEST
    for _ in range(STEPS):  # golden section: the loss is convex in the factor
        a, b = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return round((low + high) / 2, 2)


def scale(model, factor, before):
    """Make the logits `factor` times those with `before`, the last LayerNorm's weight and bias."""
    for value, original in zip((model.ln_f.weight, model.ln_f.bias), before, strict=True):
        value[...] = original * factor


def main(run, folder, other):
    model, tokenizer = numgpt.load(run)
    if other is not None:
        factor = best_factor(other)
        scale(model, factor, (model.ln_f.weight.copy(), model.ln_f.bias.copy()))
        print(f"logits multiplied by {factor}")
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder, model.config, {name: value for name, value, _ in model.named_parameters()}, "float16")
    tokenizer.save(folder)
    loss = held_out_loss(*numgpt.load(folder), run)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"held-out loss {loss.per_token:.4f} nats per token, {loss.per_character:.4f} per character; {size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--calibrate", type=Path, metavar="OTHER")
    args = parser.parse_args()
    main(args.run, args.folder, args.calibrate)
