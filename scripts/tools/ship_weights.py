#!/usr/bin/env python3
"""Copy the newest checkpoint of a training run to a folder as weights to ship: float16 on disk, with the tokenizer.

    python scripts/tools/ship_weights.py RUN FOLDER

Prints the held-out loss of what was written, read back as a user reads it: nats per token and per character over the
whole held-out text, in windows of the model's context that do not overlap.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numgpt  # noqa: E402  (after the path to it is known)
from numgpt.checkpoint import save_checkpoint  # noqa: E402
from numgpt.training.data import open_tokens  # noqa: E402
from numgpt.training.evaluate import HeldOut  # noqa: E402


def main(run, folder):
    model, tokenizer = numgpt.load(run)
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder, model.config, {name: value for name, value, _ in model.named_parameters()}, "float16")
    tokenizer.save(folder)
    shipped, tokenizer = numgpt.load(folder)
    context = shipped.config.n_ctx
    _, held_out = open_tokens(run / "data", context)
    loss = HeldOut(held_out, context, 16, 0, tokenizer).loss(shipped)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"held-out loss {loss.per_token:.4f} nats per token, {loss.per_character:.4f} per character; {size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
