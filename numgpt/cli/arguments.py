"""What several subcommands take: a model, and a text from the command line or from standard input."""

import os
import sys
from contextlib import suppress

from numgpt.checks import shown
from numgpt.cli.os_errors import doing
from numgpt.errors import InputError

DEFAULT_MODEL = "shakespeare"


def add_model_arguments(parser):
    """--model and how it is loaded."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help="shakespeare, which comes with numgpt (default), a published name (124M, 355M, 774M, 1558M) or a folder",
    )
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument("--offline", action="store_true", help="never download anything")


def read_text(argument, name):
    """`argument`; where it is None or "-", what standard input has, without the line break at its end.

    Raises InputError for what is not UTF-8; `name` says what the text is.
    """
    if argument not in (None, "-"):
        return decode_argument(argument, name)
    text = read_standard_input(name)
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def read_standard_input(name):
    """All of standard input, in which a byte order mark at the head is no character. Raises as `read_text` does."""
    if sys.stdin is None:
        raise InputError(f"{name} is missing, and there is no standard input to read it from")
    if sys.stdin.isatty():
        print(f"numgpt: reading {name} from standard input; Ctrl-D ends it", file=sys.stderr)
    with doing(f"reading {name}", "standard input"):
        data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(
            f"standard input is not valid UTF-8: byte {error.start} is 0x{data[error.start]:02x}"
        ) from None


def decode_argument(argument, name):
    """The text of a word of the command line, whose bytes are UTF-8 whatever the locale makes of them.

    What is not UTF-8 is what the locale says. Raises InputError where it says nothing.
    """
    with suppress(UnicodeError):
        return os.fsencode(argument).decode("utf-8")
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{name} is not valid UTF-8: {shown(argument)}") from None
    return argument


def load_model(args):
    """(model, tokenizer) that the arguments of `add_model_arguments` name. Raises InputError without a tokenizer."""
    from numgpt.loading import load

    with doing("reading the model", args.model):
        model, tokenizer = load(args.model, dtype=args.dtype, device=args.device, offline=args.offline)
    if tokenizer is None:
        raise InputError(f"{args.model} has no vocabulary files: put vocab.json and merges.txt beside the model")
    return model, tokenizer
