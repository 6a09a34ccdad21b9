"""`numgpt translate`: translate texts with a Transformer."""

import json
import shutil

from numgpt.cli.arguments import DEFAULT_TRANSLATOR, add_checkpoint_argument, decode_argument
from numgpt.errors import InputError
from numgpt.files import atomic_write, decode_utf8, naming, read_standard_input

LINES = 256  # of standard input, translated together
MOST_TOKENS = 512  # of a text: longer texts than in training are translated worse, and memory grows
EPILOG = """examples:
  numgpt translate "I love you."
  numgpt translate < english.txt > french.txt
  numgpt translate --beam 4 "The cat is on the table."      the best translation that four beams find
  numgpt translate --alignment "The cat is on the table."
  numgpt translate --alignment -o cat.svg "The cat is on the table."
  numgpt translate --model run "I love you."                with a model of your own

Without TEXT, every line of standard input is translated, in order; an empty line stays empty. A text of more than 512
tokens is refused: translate it sentence by sentence, as the model was trained. The score of a translation is its
log-probability divided by length ** X, where X is --length-penalty and the length includes the end mark; 0 favours
short translations.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "translate",
        help="translate texts with a Transformer that was trained for it",
        description="Print the translation of each TEXT, one per line: the likeliest token at every position or, with "
        "--beam, the best translation that beam search finds.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts to translate (default: the lines of standard input)"
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_TRANSLATOR,
        metavar="DIR",
        help="english-french, bundled with numgpt (default), or a training run of numgpt train --task translate",
    )
    add_checkpoint_argument(parser, "best")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument(
        "--beam", "--num-beams", type=int, default=1, metavar="N", help="number of beams (default 1: no search)"
    )
    parser.add_argument(
        "--length-penalty", type=float, default=1.0, metavar="X", help="exponent of the length in a score (default 1)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="one JSON object per line: ids, log-probability, score, all beams"
    )
    form.add_argument("--alignment", action="store_true", help="show which source tokens each token attends to")
    parser.add_argument("-o", "--out", metavar="FILE.svg", help="with --alignment: write a drawing to FILE.svg")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.generation.beams import check_search
    from numgpt.loading import load_transformer

    check_search(args.beam, args.length_penalty)
    if args.out and not args.alignment:
        raise InputError("-o works only with --alignment: add it, or redirect standard output to keep the texts")
    model, tokenizer = load_transformer(args.model, args.dtype, args.device, args.checkpoint)
    texts = [decode_argument(text, f"text {n}") for n, text in enumerate(args.texts, 1)] or lines_of_input()
    where = "text {}" if args.texts else "standard input, line {}"
    encoded = [read(text, where.format(n), tokenizer) for n, text in enumerate(texts, 1)]
    drawn = []
    with naming("standard output"):
        for first in range(0, len(texts), LINES):
            here = slice(first, first + LINES)
            for line in shown(model, tokenizer, texts[here], encoded[here], args, drawn):
                print(line, flush=True)
    if args.out:
        draw(drawn, args.out)
    return 0


def lines_of_input():
    """The lines of standard input."""
    text = decode_utf8(read_standard_input("the texts"), "standard input")
    return text.removesuffix("\n").split("\n") if text else []


def read(text, where, tokenizer):
    """The ids of a text. Raises InputError, beginning with `where`, for one that is too long."""
    ids = tokenizer.encode(text.strip())
    if len(ids) > MOST_TOKENS:
        raise InputError(
            f"{where} has {len(ids)} tokens, more than the {MOST_TOKENS} allowed: translate it by sentences"
        )
    return ids


def shown(model, tokenizer, texts, encoded, args, drawn):
    """Yield the lines to print for each text; an empty text stays empty. `drawn` collects the grids for -o."""
    from numgpt.generation.alignment import grid

    found = iter(translated(model, [ids for ids in encoded if ids], args))
    for text, ids in zip(texts, encoded, strict=True):
        records = next(found) if ids else [record([], 0.0, 0.0)]
        for one in records:
            one["translation"] = " ".join(tokenizer.decode(one["ids"]).splitlines())  # always one line
        best = records[0]
        if args.json:
            others = {"beams": records} if args.beam > 1 else {}
            yield json.dumps({"source": text, "source_ids": ids, **best, **others}, ensure_ascii=False)
        else:
            yield best["translation"]
        if args.alignment and best["ids"]:
            attended = aligned(model, tokenizer, ids, best["ids"])
            if args.out:
                drawn.append(attended)
            else:
                yield f"\n{grid(*attended, shutil.get_terminal_size().columns)}\n"


def translated(model, sources, args):
    """For each source, its records, best first: one, or those of all beams."""
    from numgpt.generation.translation import translate
    from numgpt.generation.translation_beams import translate_beams

    if args.beam > 1:
        return [
            [record(*beam) for beam in beams]
            for beams in translate_beams(model, sources, args.beam, args.length_penalty)
        ]
    found = []
    for ids, logprobs in translate(model, sources):
        total = sum(logprobs)
        found.append([{**record(ids, total, total / len(logprobs) ** args.length_penalty), "logprobs": logprobs}])
    return found


def record(ids, logprob, score):
    """The fields of a translation for --json; logprob is in nats and includes the end mark."""
    return {"translation": "", "ids": ids, "logprob": logprob, "score": score}


def aligned(model, tokenizer, source, written):
    """The Aligned of a translation."""
    from numgpt.generation.alignment import alignment
    from numgpt.generation.alignment_svg import Aligned

    names = [[name_of(tokenizer, token) for token in ids] for ids in (source, written)]
    return Aligned(alignment(model, source, written), *names)


def draw(grids, path):
    """Write the grids to an SVG. Raises InputError if no text has a translation."""
    from numgpt.generation.alignment_svg import svg

    if not grids:
        raise InputError(f"no text has a translation, so {path} is not written")
    with atomic_write(path) as file:
        file.write(svg(grids).encode())


def name_of(tokenizer, token):
    """A token's text, as a label in a grid."""
    text = tokenizer.decode([token])
    return "".join(c if c.isprintable() else "\ufffd" for c in text.strip() or "_")
