"""`numgpt generate --interactive`: one text that the user and the model write in turns."""

import signal
import sys
from contextlib import contextmanager, suppress

from numgpt.cli.arguments import decode_argument, notice, tell_special
from numgpt.errors import InputError


def converse(writer):
    """Read a line, print the model's answer, and repeat until standard input ends."""
    with suppress(ImportError):
        import readline  # noqa: F401  gives `input` line editing and a history
    if sys.stdin is None:
        raise InputError("--interactive needs standard input, and there is none")
    writer.args.keep_end = True
    if sys.stdin.isatty():
        notice("enter a text; Ctrl-C stops an answer, Ctrl-D ends the conversation")
    pressed = []  # Ctrl-C: an answer ends between two tokens, never within a computation
    with on_interrupt(lambda *_: pressed.append(True)):
        talk(writer, pressed)
    return 0


def talk(writer, pressed):
    """The conversation itself; an answer ends early once `pressed` is not empty."""
    history, joint, turn, said = [], "", 0, False
    while (line := read_line()) is not None:
        pressed.clear()
        try:
            tell_special(writer.tokenizer, line, writer.args, "the text")
            typed = joint + line if line else ""
            if not (history or typed):
                continue
            if typed:
                history += writer.encode(typed)
                joint = "\n"
            history, n_left_out = writer.fit(history)
            if n_left_out and not said:
                said = True
                notice(
                    f"the text no longer fits the context of {writer.model.config.n_ctx} tokens: from here on, its "
                    "beginning is left out"
                )
            answer = answered(writer, history, turn, pressed)
        except InputError as error:
            notice(str(error))
            continue
        history += answer.ids if answer.stop_reason != "stop_string" else writer.tokenizer.encode(answer.text)
        joint = "" if answer.stop_reason == "end_of_text" else "\n"
        turn += 1


def read_line():
    """What the user types next; None at the end of standard input."""
    watched = sys.stdin.isatty() and sys.stdout.isatty()
    while True:
        try:
            with on_interrupt(signal.default_int_handler):
                line = input("> " if watched else "")
            return decode_argument(line, "the text")
        except EOFError:
            if watched:
                print()
            return None
        except KeyboardInterrupt:
            print(file=sys.stderr)
            notice("Ctrl-D ends the conversation")


def answered(writer, history, turn, pressed):
    """The Continuation of `history` (ids), printed as it is drawn, with a line break after it."""

    def show(piece):
        if piece:
            print(piece, end="", flush=True)

    answer = writer.continuation()
    try:
        writer.draw([history], [answer], turn, show, lambda: bool(pressed))
    finally:
        print(flush=True)
    return answer


@contextmanager
def on_interrupt(handler):
    """Have Ctrl-C call `handler` while the body runs."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
