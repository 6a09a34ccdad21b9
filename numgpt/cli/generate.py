"""`numgpt generate`: GPT-2 goes on from a text."""

import json
import os
import re
import time
from argparse import RawDescriptionHelpFormatter
from dataclasses import asdict

from numgpt.cli.arguments import add_model_arguments, decode_argument, text_or_stdin
from numgpt.errors import InputError
from numgpt.files import naming, quoted

EPILOG = """examples:
  numgpt generate "ROMEO:"
  numgpt generate --model 124M "The capital of France is" --temperature 0 --stop .
  numgpt generate "The king" --num-samples 3 --seed 1 --top-p 0.9 --top-k 0
  numgpt generate --model path/to/folder --json < prompt.txt
  numgpt generate -- "- a prompt that begins with a dash"

Standard input is read where PROMPT is - or missing, without the line break at its end. --seed makes a text come again;
without it every call draws a seed, which --json tells. When the context is full, the second half of it is read again
and the text goes on from there.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "generate",
        help="go on from a text",
        description="Print PROMPT and what the model adds to it, as it is sampled. "
        "It ends after --max-new-tokens, at <|endoftext|> or before a --stop string.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="the text to go on from; - is standard input")
    parser.add_argument("--unconditional", action="store_true", help="no PROMPT: a text from its beginning")
    add_model_arguments(parser)
    number = {"type": int, "metavar": "N"}
    share = {"type": float, "metavar": "X"}
    parser.add_argument("--max-new-tokens", **number, default=100, help="how many tokens to add at most (default 100)")
    parser.add_argument(
        "--temperature", **share, default=0.8, help="above 1 bolder, 0 always the likeliest (default 0.8)"
    )
    parser.add_argument(
        "--top-k", **number, default=40, help="draw from the N likeliest tokens; 0: from all (default 40)"
    )
    parser.add_argument("--top-p", **share, help="draw from the fewest tokens with probability X together")
    parser.add_argument("--min-p", **share, help="draw from tokens with X times the likeliest one's probability")
    parser.add_argument("--repetition-penalty", **share, help="above 1: avoid the tokens that the text already has")
    parser.add_argument(
        "--logit-bias", metavar="ID=X", help="add X to a token's logit before all else; ID=X,ID=X for several"
    )
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before TEXT (may be repeated)")
    parser.add_argument("--seed", **number, help="the same seed gives the same text")
    parser.add_argument("--num-samples", **number, default=1, help="how many continuations (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with ids and log-probabilities")
    parser.set_defaults(run=run)


def run(args):
    if args.num_samples < 1:
        raise InputError(f"--num-samples must be at least 1, not {args.num_samples}")
    if args.unconditional and args.prompt is not None:
        raise InputError("--unconditional starts from nothing: leave out either it or PROMPT")
    prompt = "" if args.unconditional else text_or_stdin(args.prompt, "the prompt")

    from numgpt.generation import steps
    from numgpt.generation.text import Continuation, check_stop_strings, encode_prompt
    from numgpt.loading import load
    from numgpt.numbers import check_number
    from numgpt.tokenizer import no_vocabulary

    rules = rules_of(args)  # checked before a model is loaded, perhaps downloaded
    check_number(args.max_new_tokens, "max_new_tokens", whole=True, low=0, note="0 adds nothing")
    stop = check_stop_strings(decode_argument(string, "the stop string") for string in args.stop)
    model, tokenizer = load(args.model, args.dtype, args.device, args.offline, args.checkpoint)
    if tokenizer is None:
        raise InputError(no_vocabulary(args.model))
    ids = beginning(tokenizer) if args.unconditional else encode_prompt(tokenizer, prompt)
    samples = [Continuation(tokenizer, stop, model.end_of_text) for _ in range(args.num_samples)]
    chosen = steps(model, [ids] * args.num_samples, args.max_new_tokens, rules)
    started = time.perf_counter()
    with naming("standard output"):
        if args.json:
            collect(chosen, samples)
            print_json(args, prompt, ids, rules, samples, time.perf_counter() - started)
        else:
            print_texts(prompt, chosen, samples)
    return 0


def beginning(tokenizer):
    """The ids before a text: the end of the one before it. Raises InputError if the tokenizer has none."""
    if tokenizer.end_of_text is None:
        raise InputError("--unconditional needs a tokenizer with an end of text, which this one lacks: give a PROMPT")
    return [tokenizer.end_of_text]


def rules_of(args):
    """The Rules that stand in `args`; a seed is drawn here if none is given, to be told."""
    from numgpt.generation.rules import NAMES, Rules

    given = {name: value for name, value in vars(args).items() if name in NAMES}
    if args.seed is None:
        given["seed"] = int.from_bytes(os.urandom(4), "big")
    if args.logit_bias is not None:
        given["logit_bias"] = parse_bias(args.logit_bias)
    return Rules(**given)


def parse_bias(text):
    """ID=X[,ID=X] as {id: number}. Raises InputError for anything else."""
    bias = {}
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,18})\s*=\s*([^=]{1,40})", part)
        try:
            bias[int(found[1])] = float(found[2])
        except (TypeError, ValueError):
            raise InputError(f"--logit-bias must be ID=X, or several with commas between, not {quoted(part)}") from None
    return bias


def collect(chosen, samples, show=lambda piece: None):
    """Hand every row's tokens to its sample until all have ended; `show` gets the pieces of the first one's text."""
    for tokens, logprobs in chosen:
        pairs = zip(tokens.tolist(), logprobs.tolist(), strict=True)
        pieces = [sample.push(*pair) for sample, pair in zip(samples, pairs, strict=True)]
        show(pieces[0])
        if all(sample.stop_reason is not None for sample in samples):
            break
    pieces = [sample.finish() for sample in samples]
    show(pieces[0])


def print_texts(prompt, chosen, samples):
    """Print the first sample as it comes and the others after it."""

    def show(piece):
        if piece:
            print(piece, end="", flush=True)

    def heading(n):
        return f"--- sample {n} of {len(samples)} ---\n" if len(samples) > 1 else ""

    show(heading(1) + prompt)
    collect(chosen, samples, show)
    print()
    for n, sample in enumerate(samples[1:], 2):
        print(f"{heading(n)}{prompt}{sample.text}")


def print_json(args, prompt, ids, rules, samples, seconds):
    """Print what was asked and what came as one JSON object on one line."""
    settings = {name: value for name, value in asdict(rules).items() if name in vars(args)}
    n_new = sum(len(sample.ids) for sample in samples)
    result = {
        "model": args.model,
        "dtype": args.dtype,
        "device": args.device,
        "prompt": prompt,
        "prompt_ids": ids,
        "settings": settings | {"max_new_tokens": args.max_new_tokens, "stop": args.stop},
        "samples": [
            {
                "text": sample.text,
                "ids": sample.ids,
                "logprobs": sample.logprobs,
                "stop_reason": sample.stop_reason,
            }
            for sample in samples
        ],
        "tokens_per_second": n_new / seconds,
    }
    print(json.dumps(result))
