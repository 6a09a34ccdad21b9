"""Check the options of `numgpt generate`: which ones go together, and the rules by which tokens are chosen."""

import os
import re
from dataclasses import asdict

from numgpt.cli.arguments import decode_argument
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import check_number

# (an option, why it excludes other options, those options)
APART = [
    ("unconditional", "starts without a prompt", ("prompt",)),
    ("prompts_file", "provides all the prompts", ("prompt", "unconditional")),
    (
        "interactive",
        "reads each text and prints the answer",
        ("prompt", "unconditional", "prompts_file", "json", "logprobs", "num_samples", "best_of", "num_beams"),
    ),
    ("num_beams", "draws nothing", ("temperature", "top_k", "top_p", "min_p", "seed", "best_of")),
    ("num_beams", "ends a text only at tokens", ("stop",)),
    ("num_beams", "scores only whole texts", ("logprobs",)),
]
TOGETHER = [
    ("out", ("prompts_file",)),
    ("batch_size", ("prompts_file",)),
    ("processes", ("prompts_file",)),
    ("length_penalty", ("num_beams",)),
    ("logprobs", ("json", "prompts_file")),
]
TEMPERATURE, TOP_K = 0.8, 40


def check_together(args):
    """Raise InputError for options that exclude each other, and for numbers outside their range."""
    for option, why, others in APART:
        wrong = [other for other in others if given(args, option) and given(args, other)]
        if wrong:
            raise InputError(f"{shown(option)} {why}: give either {shown(option)} or {shown(wrong[0])}, not both")
    for option, needed in TOGETHER:
        if given(args, option) and not any(given(args, other) for other in needed):
            needs = " or ".join(map(shown, needed))
            raise InputError(f"{shown(option)} works only with {needs}: leave it out, or add {needs}")
    for option in "num_samples", "best_of", "num_beams", "batch_size", "logprobs":
        if given(args, option):
            check_number(getattr(args, option), shown(option), whole=True, low=1)
    check_number(args.max_new_tokens, "max_new_tokens", whole=True, low=0, note="0 adds nothing")
    n = args.num_samples or 1
    for option in "best_of", "num_beams":
        if given(args, option) and getattr(args, option) < n:
            raise InputError(f"{shown(option)} {getattr(args, option)} is too few for --num-samples {n}")
    if given(args, "best_of") and args.temperature == 0:
        raise InputError("--best-of needs different texts, but with --temperature 0 all are the same: leave out one")


def given(args, option):
    """Whether an option is given on the command line."""
    value = getattr(args, option)
    return value is not None and value is not False and value != []


def shown(option):
    """An option as it is written on the command line."""
    return "PROMPT" if option == "prompt" else "--" + option.replace("_", "-")


def read_rules(args):
    """The Rules that `args` ask for; if no seed is given, one is drawn here, so that it can be reported."""
    from numgpt.generation.rules import NAMES, Rules

    asked = {name: value for name, value in vars(args).items() if name in NAMES}
    if args.logit_bias is not None:
        asked["logit_bias"] = parse_bias(args.logit_bias)
    if args.num_beams is not None:
        del asked["temperature"]
        return Rules(**asked)
    for name, default in ("temperature", TEMPERATURE), ("top_k", TOP_K):
        asked[name] = default if asked[name] is None else asked[name]
    if args.seed is None:
        asked["seed"] = int.from_bytes(os.urandom(4), "big")
    return Rules(**asked)


def parse_bias(text):
    """ID=X[,ID=X] as {id: number}. Raises InputError for anything else."""
    bias = {}
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,18})\s*=\s*([^=]{1,40})", part)
        try:
            bias[int(found[1])] = float(found[2])
        except (TypeError, ValueError):
            raise InputError(f"--logit-bias must be ID=X, or several separated by commas, not {quoted(part)}") from None
    return bias


def read_stop(args):
    """The strings of --stop."""
    from numgpt.generation.text import check_stop_strings

    return check_stop_strings(decode_argument(string, "the stop string") for string in args.stop)


def settings(args, rules):
    """The settings that decide how a text continues, for JSON."""
    from numgpt.generation.beams import RULES

    names = [name for name in asdict(rules) if name in vars(args) and (args.num_beams is None or name in RULES)]
    found = {name: getattr(rules, name) for name in names}
    found["max_new_tokens"] = args.max_new_tokens
    if args.num_beams is None:
        found["stop"] = args.stop
    else:
        found |= {"num_beams": args.num_beams, "length_penalty": length_penalty(args)}
    if args.best_of is not None:
        found["best_of"] = args.best_of
    return found


def length_penalty(args):
    """The length penalty for --num-beams."""
    return 1.0 if args.length_penalty is None else args.length_penalty
