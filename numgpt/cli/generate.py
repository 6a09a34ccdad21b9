"""`numgpt generate`: continue a text with a model."""

import json
import time

from numgpt.cli.arguments import add_model_arguments, add_processes_argument, add_special_argument, text_or_stdin
from numgpt.cli.generate_options import check_together, read_rules, read_stop, settings
from numgpt.files import naming

EPILOG = """examples:
  numgpt generate "ROMEO:"
  numgpt generate --model 124M "The capital of France is" --temperature 0 --stop .
  numgpt generate "The king" --num-samples 3 --seed 1 --top-p 0.9 --top-k 0
  numgpt generate "The king" --best-of 8                   the likeliest of eight texts
  numgpt generate "The king" --num-beams 4 --no-repeat-ngram-size 3
  numgpt generate --interactive --model 124M               a conversation; Ctrl-D ends it
  numgpt generate --prompts-file prompts.txt --out texts.jsonl
  numgpt generate --model path/to/folder --json < prompt.txt
  numgpt generate -- "- a prompt that begins with a dash"

If PROMPT is - or missing, it is read from standard input, without the line break at its end. The same --seed gives the
same text; without it, every call draws a seed, which --json prints. When the context is full, its second half is read
again and the text continues from there.

--interactive reads a line, prints the model's answer and reads the next line. All of it is one growing text: the first
line, the answer right after it, a line break, the next line, and so on. If an answer ended with the model's end of
text, that token takes the place of the line break. An empty line adds nothing and lets the model continue. Ctrl-C stops
an answer, and the part already printed stays in the text; Ctrl-D ends the conversation. When the text no longer fits
the context, its beginning is dropped.

--prompts-file reads one prompt per line or, if the name ends in .jsonl, one JSON object per line with the text in
"prompt". It prints one line of JSON per prompt, in the same order. --seed and the prompt's place in the file decide a
continuation, so it does not depend on the other prompts. With --out, the lines are appended to a file. Lines that it
already has are kept, so the same command resumes where it was stopped and produces the same file.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "generate",
        help="continue a text",
        description="Print PROMPT and its continuation as the model samples it. "
        "The text ends after --max-new-tokens, at <|endoftext|> or before a --stop string.",
        epilog=EPILOG,
    )
    number = {"type": int, "metavar": "N"}
    share = {"type": float, "metavar": "X"}

    start = parser.add_argument_group("what to continue")
    start.add_argument("prompt", nargs="?", metavar="PROMPT", help="the text to continue; - reads standard input")
    start.add_argument("--unconditional", action="store_true", help="start a new text, without PROMPT")
    start.add_argument("--interactive", action="store_true", help="hold a conversation (see below)")
    start.add_argument("--prompts-file", metavar="FILE", help="many prompts; - reads standard input (see below)")
    start.add_argument("--keep-end", action="store_true", help="use only the end of a prompt that exceeds the context")
    add_special_argument(start)

    add_model_arguments(parser.add_argument_group("the model"))

    draw = parser.add_argument_group("how a token is chosen")
    draw.add_argument("--temperature", **share, help="above 1: bolder; 0: always the likeliest token (default 0.8)")
    draw.add_argument("--top-k", **number, help="draw from the N likeliest tokens; 0: all tokens (default 40)")
    draw.add_argument("--top-p", **share, help="draw from the fewest tokens whose probabilities add up to X")
    draw.add_argument("--min-p", **share, help="draw from tokens at least X times as probable as the likeliest")
    draw.add_argument("--repetition-penalty", **share, help="above 1: avoid tokens that the text already contains")
    draw.add_argument("--no-repeat-ngram-size", **number, help="never repeat N tokens in a row")
    draw.add_argument(
        "--logit-bias", metavar="ID=X", help="add X to a token's logit before all other rules; ID=X,ID=X for several"
    )
    draw.add_argument("--seed", **number, help="the same seed gives the same text")

    end = parser.add_argument_group("where a text ends")
    end.add_argument("--max-new-tokens", **number, default=100, help="at most how many tokens to add (default 100)")
    end.add_argument("--min-new-tokens", **number, help="no end of text before N tokens; --stop still ends the text")
    end.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before TEXT (may be repeated)")

    several = parser.add_argument_group("one text of several")
    several.add_argument("--num-samples", **number, help="how many continuations (default 1)")
    several.add_argument(
        "--best-of",
        **number,
        help="draw N texts and print the --num-samples best, best first: those with the highest mean log-probability "
        "per token under the model itself, before all rules",
    )
    several.add_argument(
        "--num-beams", **number, help="search for a likely text with N beams instead of drawing; print it when complete"
    )
    several.add_argument(
        "--length-penalty",
        **share,
        help="for --num-beams: a text's score is its log-probability / (number of tokens) ** X; a larger X favours "
        "long texts (default 1)",
    )

    out = parser.add_argument_group("what is printed")
    out.add_argument("--json", action="store_true", help="print one JSON object, with ids and log-probabilities")
    out.add_argument(
        "--logprobs", **number, help="in JSON: the N likeliest tokens at each new position, before all rules"
    )
    out.add_argument("--out", metavar="FILE", help="for --prompts-file: append the missing lines to FILE")
    out.add_argument("--batch-size", **number, help="for --prompts-file: prompts in a batch (default 8)")
    add_processes_argument(out, "for --prompts-file: ")
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
    rules, stop = read_rules(args), read_stop(args)  # checked before a model is loaded or downloaded

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
    """Print the samples, each after its prompt; unless samples are compared, the first is printed as it is drawn."""

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
    """Print the request and the samples as one JSON object on one line."""
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
