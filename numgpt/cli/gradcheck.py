"""`numgpt gradcheck`: prove the gradients, one row a tensor."""

from argparse import RawDescriptionHelpFormatter

EPILOG = """examples:
  numgpt gradcheck                        every layer and the whole model
  numgpt gradcheck --layer attention      one of them
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "gradcheck",
        help="compare every hand-written gradient with finite differences",
        description="Compare every hand-written gradient with finite differences, in float64. "
        "The error is |a - n| / max(|a|, |n|) over norms, a analytic and n numeric. "
        "Exit status 1 when one is above its tolerance.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--layer", metavar="NAME", help="check only this one, e.g. attention, layernorm, model")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights and inputs (default 0)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for a GPU, some minutes (default cpu)")
    parser.set_defaults(run=run)


def run(args):
    from numgpt import gradcheck

    failed = total = 0
    print(f"{'layer':20} {'tensor':28} {'shape':14} {'error':>9}  {'at most':>7}")
    for name in [args.layer] if args.layer else gradcheck.CHECKS:
        for row in gradcheck.check(name, args.seed, args.device):
            shape = "x".join(map(str, row.shape))
            verdict = "ok" if row.ok else "WRONG"
            print(f"{name:20} {row.tensor:28} {shape:14} {row.error:9.1e}  {row.tolerance:7.0e}  {verdict}", flush=True)
            total += 1
            failed += not row.ok
    print(f"{total} gradients checked, {failed} wrong" if failed else f"{total} gradients checked, all right")
    return 1 if failed else 0
