"""`numgpt classify`: label texts with a classifier."""

import json

from numgpt.cli.arguments import add_checkpoint_argument, decode_argument
from numgpt.cli.translate import lines_of_input
from numgpt.errors import InputError
from numgpt.files import naming

LINES = 256  # of standard input, labelled together
MOST_TOKENS = 2048  # of a text: attention's memory grows with the square
EPILOG = """examples:
  numgpt classify --model run "I would buy it again."
  numgpt classify --model run < texts.txt > labels.txt
  numgpt classify --model run --json "I would buy it again."     with the probability of every label

Without TEXT, every line of standard input gets its label, in order; an empty line stays empty. A text of more than 2048
tokens is refused.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "classify",
        help="label texts with a classifier that was trained for it",
        description="Print the likeliest label of each TEXT, one per line.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts to label (default: the lines of standard input)"
    )
    parser.add_argument("--model", required=True, metavar="DIR", help="a training run of numgpt train --task classify")
    add_checkpoint_argument(parser, "best")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument("--json", action="store_true", help="one JSON object per line: text, label, probabilities")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.loading import load_classifier

    model, tokenizer = load_classifier(args.model, args.dtype, args.device, args.checkpoint)
    texts = [decode_argument(text, f"text {n}") for n, text in enumerate(args.texts, 1)] or lines_of_input()
    where = "text {}" if args.texts else "standard input, line {}"
    encoded = [read(text, where.format(n), tokenizer) for n, text in enumerate(texts, 1)]
    with naming("standard output"):
        for first in range(0, len(texts), LINES):
            here = slice(first, first + LINES)
            for line in labelled(model, texts[here], encoded[here], args.json):
                print(line, flush=True)
    return 0


def read(text, where, tokenizer):
    """The ids of a text. Raises InputError, beginning with `where`, for one that is too long."""
    ids = tokenizer.encode(text.strip())
    if len(ids) > MOST_TOKENS:
        raise InputError(f"{where} has {len(ids)} tokens, more than the {MOST_TOKENS} allowed: shorten it")
    return ids


def labelled(model, texts, encoded, as_json):
    """Yield the line to print for each text; an empty text has no label."""
    from numgpt.generation.classification import classify

    found = iter(classify(model, [ids for ids in encoded if ids]))
    for text, ids in zip(texts, encoded, strict=True):
        probabilities = dict(zip(model.labels, next(found), strict=True)) if ids else {}
        label = max(probabilities, key=probabilities.__getitem__) if ids else None
        if as_json:
            yield json.dumps({"text": text, "label": label, "probabilities": probabilities}, ensure_ascii=False)
        else:
            yield label or ""
