"""`numgpt tokenizer`: turn text into token ids and back, or learn a vocabulary."""

import json
import re
from pathlib import Path

from numgpt.cli.arguments import add_special_argument, text_or_stdin
from numgpt.errors import InputError

GPT2 = "124M"  # all published sizes have the same vocabulary

EPILOG = """examples:
  numgpt tokenizer encode "Hello world"           15496 995
  numgpt tokenizer decode 15496 995               Hello world
  numgpt tokenizer encode "To be" --model shakespeare     with the bundled vocabulary
  numgpt tokenizer encode --json < book.txt       ids together with the text of every token
  numgpt tokenizer encode "Hi" --vocab folder     encoder.json and vocab.bpe, or vocab.json and merges.txt
  numgpt tokenizer train book.txt --vocab-size 1024 -o folder
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "tokenizer",
        help="turn text into token ids and back, or learn a vocabulary",
        description="Turn text into token ids, turn ids into text, or learn a vocabulary from a text.",
        epilog=EPILOG,
    )
    actions = parser.add_subparsers(title="what to do", metavar="encode|decode|train", required=True)
    encode = actions.add_parser(
        "encode",
        help="turn text into ids",
        description="Print the ids of TEXT, or of standard input without the line break at its end.",
    )
    encode.add_argument("text", nargs="?", metavar="TEXT", help="the text (- or none: standard input)")
    add_special_argument(encode)
    encode.set_defaults(run=run_encode)
    decode = actions.add_parser(
        "decode", help="turn ids into text", description="Print the text of the IDs, or of the ids on standard input."
    )
    decode.add_argument(
        "ids", nargs="*", metavar="ID", help="whole numbers separated by spaces or commas (- or none: standard input)"
    )
    decode.set_defaults(run=run_decode)
    train = actions.add_parser(
        "train",
        help="learn a vocabulary from a text",
        description="Learn the merges of a byte-level BPE from FILE, with GPT-2's pattern, and write encoder.json and "
        "vocab.bpe in GPT-2's format.",
    )
    train.add_argument("file", metavar="FILE", help="a text in UTF-8; - reads standard input")
    train.add_argument(
        "--vocab-size", type=int, default=1024, metavar="N", help="size of the vocabulary (default 1024)"
    )
    train.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    train.set_defaults(run=run_train)
    for action in (encode, decode):
        source = action.add_mutually_exclusive_group()
        source.add_argument(
            "--model",
            metavar="NAME",
            help=f"use the vocabulary of a published model (default {GPT2}; 1.5 MB are downloaded the first time), of "
            "shakespeare, bundled with numgpt, or of a folder with a model",
        )
        source.add_argument("--vocab", metavar="DIR", help="use the vocabulary files in this folder")
        action.add_argument("--offline", action="store_true", help="never download anything")
        action.add_argument("--json", action="store_true", help="print one JSON object, with the text of every token")


def run_encode(args):
    text = text_or_stdin(args.text, "the text")
    tokenizer = find_tokenizer(args)
    ids = tokenizer.encode(text, allowed_special="all" if args.allow_special else ())
    print(describe(tokenizer, text, ids) if args.json else " ".join(map(str, ids)))
    return 0


def run_decode(args):
    ids = parse_ids(" ".join(args.ids) if args.ids not in ([], ["-"]) else text_or_stdin(None, "the ids"))
    tokenizer = find_tokenizer(args)
    text = tokenizer.decode(ids)
    print(describe(tokenizer, text, ids) if args.json else text)
    return 0


def run_train(args):
    from numgpt.cli.progress import learning_bar
    from numgpt.tokenizer.trainer import train_bpe
    from numgpt.training.documents import read_document

    text = read_document(args.file)
    with learning_bar() as progress:
        tokenizer = train_bpe(text, args.vocab_size, progress)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(args.out)
    fewer = f": no other pair occurs twice in {args.file}" if tokenizer.n_vocab < args.vocab_size else ""
    print(f"{tokenizer.n_vocab} tokens in {args.out}{fewer}")
    return 0


def find_tokenizer(args):
    """The tokenizer that --model or --vocab names. Raises InputError if there is none."""
    from numgpt.loading import read_vocabulary
    from numgpt.tokenizer import load_tokenizer, no_vocabulary

    source = args.vocab or args.model or GPT2
    tokenizer = load_tokenizer(source) if args.vocab else read_vocabulary(source, args.offline, load_tokenizer)
    if tokenizer is None:
        raise InputError(no_vocabulary(source))
    return tokenizer


def parse_ids(text):
    """Whole numbers separated by spaces or commas, in brackets or not, as a list of int."""
    words = re.findall(r"[^\s,\[\]]+", text)
    wrong = [word for word in words if not re.fullmatch(r"[0-9]{1,18}", word)]
    if wrong:
        raise InputError(f"a token id is a whole number of at least 0, not {wrong[0]!a:.60}")
    return [int(word) for word in words]


def describe(tokenizer, text, ids):
    """The JSON object that --json prints."""
    return json.dumps({"text": text, "ids": ids, "tokens": [tokenizer.decode([token]) for token in ids]})
