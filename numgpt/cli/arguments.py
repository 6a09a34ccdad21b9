"""Arguments that several subcommands share: a model, and a text from the command line or from standard input."""

import os
import shutil
import sys
import textwrap
from contextlib import suppress

from numgpt.errors import InputError
from numgpt.files import decode_utf8, quoted, read_standard_input

DEFAULT_MODEL = "shakespeare"
DEFAULT_TRANSLATOR = "english-french"


def add_model_arguments(parser):
    """Add --model and the options that say how the model is loaded."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help="shakespeare, bundled with numgpt (default); a published name (124M, 355M, 774M, 1558M); a folder; or a "
        "Hugging Face repository (org/name)",
    )
    add_checkpoint_argument(parser, "best")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument("--offline", action="store_true", help="never download anything")


def add_processes_argument(parser, of=""):
    """Add --processes, for work that several processes can share."""
    parser.add_argument(
        "--processes",
        metavar="N",
        help=f"{of}how many processes on this machine share the work, which changes the output by rounding only "
        "(default 1; mpiexec sets its own number)",
    )


def add_checkpoint_argument(parser, default):
    """Add --checkpoint, which chooses among the checkpoints of a training run."""
    parser.add_argument(
        "--checkpoint",
        metavar="WHICH",
        help="which checkpoint of a training run: best (lowest loss on held-out text), latest, or a step number "
        f"(default {default})",
    )


def add_special_argument(parser):
    """Add --allow-special, for commands that encode a text."""
    parser.add_argument(
        "--allow-special",
        action="store_true",
        help="encode special tokens in the text, such as <|endoftext|>, as tokens instead of as ordinary text",
    )


def allowed_special(args):
    """The `allowed_special` argument of `encode` that --allow-special stands for."""
    return "all" if args.allow_special else ()


def tell_special(tokenizer, text, args, name):
    """Say on standard error which special tokens in `text`, if any, are read as ordinary text."""
    from numgpt.tokenizer.added import read_as_text

    found = read_as_text(tokenizer, text, allowed_special(args))
    if found:
        many = len(found) > 1
        notice(
            f"{name} contains {' and '.join(found[:3])}{', ...' if found[3:] else ''}, read as ordinary text; "
            f"--allow-special reads {'them as tokens' if many else 'it as a token'}"
        )


def notice(text):
    """Print a message that is not an error on standard error: one line, wrapped on a terminal."""
    print(wrapped(f"numgpt: {text}", sys.stderr), file=sys.stderr)


def wrapped(text, stream):
    """`text`, wrapped between words if `stream` is a terminal; unchanged for a file or a program."""
    if not stream.isatty():
        return text
    return textwrap.fill(text, shutil.get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)


def text_or_stdin(argument, name):
    """`argument`; if it is None or "-", the text on standard input, without the line break at its end.

    Raises InputError if the text is not UTF-8; `name` says what the text is.
    """
    if argument not in (None, "-"):
        return decode_argument(argument, name)
    text = decode_utf8(read_standard_input(name), "standard input")
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def decode_argument(argument, name):
    """The text of a word of the command line, decoded as UTF-8 whatever the locale.

    Bytes that are not UTF-8 are decoded by the locale. Raises InputError if the locale cannot decode them either.
    """
    with suppress(UnicodeError):
        return os.fsencode(argument).decode("utf-8")
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{name} is not valid UTF-8: {quoted(argument)}") from None
    return argument
