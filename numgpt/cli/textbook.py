"""`numgpt textbook`: all of the mathematics as one file that needs only NumPy, or as a page to read."""

EPILOG = """examples:
  numgpt textbook > gpt2.py               then: python gpt2.py
  numgpt textbook -o gpt2.py              the same; an existing file is replaced only when the new one is complete
  numgpt textbook --html -o book.html     a page for a browser: every formula typeset beside its code, with its proof
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "textbook",
        help="print GPT-2, forward and backward, as one file to read and run",
        description="Print one Python file that imports only NumPy: every layer, forward and backward, the model, the "
        "loss, AdamW, greedy sampling and reading weights. It consists of the definitions that numgpt itself runs on.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--html", action="store_true", help="write a page to read and print, with the proof of each definition"
    )
    parser.add_argument("-o", "--out", metavar="FILE", help="write the result to FILE")
    parser.set_defaults(run=run)


def run(args):
    from numgpt.files import atomic_write

    text = make(args.html)
    if args.out is None:
        print(text, end="")
        return 0
    with atomic_write(args.out, "w") as file:
        file.write(text)
    return 0


def make(html):
    """The text of the book, or its page, whose proofs take a few seconds."""
    if html:
        from numgpt.textbook.page import page

        return page()
    from numgpt.textbook import textbook

    return textbook()
