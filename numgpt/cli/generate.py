"""`numgpt generate`: let a model continue a text."""

import json
import time

from numgpt.cli.arguments import add_model_arguments, add_processes_argument, add_special_argument, text_or_stdin
from numgpt.cli.generate_options import check_together, read_rules, read_stop, settings
from numgpt.files import naming

EPILOG = """examples:
  numgpt generate "ROMEO:"
  numgpt generate --model 124M "The capital of France is" --temperature 0 --stop .
  numgpt generate "The king" --num-samples 3 --seed 1 --top-p 0.9 --top-k 0
  numgpt generate "The king" --best-of 8                   the likeliest of eight
  numgpt generate "The king" --num-beams 4 --no-repeat-ngram-size 3
  numgpt generate --interactive --model 124M               a conversation; Ctrl-D ends it
  numgpt generate --prompts-file prompts.txt --out texts.jsonl
  numgpt generate --model path/to/folder --json < prompt.txt
  numgpt generate -- "- a prompt that begins with a dash"

Standard input is read where PROMPT is - or missing, without the line break at its end. --seed makes a text come again;
without it every call draws a seed, which --json tells. When the context is full, the second half of it is read again
and the text continues from there.

--interactive reads a line, prints the model's answer, and reads the next. All of it is one text that grows: what was
typed, at once the answer, a line break, what was typed next, and so on. Where an answer ended with the model's
end of text, that token stands in the place of the line break. An empty line adds nothing and lets the model continue.
Ctrl-C stops an answer, and what there is of it stays in the text; Ctrl-D ends. When the text no longer fits the
context, its beginning is dropped.

--prompts-file takes one prompt a line, or, where its name ends in .jsonl, one JSON object a line with the text in
"prompt". It prints one line of JSON for each, in that order. A prompt's seed is --seed and its place in the file, so
that its text does not depend on the others. With --out the lines go to a file, one by one; what stands there already is
not made again, so that the same command resumes where it was stopped, and makes the same file.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "generate",
        help="continue a text",
        description="Print PROMPT and what the model adds to it, as it is sampled. "
        "It ends after --max-new-tokens, at <|endoftext|> or before a --stop string.",
        epilog=EPILOG,
    )
    number = {"type": int, "metavar": "N"}
    share = {"type": float, "metavar": "X"}

    start = parser.add_argument_group("what to continue")
    start.add_argument("prompt", nargs="?", metavar="PROMPT", help="the text to continue; - is standard input")
    start.add_argument("--unconditional", action="store_true", help="no PROMPT: a text from its beginning")
    start.add_argument("--interactive", action="store_true", help="ask for texts and keep what was said (see below)")
    start.add_argument("--prompts-file", metavar="FILE", help="many prompts; - is standard input (see below)")
    start.add_argument("--keep-end", action="store_true", help="of a prompt longer than the context take the end")
    add_special_argument(start)

    add_model_arguments(parser.add_argument_group("the model"))

    draw = parser.add_argument_group("how a token is chosen")
    draw.add_argument("--temperature", **share, help="above 1 bolder, 0 always the likeliest (default 0.8)")
    draw.add_argument("--top-k", **number, help="draw from the N likeliest tokens; 0: from all (default 40)")
    draw.add_argument("--top-p", **share, help="draw from the fewest tokens with probability X together")
    draw.add_argument("--min-p", **share, help="draw from tokens with X times the likeliest one's probability")
    draw.add_argument("--repetition-penalty", **share, help="above 1: avoid the tokens that the text already has")
    draw.add_argument("--no-repeat-ngram-size", **number, help="never the same N tokens in a row twice")
    draw.add_argument(
        "--logit-bias", metavar="ID=X", help="add X to a token's logit before all else; ID=X,ID=X for several"
    )
    draw.add_argument("--seed", **number, help="the same seed gives the same text")

    end = parser.add_argument_group("where a text ends")
    end.add_argument("--max-new-tokens", **number, default=100, help="how many tokens to add at most (default 100)")
    end.add_argument("--min-new-tokens", **number, help="no end of text before N tokens; a --stop string still ends it")
    end.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before TEXT (may be repeated)")

    several = parser.add_argument_group("one text of several")
    several.add_argument("--num-samples", **number, help="how many continuations (default 1)")
    several.add_argument(
        "--best-of",
        **number,
        help="draw N and print, best first, the --num-samples of them with the highest mean log-probability a token, "
        "which is the model's own, before all rules",
    )
    several.add_argument(
        "--num-beams", **number, help="draw nothing: search for a likely text with N beams, and print it at the end"
    )
    several.add_argument(
        "--length-penalty",
        **share,
        help="of --num-beams: a text's score is its log-probability / its tokens ** X; above 0 favours long ones "
        "(default 1)",
    )

    out = parser.add_argument_group("what is printed")
    out.add_argument("--json", action="store_true", help="print one JSON object, with ids and log-probabilities")
    out.add_argument(
        "--logprobs", **number, help="in JSON: the N likeliest tokens in each new one's place, before all rules"
    )
    out.add_argument("--out", metavar="FILE", help="of --prompts-file: add the lines to FILE that it lacks")
    out.add_argument("--batch-size", **number, help="of --prompts-file: prompts worked on together (default 8)")
    add_processes_argument(out, "of --prompts-file: ")
    parser.set_defaults(run=run)


def run(args):
    if args.prompts_file is None:
        return lead(args)

    from numgpt.cli.dealing import follow
    from numgpt.training.parallel.start import follow_mpi, leading_mpi

    if follow_mpi(follow):
        return 0
    with leading_mpi():
        return lead(args)


def lead(args):
    check_together(args)
    rules, stop = read_rules(args), read_stop(args)  # checked before a model is loaded, perhaps downloaded

    from numgpt.cli.generate_writer import Writer

    if args.interactive:
        from numgpt.cli.generate_interactive import converse

        return converse(Writer(args, rules, stop))
    if args.prompts_file is not None:
        from numgpt.cli.generate_file import continue_file

        return continue_file(args, rules, stop)
    prompt = "" if args.unconditional else text_or_stdin(args.prompt, "the prompt")
    writer = Writer(args, rules, stop)
    ids = writer.beginning() if args.unconditional else writer.prompt_ids(prompt)
    with naming("standard output"):
        (print_json if args.json else print_texts)(writer, prompt, ids)
    return 0


def print_texts(writer, prompt, ids):
    """Print the samples, each after its prompt; of those that are not compared, the first as it comes."""

    def show(piece):
        if piece:
            print(piece, end="", flush=True)

    def heading(n):
        return f"--- sample {n} of {writer.n_samples} ---\n" if writer.n_samples > 1 else ""

    streams = writer.args.best_of is None and writer.args.num_beams is None
    if streams:
        show(heading(1) + prompt)
    (samples,) = writer.go_on([ids], show=show if streams else None)
    if streams:
        print()
    for n, sample in enumerate(samples, 1):
        if n > 1 or not streams:
            print(f"{heading(n)}{prompt}{sample['text']}")


def print_json(writer, prompt, ids):
    """Print what was asked and what came as one JSON object on one line."""
    started = time.perf_counter()
    (samples,) = writer.go_on([ids])
    seconds = time.perf_counter() - started
    args = writer.args
    result = {
        "model": args.model,
        "dtype": args.dtype,
        "device": args.device,
        "prompt": prompt,
        "prompt_ids": ids,
        "settings": settings(args, writer.rules),
        "samples": samples,
        "tokens_per_second": writer.n_new / seconds,
    }
    print(json.dumps(result))
