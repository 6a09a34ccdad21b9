"""`numgpt gradcheck`: prove the gradients, one row per tensor."""

import json
from pathlib import Path

from numgpt.errors import InputError

EPILOG = """examples:
  numgpt gradcheck                        every definition, every kernel and the whole model
  numgpt gradcheck --layer attention      one layer
  numgpt gradcheck --layer                the names of all layers
  numgpt gradcheck --model 124M           the gradients of a whole loaded model, a few minutes
  numgpt gradcheck mine.py:MyLayer --input 2,3,8          a layer of your own, called with an array of that shape
  numgpt gradcheck "mine.py:MyEmbedding(11, n=8)" --input 2,3:11    made with arguments, called with integers below 11
  numgpt gradcheck docs/exercises/03_attention.py         an exercise: says which results are wrong, and how
"""
LIST = ""  # the value of --layer without a name
COLUMNS = "{:20} {:28} {:>14} {:>9} {:>8}  {:12} {}"


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "gradcheck",
        help="prove every hand-written gradient and every kernel",
        description="Compare every hand-written gradient with the derivative of its forward pass, computed by the\n"
        "complex step (by finite differences if a function has a corner), and every kernel with its definition.\n"
        "The error is |a - n| / max(|a|, |n|), with norms. The exit status is 1 if an error is above its tolerance.",
        epilog=EPILOG,
    )
    parser.add_argument("own", nargs="?", metavar="FILE.py:CLASS", help="a layer of your own, or an exercise")
    parser.add_argument(
        "--input", action="append", metavar="SHAPE", help="the shape of the layer's input; repeat it for each input"
    )
    parser.add_argument(
        "--layer",
        metavar="NAME",
        nargs="?",
        const=LIST,
        help="check only this layer, such as attention, layernorm or model; without NAME, list all layers",
    )
    parser.add_argument("--model", metavar="NAME", help="check this model (a name or a folder) along random directions")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the random weights and inputs (default 0)"
    )
    parser.add_argument(
        "--device", default="cpu", help="check the kernels of: cpu, or cuda for an NVIDIA GPU (default cpu)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with all rows")
    parser.set_defaults(run=run)


def run(args):
    if args.layer == LIST:
        from numgpt import gradcheck

        print("\n".join(gradcheck.CHECKS))
        return 0
    check_options(args)
    rows = []
    for name, row in all_rows(args):
        if not args.json and not rows:
            print(COLUMNS.format("layer", "tensor", "shape", "error", "at most", "by", ""))
        rows.append(row)
        if not args.json:
            shape = "x".join(map(str, row.shape))
            cells = name, row.tensor, shape, f"{row.error:.1e}", f"{row.tolerance:.0e}", row.method
            print(COLUMNS.format(*cells, "ok" if row.ok else f"WRONG {row.hint}".rstrip()), flush=True)
    wrong = sum(not row.ok for row in rows)
    if args.json:
        print(json.dumps({"rows": [as_json(row) for row in rows]}))
    else:
        print(f"{len(rows)} tensor{'s' * (len(rows) != 1)} checked, {f'{wrong} wrong' if wrong else 'all right'}")
    return 1 if wrong else 0


def check_options(args):
    """Raise InputError for an option without effect on what is checked."""
    given = {"--input": args.input, "--layer": args.layer, "--model": args.model, "--device": args.device != "cpu"}
    if args.own:
        checked, useless = "a layer of your own", ("--layer", "--model", "--device")
    elif args.model:
        checked, useless = "a loaded model", ("--layer", "--device", "--input")
    else:
        checked, useless = "numgpt's layers", ("--input",)
    for option in useless:
        if given[option]:
            raise InputError(f"{option} has no effect on the check of {checked}: leave it out")


def all_rows(args):
    """(name of the check, Row) for everything that the command line asks for."""
    from numgpt import gradcheck

    if args.own:
        yield from rows_of_own(args)
        return
    if args.model:
        yield from ((args.model, row) for row in rows_of_model(args))
        return
    for name in [args.layer] if args.layer else gradcheck.CHECKS:
        yield from ((name, row) for row in gradcheck.check(name, args.seed, args.device))


def rows_of_own(args):
    """(class or file, Row) for the user's own layer or exercise."""
    from numgpt.cli.own_layer import check_own_layer

    rows = check_own_layer(args.own, args.input, args.seed)
    file, _, call = args.own.rpartition(".py:")
    name = call.partition("(")[0] if file else Path(args.own).stem
    yield from ((name, row) for row in rows)
    if rows.unchecked and not args.json:
        print(rows.note())


def rows_of_model(args):
    """Rows for the parameters of a loaded model."""
    import numpy as np

    from numgpt import gradcheck
    from numgpt.loading import load

    model, tokenizer = load(args.model, dtype="float64")
    length = min(17, model.config.n_ctx + 1)
    rng = np.random.default_rng(args.seed)
    ids = tokenizer.encode(gradcheck.SENTENCE) if tokenizer else rng.integers(0, model.config.n_vocab, length).tolist()
    return gradcheck.check_checkpoint(model, np.array([ids[:length]]), args.seed)


def as_json(row):
    """A row for JSON; an error that is not a finite number is null."""
    error = row.error if row.error < float("inf") else None
    return {**row._asdict(), "error": error}
