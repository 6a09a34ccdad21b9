"""Save one small model in every layout in which people keep a GPT-2, and show what numgpt does with each.

Usage: python scripts/tools/layouts [--model FOLDER] (with torch, transformers and safetensors; made with 5.24)

Prints the table of docs/models.md: each layout loads and gives the logits that transformers computed from the same
values, in float64, or is refused in one line. FOLDER holds a GPT-2 as transformers saves it; without it, one with
random weights is made. The exit status is 1 if a row is wrong.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[3]))

from table import ROWS, Source, reason  # noqa: E402

import numgpt  # noqa: E402

PARTS = ("tensors", "vocabularies", "refusals")  # importing one puts its layouts into ROWS
TOLERANCE = 1e-9
differences = []  # the largest between logits, for every layout that loads


def outcome(folder, write, refused, source):
    """What numgpt does with a layout, in a few words. Raises AssertionError if that is wrong."""
    right = write(folder, source)
    if refused and refused != "converted":
        line = reason(folder)
        assert refused in line, line
        return "refused: " + line.replace(f"{folder}/", "").replace(f"{folder}: ", "")
    right, check = right if isinstance(right, tuple) and callable(right[1]) else (right, lambda *_: True)
    model, tokenizer = numgpt.load(folder, dtype="float64")
    ids, logits = right if isinstance(right, tuple) else by_transformers(right or source.model)
    differences.append(np.abs(model.forward(ids) - logits).max())
    assert differences[-1] < TOLERANCE, differences[-1]
    assert check(model, tokenizer), "the tokenizer differs"
    return "loads after that" if refused else "loads"


def by_transformers(model):
    """(ids, logits in float64) of a random text."""
    ids = np.random.default_rng(0).integers(0, 90, (2, 16))
    dtype = model.dtype
    with torch.no_grad():
        logits = model.double()(torch.from_numpy(ids)).logits.numpy()
    model.to(dtype)
    return ids, logits


def run(source):
    """Print a line of the table for each layout; return the number of rows that went wrong."""
    wrong = 0
    for what, (write, refused) in ROWS.items():
        with tempfile.TemporaryDirectory() as place:
            try:
                found = outcome(Path(place), write, refused, source)
            except Exception as error:
                wrong += 1
                found = f"WRONG: {type(error).__name__}: {error}"
        print(f"| {what} | {found} |")
    return wrong


def main():
    for part in PARTS:
        importlib.import_module(part)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", metavar="FOLDER")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print("| Layout | Result |\n|---|---|")
    wrong = run(Source(parser.parse_args().model))
    figure = f"{len(differences)} load, with logits that differ by at most {max(differences):.0e}"
    print(f"{len(ROWS)} layouts: {figure}; {wrong} rows are wrong", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
