"""`numgpt verify`: prove that a model is the published one."""

from pathlib import Path

DESCRIPTION = """Compare a model with what others have published about OpenAI's GPT-2: SHA-256 of files, weights,
outputs of single layers, logits, losses and greedy continuations. Each comparison is a line with the published value,
the computed value, the tolerance and the source. The exit status is 1 if a value is wrong."""

EPILOG = """examples:
  numgpt verify 124M                      downloads the model first if it is missing
  numgpt verify gpt2-medium --offline
  numgpt verify path/to/folder            its size says which model to compare it with"""

WHAT, VALUE = 64, 30  # widths of columns


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "verify",
        help="compare a model with published figures of GPT-2",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("model", metavar="NAME", help="a published name (124M, 355M, 774M, 1558M) or a folder")
    parser.add_argument(
        "--size", metavar="NAME", help="the published model to compare with (default: the one of its size)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default cpu)")
    parser.add_argument("--offline", action="store_true", help="never download anything")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.checkpoint.hub import canonical_name
    from numgpt.loading import load
    from numgpt.verification import verify

    size = canonical_name(args.size) if args.size else None
    model, tokenizer = load(args.model, device=args.device, offline=args.offline)
    size = size or size_of(model.config)
    print(f"{'':5} {'what':{WHAT}} {'published':{VALUE}} {'computed':{VALUE}} {'within':>7}  source")
    total = wrong = 0
    for rows in (file_rows(args.model), verify(model, tokenizer, size)):
        for row in rows:
            print(line(row), flush=True)
            total += 1
            wrong += not row.ok
    print(f"{total} compared, {wrong} wrong" if wrong else f"{total} compared, all right")
    return 1 if wrong else 0


def size_of(config):
    """The published model with this configuration, dropout aside. Raises InputError if there is none."""
    from dataclasses import replace

    from numgpt.config import OFFICIAL_SIZES
    from numgpt.errors import InputError

    for size, official in OFFICIAL_SIZES.items():
        if replace(config, dropout=official.dropout) == official:
            return size
    raise InputError(f"no published model has this size: {config}")


def file_rows(name):
    """The Rows of the SHA-256 of a published model's files; none for a folder, which may hold other files."""
    from numgpt.checkpoint.hub import check_files, find
    from numgpt.verification import Row

    if Path(name).expanduser().is_dir() or "/" in name:
        return
    for file, published, found in check_files(name, find(name)):
        yield Row(f"SHA-256 of {file}", "recorded downloads", published, found, None, published == found)


def line(row):
    """`row` as one line of the table."""
    published, computed = show(row.published, row.computed)
    verdict = "ok" if row.ok else "WRONG"
    within = "exact" if row.tolerance is None else f"{row.tolerance:.0e}"
    return f"{verdict:5} {cut(row.what, WHAT):{WHAT}} {published:{VALUE}} {computed:{VALUE}} {within:>7}  {row.source}"


def show(published, computed):
    """Both values in at most VALUE characters; for long ones, the part where they begin to differ."""
    if isinstance(published, float):
        return f"{published:.6f}", f"{computed:.6f}"
    published, computed = (value if isinstance(value, str) else str(value) for value in (published, computed))
    same = next((i for i, (a, b) in enumerate(zip(published, computed, strict=False)) if a != b), None)
    start = 0 if same is None or same < VALUE // 2 else same - VALUE // 2
    return tuple(cut(("..." if start else "") + visible(value[start:]), VALUE) for value in (published, computed))


def visible(text):
    """`text` without line breaks and other characters that move the cursor."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def cut(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."
