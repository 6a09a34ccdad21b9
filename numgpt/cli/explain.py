"""`numgpt explain`: follow a text through a model and back, as a page, as text or as numbers."""

import json
from functools import partial

from numgpt.cli.arguments import add_model_arguments, decode_argument, text_or_stdin
from numgpt.errors import InputError

STEPS = 4
EPILOG = """examples:
  numgpt explain "To be, or not to be" -o page.html
  numgpt explain "The capital of France is" --target " Paris" --model 124M -o page.html
  numgpt explain "ROMEO:" --text                      the same as plain text
  numgpt explain "ROMEO:" --model run -o film.html    a training run: part 10 compares its checkpoints
  numgpt explain "ROMEO:" --heads 0.3,2.1 --json      the numbers
  numgpt explain "I love you." --model run-translate -o page.html    a Transformer: --target is the translation

A text may have up to 64 tokens, or up to 256 if --layers selects the layers. The ablation goes through the heads of the
layers that are shown, so fewer layers take less time. The page is one file and loads nothing from the network.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "explain",
        help="show what happens inside a model, forward and backward, as one page",
        description="Follow a text through a model and back: tokens, attention, neurons, the logit lens, sampling, the "
        "loss, every gradient and its proof, in one HTML file that works offline.",
        epilog=EPILOG,
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="the text (- or none: standard input)")
    add_model_arguments(parser)
    parser.add_argument("-o", "--out", metavar="FILE", help="write the result to FILE")
    parser.add_argument(
        "--target", metavar="TEXT", help="the text that should follow PROMPT (default: PROMPT's own next tokens)"
    )
    parser.add_argument("--layers", metavar="LIST", help="layers to show, such as 0,5 (default all)")
    parser.add_argument(
        "--heads", metavar="LIST", help="heads to show in detail, such as 0.3,5.1 (default: one per layer)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="steps of SGD on the text (default 4)")
    parser.add_argument("--compare", metavar="MODEL", help="also show the losses of this model")
    parser.add_argument(
        "--language", default="en", metavar="NAME", help="language of the page or text: en or de (default en)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--text", action="store_true", help="plain text instead of a page")
    kind.add_argument("--json", action="store_true", help="one JSON object with the numbers instead of a page")
    parser.set_defaults(run=run)


def run(args):
    if not (args.out or args.text or args.json):
        raise InputError("no output is chosen: give -o FILE for the page, --text for plain text, or --json for numbers")
    prompt = text_or_stdin(args.prompt, "the prompt")
    target = None if args.target is None else decode_argument(args.target, "the target")

    from numgpt.loading import holds_transformer

    if holds_transformer(args.model, args.checkpoint):
        return explain_translation(args, prompt, target)

    from numgpt.explain import gather, page, read_subject, text
    from numgpt.explain.learning import checkpoints_of
    from numgpt.explain.packing import unpack_to_lists
    from numgpt.explain.page import read_strings
    from numgpt.files import atomic_write
    from numgpt.loading import load
    from numgpt.numbers import check_number
    from numgpt.tokenizer import no_vocabulary

    read_strings(args.language)  # so that a wrong language is reported before any work
    check_number(args.steps, "--steps", whole=True, low=0, note="0 takes none")
    fetch = partial(load, dtype=args.dtype, device=args.device, offline=args.offline)
    model, tokenizer = fetch(args.model, checkpoint=args.checkpoint)
    if tokenizer is None:
        raise InputError(no_vocabulary(args.model))
    subject = read_subject(model, tokenizer, prompt, target, args.layers, args.heads)
    checkpoints = [(path.name, lambda path=path: fetch(path)[0]) for path in checkpoints_of(args.model)]
    other = (args.compare, fetch(args.compare)[0]) if args.compare else None
    data = gather(subject, args.model, args.steps, checkpoints, other)
    if args.json:
        shown = json.dumps(unpack_to_lists(data), allow_nan=False) + "\n"
    else:
        shown = (text if args.text else page)(data, args.language)
    if args.out is None:
        print(shown, end="")
        return 0
    with atomic_write(args.out, "w") as file:
        file.write(shown)
    return 0


def explain_translation(args, source, target):
    """Write the page of a translation: `target` or, if that is None, the one that the model finds."""
    from numgpt.cli.translate import read
    from numgpt.explain.translation import translation_page
    from numgpt.files import atomic_write
    from numgpt.generation.translation import translate
    from numgpt.loading import load_transformer
    from numgpt.tracing.translation import trace_translation

    told = {"--layers": args.layers, "--heads": args.heads, "--compare": args.compare, "--text": args.text}
    told |= {"--json": args.json, "--steps": args.steps != STEPS, "--language": args.language != "en"}
    for option, value in told.items():
        if value:
            raise InputError(f"{option} is for a GPT, but {args.model} holds a Transformer: its page shows everything")
    model, tokenizer = load_transformer(args.model, args.dtype, args.device, args.checkpoint)
    ids = read(source, "the text", tokenizer)
    if not ids:
        raise InputError("the text is empty: give a sentence to translate")
    written = translate(model, [ids])[0].ids if target is None else read(target, "the target", tokenizer)
    found = trace_translation(model, ids, written)
    page = translation_page(found, lambda token: tokenizer.decode([token]), args.model)
    with atomic_write(args.out, "w") as file:
        file.write(page)
    return 0
