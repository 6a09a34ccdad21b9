"""`numgpt loss`: how surprised a model is by a text."""

import json
import math
import sys
from functools import partial

from numgpt.cli.arguments import add_model_arguments, add_special_argument, allowed_special, tell_special
from numgpt.errors import InputError

EPILOG = """examples:
  numgpt loss text.txt                     under the bundled model
  numgpt loss text.txt --model 124M        under GPT-2
  numgpt loss text.txt --model run --json

Losses are in nats, the unit of natural logarithms. Perplexity is exp(nats per token): the number of equally likely
tokens among which the model would be as unsure. The first token is not predicted, because nothing comes before it. A
text longer than the context is read in windows that share one token, so every other token is predicted: the first
target of a window is predicted from the last token of the window before. This is `numgpt evaluate text --protocol
rolling` without the <|endoftext|> before the text. It is not a published protocol; for figures to compare with others,
use `numgpt evaluate`. A folder and FILE.jsonl are read as `numgpt train` reads them: each document by itself, and only
the completion counts if there is a prompt.
With --json, a perplexity is null if it exceeds the largest floating-point number, 1.8e308: JSON has no Infinity.
"""
LONGEST_TABLE = 200  # tokens
PROTOCOL = "windows that share one token, the first token not predicted; no published protocol"


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "loss",
        help="show the loss of a text, token by token",
        description="Show the cross-entropy of the text in FILE under a model and, for comparison, under random "
        "weights of the same shape. The mean is always shown; the loss of every token only if there are at most "
        f"{LONGEST_TABLE}.",
        epilog=EPILOG,
    )
    parser.add_argument("file", metavar="FILE", help="a text (-: standard input), a folder of texts, or a .jsonl file")
    add_special_argument(parser)
    add_model_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random weights (default 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every token's loss")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.loading import load
    from numgpt.model import GPT
    from numgpt.numbers import check_number
    from numgpt.tokenizer import no_vocabulary
    from numgpt.training.documents import is_apart, read_documents
    from numgpt.training.evaluate import count_characters, part_losses
    from numgpt.training.part import part_of_documents

    check_number(args.seed, "--seed", whole=True, low=0, note="any will do")
    documents = read_documents(args.file).documents
    trained, tokenizer = load(args.model, args.dtype, args.device, args.offline, args.checkpoint)
    if tokenizer is None:
        raise InputError(no_vocabulary(args.model))
    tell_special(tokenizer, "\n".join(text for document in documents for text in document), args, args.file)
    encode = partial(tokenizer.encode, allowed_special=allowed_special(args))
    end = tokenizer.end_of_text if is_apart(args.file) else None
    part = part_of_documents(documents, encode, end, is_apart(args.file), is_lines=True)
    if not part.n_targets:
        raise InputError(
            f"{args.file} has only {len(part.ids)} token, but the first is not predicted: give at least two"
        )
    losses = {"trained": part_losses(trained, part)}
    config = trained.config
    del trained  # the two need not be in memory together
    random = GPT(config, seed=args.seed, dtype=args.dtype, device=args.device)
    losses["random"] = part_losses(random, part)
    ids = part.targets()
    tokens = [tokenizer.decode([token]) for token in ids]
    n_characters = count_characters(part, part.spans, tokenizer)
    means = {name: summary(nats, n_characters) for name, nats in losses.items()}
    if args.json:
        print_json(args, config, ids, tokens, losses, means)
    else:
        print_table(config, tokens, losses, means)
    return 0


def summary(nats, n_characters):
    """The means of a text's losses (nats, one per token)."""
    per_token = float(nats.mean())
    perplexity = math.exp(per_token) if per_token < math.log(sys.float_info.max) else math.inf
    return {
        "nats_per_token": per_token,
        "nats_per_character": float(nats.sum()) / n_characters if n_characters else None,
        "perplexity": perplexity,
    }


def print_table(config, tokens, losses, means):
    """Print a row per token, if there are few, and the means."""
    if len(tokens) <= LONGEST_TABLE:
        shown = [repr(token) for token in tokens]
        width = max(5, *(len(token) for token in shown))
        print(f"{'token':{width}}  {'random':>8}  {'trained':>8}   nats")
        for token, random, trained in zip(shown, losses["random"], losses["trained"], strict=True):
            print(f"{token:{width}}  {random:8.3f}  {trained:8.3f}")
        print()
    V = config.n_vocab
    print(f"protocol: {PROTOCOL}")
    print(f"{len(tokens):,} tokens; a uniform guess costs ln({V}) = {math.log(V):.3f} nats per token")
    print(f"{'':20}  {'random':>12}  {'trained':>12}")
    for name in "nats_per_token", "nats_per_character", "perplexity":
        values = [means[which][name] for which in ("random", "trained")]
        cells = "  ".join(f"{'-' if value is None else format(value, ',.4f'):>12}" for value in values)
        print(f"{name.replace('_', ' '):20}  {cells}")


def print_json(args, config, ids, tokens, losses, means):
    """Print everything on one line."""
    rows = zip(ids, tokens, losses["random"].tolist(), losses["trained"].tolist(), strict=True)
    result = {
        "file": args.file,
        "model": args.model,
        "protocol": PROTOCOL,
        "n_vocab": config.n_vocab,
        "ln_n_vocab": math.log(config.n_vocab),
        **{
            name: {key: nats if nats != math.inf else None for key, nats in mean.items()}
            for name, mean in means.items()
        },
        "tokens": [dict(zip(("id", "text", "random", "trained"), row, strict=True)) for row in rows],
    }
    print(json.dumps(result, allow_nan=False))
