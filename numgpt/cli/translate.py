"""`numgpt translate`: texts in another language, by a Transformer."""

import json
import shutil
from argparse import RawDescriptionHelpFormatter

from numgpt.cli.arguments import add_checkpoint_argument, decode_argument
from numgpt.errors import InputError
from numgpt.files import decode_utf8, naming, read_standard_input

LINES = 256  # of standard input that are translated together
MOST_TOKENS = 512  # of a text: beyond the longest of the training, translations get worse, and memory grows
EPILOG = """examples:
  numgpt translate --model run "I love you."
  numgpt translate --model run < english.txt > french.txt
  numgpt translate --model run --alignment "The cat is on the table."

Without TEXT every line of standard input is translated, in order; an empty line stays one. A text of more than 512
tokens is refused: give it sentence by sentence, as the model learnt it.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "translate",
        help="translate texts with a Transformer that was trained for it",
        description="Print the translation of each TEXT on a line: at every place the likeliest token.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="without any, the lines of standard input")
    parser.add_argument("--model", required=True, metavar="DIR", help="a run of numgpt train --task translate")
    add_checkpoint_argument(parser, "best")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line: ids, log-probabilities and their sum")
    form.add_argument("--alignment", action="store_true", help="show what each token of a translation attends to")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.loading import load_transformer

    model, tokenizer = load_transformer(args.model, args.dtype, args.device, args.checkpoint)
    texts = [decode_argument(text, f"text {n}") for n, text in enumerate(args.texts, 1)] or lines_of_input()
    where = "text {}" if args.texts else "standard input, line {}"
    encoded = [read(text, where.format(n), tokenizer) for n, text in enumerate(texts, 1)]
    with naming("standard output"):
        for first in range(0, len(texts), LINES):
            here = slice(first, first + LINES)
            for line in shown(model, tokenizer, texts[here], encoded[here], args):
                print(line, flush=True)
    return 0


def lines_of_input():
    """The lines of standard input."""
    text = decode_utf8(read_standard_input("the texts"), "standard input")
    return text.removesuffix("\n").split("\n") if text else []


def read(text, where, tokenizer):
    """The ids of a text. Raises InputError, beginning with `where`, for one that is too long."""
    ids = tokenizer.encode(text.strip())
    if len(ids) > MOST_TOKENS:
        raise InputError(f"{where} has {len(ids)} tokens, and at most {MOST_TOKENS} are read: give it by sentences")
    return ids


def shown(model, tokenizer, texts, encoded, args):
    """Yield what is printed of each text; an empty one is its own translation."""
    from numgpt.generation.translation import Translation, translate

    found = iter(translate(model, [ids for ids in encoded if ids]))
    for text, ids in zip(texts, encoded, strict=True):
        translation = next(found) if ids else Translation([], [])
        written = " ".join(tokenizer.decode(translation.ids).splitlines())  # on one line, whatever the model wrote
        if args.json:
            yield json.dumps(as_record(text, ids, written, translation), ensure_ascii=False)
        else:
            yield written
        if args.alignment and translation.ids:
            yield f"\n{aligned(model, tokenizer, ids, translation.ids)}\n"


def as_record(text, ids, written, translation):
    """What --json tells: score is the log-probability of the whole, in nats."""
    return {
        "source": text,
        "source_ids": ids,
        "translation": written,
        "ids": translation.ids,
        "logprobs": translation.logprobs,
        "score": sum(translation.logprobs),
    }


def aligned(model, tokenizer, source, written):
    """The grid of a translation, for this terminal."""
    from numgpt.generation.alignment import alignment, grid

    names = [[name_of(tokenizer, token) for token in ids] for ids in (source, written)]
    return grid(alignment(model, source, written), *names, shutil.get_terminal_size().columns)


def name_of(tokenizer, token):
    """A token's text where it can stand in a grid."""
    text = tokenizer.decode([token])
    return "".join(c if c.isprintable() else "\ufffd" for c in text.strip() or "_")
