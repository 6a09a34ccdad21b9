"""`numgpt bleu`: how close a Transformer's translations are to human ones."""

import json
import time

from numgpt.cli.arguments import DEFAULT_TRANSLATOR, add_checkpoint_argument
from numgpt.cli.translate import read, translated
from numgpt.errors import InputError

EPILOG = """examples:
  numgpt bleu fra.tsv --val-fraction 0.02 --model run       on the pairs that training held out
  numgpt bleu fra.tsv --val-fraction 0.02 --beam 4
  numgpt bleu test.tsv                                      on a whole file that training never saw

Each source is translated once, and its translation is compared with all of its targets in PAIRS.tsv. The sources that
--val-fraction selects depend only on the file and the fraction: they are the ones that training with the same file and
the same --val-fraction held out. A BLEU score means nothing without sacrebleu's signature, and nothing on sentences
that the model was trained on.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "bleu",
        help="measure a Transformer's translations",
        description="Translate the sources in PAIRS.tsv and print the BLEU score of the translations, by sacrebleu.",
        epilog=EPILOG,
    )
    parser.add_argument("pairs", metavar="PAIRS.tsv", help="source TAB target on each line; - reads standard input")
    parser.add_argument("--val-fraction", type=float, metavar="X", help="use only the fraction that training held out")
    parser.add_argument("--model", default=DEFAULT_TRANSLATOR, metavar="DIR", help="as for numgpt translate")
    add_checkpoint_argument(parser, "best")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument(
        "--beam", "--num-beams", type=int, default=1, metavar="N", help="number of beams (default 1: no search)"
    )
    parser.add_argument(
        "--length-penalty", type=float, default=1.0, metavar="X", help="exponent of the length in a score (default 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.generation.beams import check_search
    from numgpt.loading import load_transformer
    from numgpt.training.bleu import corpus_bleu, has_sacrebleu

    if not has_sacrebleu():
        raise InputError("BLEU needs the sacrebleu library: pip install 'numgpt[bleu]'")
    check_search(args.beam, args.length_penalty)
    references = chosen(args.pairs, args.val_fraction)
    model, tokenizer = load_transformer(args.model, args.dtype, args.device, args.checkpoint)
    sources = [read(text, f"the source {n} of {args.pairs}", tokenizer) for n, text in enumerate(references, 1)]
    begun = time.perf_counter()
    found = [tokenizer.decode(records[0]["ids"]) for records in translated(model, sources, args)]
    seconds = time.perf_counter() - begun
    bleu, signature = corpus_bleu(found, list(references.values()))
    result = {
        "model": args.model,
        "bleu": bleu,
        "signature": signature,
        "sources": len(references),
        "references": sum(map(len, references.values())),
        "beams": args.beam,
        "seconds": round(seconds, 1),
    }
    show(result, args.json)
    return 0


def chosen(path, val_fraction):
    """source -> its targets, from the pairs at `path` or from the fraction that training holds out.

    Raises InputError as reading the pairs does.
    """
    from numgpt.numbers import check_number
    from numgpt.training.pairs import read_pairs

    if val_fraction is not None:
        check_number(val_fraction, "val_fraction", above=0, below=1)
    read_all = read_pairs(path)
    pairs = read_all.pairs if val_fraction is None else read_all.split(val_fraction)[1]
    references = {}
    for source, target in pairs:
        references.setdefault(source, []).append(target)
    return references


def show(result, as_json):
    """Print the figures: as one line of JSON, or one per row."""
    if as_json:
        print(json.dumps(result))
        return
    for name, value in {**result, "bleu": f"{result['bleu']:.2f}"}.items():
        print(f"{name:10} {value}")
