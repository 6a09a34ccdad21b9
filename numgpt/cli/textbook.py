"""`numgpt textbook`: the whole mathematics as one file that needs NumPy alone, or as a page to read."""

EPILOG = """examples:
  numgpt textbook > gpt2.py               then: python gpt2.py
  numgpt textbook -o gpt2.py              the same; an old file goes only when the new one is whole
  numgpt textbook --html -o book.html     a page for a browser: every formula typeset beside its line, and proven
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "textbook",
        help="print GPT-2, forward and backward, as one file to read and run",
        description="Print one file of Python that imports NumPy alone: every layer forward and backward, the model, "
        "the loss, AdamW, greedy sampling, reading weights. It is made of the definitions that numgpt itself runs on.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--html", action="store_true", help="a page to read and print, with the proof of each definition"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there instead")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.files import atomic_write

    text = make(args.html)
    if args.output is None:
        print(text, end="")
        return 0
    with atomic_write(args.output, "w") as file:
        file.write(text)
    return 0


def make(html):
    """The text of the book; as a page, of which the proofs take a few seconds."""
    if html:
        from numgpt.textbook.page import page

        return page()
    from numgpt.textbook import textbook

    return textbook()
