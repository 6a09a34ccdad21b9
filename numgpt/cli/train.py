"""`numgpt train`: from a text file to a model."""

import argparse
import os
import signal
import sys
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from shlex import quote

from numgpt.cli.arguments import add_checkpoint_argument
from numgpt.errors import InputError
from numgpt.files import LATEST, newest_checkpoint

EPILOG = """examples:
  numgpt train --data text.txt --out run              half an hour; then numgpt generate --model run "..."
  numgpt train --data text.txt --out run --preset char-small --max-steps 500
  numgpt train --resume run                           continue a run where it stopped, bit for bit
  numgpt train --resume run --max-steps 6000          give a run more steps; the learning rate follows a new schedule
  numgpt train --data text.txt --out run --init 124M  fine-tune a published model
  numgpt train --data pairs.jsonl --out run --init 124M
  numgpt train --data text.txt --out run --preset char-large --device cuda --precision bf16
  numgpt train --task classify --data labelled.tsv --out run    then numgpt classify --model run "..."

--data and --val-data:
  FILE         a text in UTF-8; if the tokenizer has <|endoftext|>, it ends a document (see --end-of-text)
  FOLDER       its .txt, .text and .md files, subfolders included, sorted by name; each file is a document
  FILE.jsonl   a document per line, {"text": "..."} or {"prompt": "...", "completion": "..."}: the completion is learnt
  FILE.npy     tokens, a one-dimensional array of integers
  FILE.tsv     with --task translate, a source and a target per line; with --task classify, a text and its label
Documents are held out whole: the last ones, as close to --val-fraction as possible. Each document is read after an
<|endoftext|> and ends with one, if the tokenizer has that token. A training window lies within one document, so no
token is predicted from another document. With --documents joined, all documents are read as one text.

The folder of a run holds its checkpoints, metrics.jsonl with a line per step, and loss.svg. The folder and each
checkpoint are models for numgpt generate --model. At most --keep + 2 checkpoints are on the disk: the newest ones, the
best, and the one being written. A checkpoint takes 16 bytes per parameter: the weights twice and AdamW's two averages
(20 with --ema, twice as much in float64). The tokens are kept too, at 2 or 4 bytes each, and 1 more with completions.

With --resume, a larger --max-steps may be given, and these options may change: --eval-every, --save-every,
--sample-every, --keep, --patience, --bleu-sentences, --recompute, --device and --precision.
"""
COMMANDS = {"text": "generate", "translate": "translate", "classify": "classify"}  # what reads a run of a task
STATUS_INTERRUPTED = 130  # 128 + SIGINT, as in shells
HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
BUSY = "numgpt: another process is training in this folder; waiting for it to end"
TAKEN = "another process is starting or training a run in {0}: give another folder, or continue that run later"


def add_parser(subparsers):
    from numgpt.training.presets import PRESETS
    from numgpt.training.settings import Settings, option

    width = max(map(len, PRESETS))
    presets = "\n".join(f"  {name:{width}}  {preset.purpose}" for name, preset in PRESETS.items())
    parser = subparsers.add_parser(
        "train",
        help="train a model on a text, or continue a run",
        description="Train a GPT on a text, on documents or on tokens, and save checkpoints. The end of the data is "
        "held out, to measure the loss on text that the model has not seen.\n\npresets:\n" + presets,
        epilog=EPILOG,
    )
    parser.add_argument(
        "--data", metavar="DATA", help="the data to train on, see below; - reads a text from standard input"
    )
    parser.add_argument("--val-data", metavar="DATA", help="the held-out data (default: the end of --data)")
    parser.add_argument("--out", metavar="DIR", type=Path, help="a new or empty folder for the run")
    parser.add_argument("--resume", metavar="DIR", type=Path, help="continue the run in DIR")
    add_checkpoint_argument(parser, "latest; later checkpoints and metrics are removed")
    parser.add_argument("--preset", metavar="NAME", help="one of the presets above; options override its settings")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument(
        "--precision",
        default="float32",
        metavar="NAME",
        help="precision of matrix products on a GPU: float32, or tf32 or bf16, which are faster (default float32)",
    )
    parser.add_argument(
        "--processes",
        default="auto",
        metavar="N",
        help="how many processes on this machine share each step; auto: as many as before with --resume, else one per "
        "core if that is measured to be faster (default auto; mpiexec sets its own number)",
    )
    settings = parser.add_argument_group("settings (defaults of the preset small)")
    for here in fields(Settings):
        kind = here.type if here.type in (int, float) else str
        value = {"type": kind, "metavar": {int: "N", float: "X", str: "NAME"}[kind]}
        settings.add_argument(
            option(here.name),
            default=argparse.SUPPRESS,  # so that only the options that the user gives override the preset
            help=(here.metadata["help"] + default_of(here)).replace("%", "%%"),
            **({"action": argparse.BooleanOptionalAction} if here.type is bool else value),
        )
    parser.set_defaults(run=run)


def default_of(setting):
    """The default of a setting, for the help; an empty text if there is none."""
    default = "off" if setting.default is False else setting.default
    return "" if default is None else f" (default {default})"


def run(args):
    from numgpt.training.parallel.start import follow_mpi, leading_mpi

    if follow_mpi():
        return 0
    with leading_mpi():
        return lead(args)


def lead(args):
    from numgpt.checkpoint.lock import exclusive
    from numgpt.training.parallel.start import read_processes
    from numgpt.training.presets import choose, task_named
    from numgpt.training.session import check_no_file, find_checkpoint, start_config
    from numgpt.training.settings import Settings

    processes = read_processes(args.processes, args.device)
    options = {here.name: getattr(args, here.name) for here in fields(Settings) if hasattr(args, here.name)}
    if args.resume:
        if args.out is not None:
            raise InputError("--resume continues in the run's own folder: leave out --out")
        find_checkpoint(args.resume, args.checkpoint or LATEST)
        with exclusive(args.resume / "lock", BUSY):
            return go_on(resumed(args, options), processes)
    if args.checkpoint is not None:
        raise InputError("--checkpoint works only with --resume: give both, or neither")
    if args.data is None or args.out is None:
        raise InputError("give --data DATA and --out DIR for a new run, or --resume DIR to continue one")
    if args.val_data is not None and "val_fraction" in options:
        raise InputError("--val-data is held out, so --val-fraction has no meaning: leave one of them out")
    start = start_config(options["init"], task_named(args.preset, options)) if "init" in options else None
    settings = choose(args.preset, options, start)
    check_no_file(args.out)
    with exclusive(args.out / "lock", TAKEN.format(args.out), wait=False):
        return go_on(begun(args, settings), processes)


def go_on(session, processes):
    """Take the remaining steps and print how the run ended; return the exit status."""
    from numgpt.cli.system_errors import explain
    from numgpt.cli.train_report import Report, best_accuracy
    from numgpt.training.loop import train
    from numgpt.training.parallel.start import teamed

    if session.trainer.out_of_patience:
        print(f"{session.run} {patience_ended(session)}")
        return 0
    if session.trainer.finished:
        n = session.settings.max_steps
        more = f"{resuming(session.run)} --max-steps {2 * n}"
        print(f"{session.run} is finished after all {n} steps; for more: {more}")
        return 0
    try:
        with signal_flag() as asked, teamed(session, processes) as session, Report(session) as report:
            finished = train(session, report, lambda: asked() is not None)
            status = 128 + (asked() or 0)
    except BrokenPipeError:  # nobody reads what is printed
        raise
    except OSError as error:
        raise InputError(f"{explain(error)}{what_is_left(session.run)}") from None
    found = best_accuracy(session) if finished else None
    if found:
        print(found)
    if session.trainer.out_of_patience:
        print(f"{session.run} {patience_ended(session)}")
        return 0
    if finished:
        command = COMMANDS[session.settings.task]
        print(f'finished; try it: numgpt {command} --model {quote(str(session.run))} "..."')
        return 0
    print(f"stopped after step {session.trainer.steps}, saved; continue with: {resuming(session.run)}")
    return status


def resuming(run):
    """The command that continues a run, quoted for any folder name."""
    return f"numgpt train --resume {quote(str(run))}"


def patience_ended(session):
    """The message about a run that ended because its loss on held-out text no longer falls."""
    best, n = session.trainer.best, session.settings.patience
    return (
        f"has ended after step {session.trainer.steps}: {n} evaluations in a row were no better than "
        f"{best.val_loss:.4f} at step {best.step}, the checkpoint that {COMMANDS[session.settings.task]} reads; "
        f"for more: {resuming(session.run)} --patience {2 * n}"
    )


def what_is_left(run):
    """The advice on a run after the disk failed."""
    good = newest_checkpoint(run)
    return f"; {good.name} is complete, continue from it with: {resuming(run)}" if good else ""


def begun(args, settings):
    """A new Session."""
    from numgpt.cli.progress import learning_bar
    from numgpt.training.session import begin

    with learning_bar() as progress:
        return begin(args.out, args.data, settings, progress, args.device, args.precision, args.val_data)


def resumed(args, options):
    """The Session of an existing run."""
    from numgpt.training.presets import named
    from numgpt.training.session import resume

    asked = options.get("max_steps")
    if args.preset is not None:
        options = named(args.preset).options | options
    options = {name: value for name, value in options.items() if name != "max_steps" or asked is None}
    which = args.checkpoint or LATEST
    return resume(args.resume, options, args.data, args.device, args.precision, args.val_data, asked, which)


@contextmanager
def signal_flag():
    """A function that returns the signal that asked the run to end, or None; the run then ends its step and saves.

    The signals are Ctrl-C, where a second Ctrl-C ends the process at once; SIGTERM; and SIGHUP, when the terminal is
    closed. Signals that the process was started to ignore stay ignored, as under `nohup`, or Ctrl-C in a script's
    `numgpt train ... &`.
    """
    asked = []

    def remember(number, _):
        asked.append(number)
        if signal.SIGINT in before:
            signal.signal(signal.SIGINT, before[signal.SIGINT])
        if number == HANGUP:
            forget_the_terminal()
        elif len(asked) == 1:
            again = "; press Ctrl-C again to stop at once" if number == signal.SIGINT else ""
            with suppress(OSError):
                print(f"\nfinishing this step, then saving{again}", file=sys.stderr)

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, HANGUP) if number is not None]
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, remember)
        yield lambda: asked[0] if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def forget_the_terminal():
    """Redirect the output to a closed terminal to os.devnull: writing to it would fail before the run is saved."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in sys.stdout, sys.stderr:
        if stream is not None and stream.isatty():
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
