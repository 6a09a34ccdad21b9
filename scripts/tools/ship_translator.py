#!/usr/bin/env python3
"""Copy the best checkpoint of a run of `numgpt train --task translate` to a folder as the model to ship.

    python scripts/tools/ship_translator.py RUN FOLDER

Float16 on disk, with the vocabulary under Hugging Face's names only, and with the licence of the pairs that it was
trained on. Prints the held-out loss of what was written, read back as a user reads it, on everything that RUN held out.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from numgpt.files import atomic_write  # noqa: E402  (after the path to it is known)
from numgpt.loading import load_transformer  # noqa: E402
from numgpt.training.data import PARTS, open_part  # noqa: E402
from numgpt.training.held_out_pairs import HeldOutPairs  # noqa: E402
from numgpt.training.pair_batches import PairPart  # noqa: E402

BATCH_TOKENS = 3500
OPENAI_NAMES = "encoder.json", "vocab.bpe"  # the same vocabulary again: leaving them out saves 165 kB
LICENCE = """\
This model was trained on pairs of English and French sentences from the Tatoeba Project, as www.manythings.org/anki
published them on 2017-09-29 (fra-eng).

Attribution: www.manythings.org/anki and tatoeba.org
Licence of the pairs: Creative Commons Attribution 2.0 France, https://creativecommons.org/licenses/by/2.0/fr/

The pairs themselves are not in this folder. Vocabulary and weights were learnt from 98 % of the English sentences and
their translations by `numgpt train --task translate`. What is numgpt's own in them is under its MIT licence.
"""


def main(run, folder):
    model, tokenizer = load_transformer(run)
    model.save(folder, "float16")
    tokenizer.save(folder)
    for name in OPENAI_NAMES:
        (folder / name).unlink(missing_ok=True)
    with atomic_write(folder / "LICENSE.txt", "w") as file:
        file.write(LICENCE)
    model, tokenizer = load_transformer(folder)
    held_out = HeldOutPairs(PairPart(open_part(run / "data", PARTS[1])), BATCH_TOKENS, 0, 0, tokenizer)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"held-out loss {held_out.loss(model).per_token:.4f} nats per token; {size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    main(args.run, args.folder)
