"""The command line: one file per subcommand, each with `add_parser(subparsers)` and `run(args)` -> exit status."""

import os
import sys

from numgpt import __version__
from numgpt.cli import (
    bleu,
    classify,
    download,
    evaluate,
    explain,
    generate,
    gradcheck,
    info,
    loss,
    system_errors,
    textbook,
    tokenizer,
    train,
    translate,
    verify,
)
from numgpt.cli.parser import STATUS_USER_ERROR, Parser, with_options
from numgpt.cli.train import STATUS_INTERRUPTED
from numgpt.errors import LONGEST, InputError, shorten
from numgpt.kernels import kernels_in_use

EPILOG = """examples:
  numgpt generate "ROMEO:"                the bundled model continues in Shakespeare's style
  numgpt generate --model 124M "The dog"  GPT-2 continues; it is downloaded the first time
  numgpt gradcheck                        prove every gradient
  numgpt COMMAND --help                   a command's options, with examples
"""
STATUS_CLOSED_PIPE = 141  # 128 + SIGPIPE


def main(argv=None):
    """Run one command line, `argv` or the process's own; return the exit status. Without arguments, print the help.

    Errors that the user can correct (InputError, OSError, no memory) give one line on standard error and status 2.
    Ctrl-C and a reader that closes the pipe end the command quietly.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a character that the terminal lacks must not end the text
    try:
        words = sys.argv[1:] if argv is None else argv
        args = build_parser().parse_args(words or ["--help"])
        kernels_in_use()  # so that a wrong NUMGPT_KERNELS is reported before any work
        status = args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except SystemExit as end:  # argparse: --help, --version, or a wrong argument
        return end.code
    except KeyboardInterrupt:
        return STATUS_INTERRUPTED
    except BrokenPipeError:
        return STATUS_CLOSED_PIPE
    except InputError as error:
        return complain(with_options(str(error), args.options))
    except OSError as error:
        return complain(system_errors.explain(error))
    except MemoryError as error:
        return complain(f"not enough memory: {error}")
    finally:
        drop_what_cannot_be_written()


def build_parser():
    """The parser of all subcommands; `run` of the parsed arguments is the function to call."""
    parser = Parser(
        prog="numgpt",
        description="GPT-2 in NumPy, with every gradient derived and written by hand.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"numgpt {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        generate,
        train,
        translate,
        classify,
        explain,
        loss,
        evaluate,
        bleu,
        download,
        verify,
        tokenizer,
        gradcheck,
        textbook,
        info,
    ):
        command.add_parser(subparsers)
    return parser


def complain(error):
    """Print `error` as one line on standard error; return the exit status."""
    print(f"numgpt: {shorten(str(error), LONGEST)}", file=sys.stderr)
    return STATUS_USER_ERROR


def drop_what_cannot_be_written():
    """Point standard output at os.devnull if it is closed or full, so that Python does not complain at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
