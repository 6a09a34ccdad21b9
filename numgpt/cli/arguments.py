"""What several subcommands take: a model, and a text from the command line or from standard input."""

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
    """--model and how it is loaded."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help="shakespeare, which comes with numgpt (default), a published name (124M, 355M, 774M, 1558M), a folder, or "
        "a repository of Hugging Face's (org/name)",
    )
    add_checkpoint_argument(parser, "best")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (default float32)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument("--offline", action="store_true", help="never download anything")


def add_processes_argument(parser, of=""):
    """--processes, for work that is dealt out."""
    parser.add_argument(
        "--processes",
        metavar="N",
        help=f"{of}how many processes of this machine share the work; what comes out is the same (default 1; under "
        "mpiexec its number counts)",
    )


def add_checkpoint_argument(parser, default):
    """--checkpoint, which chooses among those of a training run."""
    parser.add_argument(
        "--checkpoint",
        metavar="WHICH",
        help="of a training run: best (the lowest loss on held-out text), latest, or a number of steps "
        f"(default {default})",
    )


def add_special_argument(parser):
    """--allow-special, for a text that is encoded."""
    parser.add_argument(
        "--allow-special",
        action="store_true",
        help="read the texts of special tokens, such as <|endoftext|>, as these tokens",
    )


def allowed_special(args):
    """What `encode` is to take as `allowed_special`, as --allow-special says."""
    return "all" if args.allow_special else ()


def tell_special(tokenizer, text, args, name):
    """Say on standard error which special tokens' texts `text` holds that are read as ordinary text, if any."""
    from numgpt.tokenizer.added import read_as_text

    found = read_as_text(tokenizer, text, allowed_special(args))
    if found:
        many = len(found) > 1
        notice(
            f"{name} holds {' and '.join(found[:3])}{', ...' if found[3:] else ''}, read as ordinary text; "
            f"--allow-special reads {'them as the tokens' if many else 'it as the token'}"
        )


def notice(text):
    """Something on standard error that is no error: one line, which a terminal shows in as many as it takes."""
    print(wrapped(f"numgpt: {text}", sys.stderr), file=sys.stderr)


def wrapped(text, stream):
    """A paragraph broken between words where `stream` is a terminal; the same line for a file or a program."""
    if not stream.isatty():
        return text
    return textwrap.fill(text, shutil.get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)


def text_or_stdin(argument, name):
    """`argument`; where it is None or "-", what standard input has, without the line break at its end.

    Raises InputError for what is not UTF-8; `name` says what the text is.
    """
    if argument not in (None, "-"):
        return decode_argument(argument, name)
    text = decode_utf8(read_standard_input(name), "standard input")
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def decode_argument(argument, name):
    """The text of a word of the command line, whose bytes are UTF-8 whatever the locale makes of them.

    What is not UTF-8 is what the locale says. Raises InputError where it says nothing.
    """
    with suppress(UnicodeError):
        return os.fsencode(argument).decode("utf-8")
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{name} is not valid UTF-8: {quoted(argument)}") from None
    return argument
