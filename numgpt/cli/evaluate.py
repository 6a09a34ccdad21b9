"""`numgpt evaluate`: a figure, with the name of the protocol by which it was computed."""

import json
import sys

from numgpt.cli.arguments import add_model_arguments, add_processes_argument
from numgpt.cli.progress import units_bar

EPILOG = """examples:
  numgpt evaluate --list                                                all tasks
  numgpt evaluate wikitext-lm-eval --model 124M                         word perplexity 37.37, as published
  numgpt evaluate lambada-lm-eval --model 124M --limit 200              part of it, with the standard error
  numgpt evaluate hellaswag-llm.c --model 124M --out rows.jsonl         resumes if it was interrupted
  numgpt evaluate text --file book.txt --protocol strided --stride 256  any text
  numgpt evaluate text --file book.txt --protocol rolling

A perplexity means nothing without its protocol: how the text is cut, what context each token sees, and what the sum is
divided by. If a figure has been published for the same protocol, model size and text, the result says whether the two
agree. scripts/fetch-texts fetches the texts. On a terminal, the figures are printed as a table; elsewhere, or with
--json, as one line of JSON. docs/evaluation.md explains the protocols.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "evaluate",
        help="compute a model's figures by a published protocol",
        description="Compute a model's perplexity or accuracy by the protocol of TASK.",
        epilog=EPILOG,
    )
    parser.add_argument("task", metavar="TASK", nargs="?", help="a name that --list prints, or text for any text")
    parser.add_argument("--list", action="store_true", help="list the tasks and their protocols")
    parser.add_argument("--file", metavar="FILE", help="the text; - reads standard input")
    parser.add_argument("--protocol", metavar="NAME", help="for the task text: strided (default) or rolling")
    parser.add_argument(
        "--stride",
        type=int,
        metavar="N",
        help="for the protocol strided: tokens from the start of one window to the next (default: the context)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="score only the first N windows, pages or lines")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="windows in a batch (default 8)")
    parser.add_argument(
        "--out",
        metavar="FILE.jsonl",
        help="append the record of each unit (window, page or line) to FILE; the same command then resumes from it",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    add_processes_argument(parser)
    add_model_arguments(parser)
    parser.set_defaults(run=run)


def run(args):
    from numgpt.cli.dealing import follow
    from numgpt.training.parallel.start import follow_mpi, leading_mpi

    if follow_mpi(follow):
        return 0
    with leading_mpi():
        return lead(args)


def lead(args):
    from numgpt.cli.dealing import dealing
    from numgpt.errors import InputError
    from numgpt.evaluation import evaluate
    from numgpt.evaluation.run import find_text
    from numgpt.evaluation.tasks import find_task
    from numgpt.loading import load
    from numgpt.tokenizer import no_vocabulary
    from numgpt.training.parallel.start import mpi

    if args.list:
        return list_tasks()
    if args.task is None:
        raise InputError("no task is given: `numgpt evaluate --list` prints them")
    task = find_task(args.task, args.protocol, args.stride)
    find_text(args.task, task, args.file)  # so that a wrong name is reported before a model is loaded or downloaded
    with dealing(args.processes, args.device) as deal, units_bar() as progress:
        model, tokenizer = load(args.model, args.dtype, args.device, args.offline, args.checkpoint)
        if tokenizer is None:
            raise InputError(no_vocabulary(args.model))
        result = evaluate(
            model,
            tokenizer,
            args.task,
            file=args.file,
            limit=args.limit,
            batch_size=args.batch_size,
            protocol=args.protocol,
            stride=args.stride,
            progress=progress,
            out=args.out,
            deal=deal,
        )
    on_terminal = sys.stdout.isatty() and not mpi()  # under mpiexec, stdout is a terminal of mpiexec's own
    show({"model": args.model, **result}, as_json=args.json or not on_terminal)
    return 0


def list_tasks():
    """Print every task with its protocol and the figures published for it."""
    from numgpt.evaluation import TASKS
    from numgpt.evaluation.published import read_published

    for name, task in TASKS.items():
        print(f"{name:20} {task.protocol}")
        for size, entries in read_published()["tasks"][name]["sizes"].items():
            known = ", ".join(f"{entry['figure'].replace('_', ' ')} {entry['value']}" for entry in entries)
            print(f"{'':20}   published for {size}: {known}")
    print(f"{'text':20} any text, --protocol strided --stride N or --protocol rolling")
    return 0


def show(result, as_json):
    """Print the figures: as one line of JSON, or one per row."""
    if as_json:
        print(json.dumps(result, allow_nan=False))
        return
    published, paper = result.pop("published"), result.pop("paper")
    for name, value in result.items():
        print(f"{name:20} {cell(value)}")
    for entry in published:
        about = f"+- {cell(entry['tolerance'])} for {entry['model']}: {entry['verdict']} ({entry['source']})"
        print(f"{'published':20} {entry['figure']} {cell(entry['value'])} {about}")
    if paper:
        figures = ", ".join(f"{name} {cell(value)}" for name, value in paper.items() if name != "note")
        print(f"{'paper':20} {figures}: {paper['note']}")


def cell(value):
    """A value as a cell of the table."""
    return format(value, ",.6g") if isinstance(value, float) else "-" if value is None else value
