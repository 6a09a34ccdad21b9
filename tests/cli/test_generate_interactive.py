"""`numgpt generate --interactive`, on a terminal and on a pipe."""

import io
import os
import re
import select
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from numgpt.cli import generate_writer, main

termios = pytest.importorskip("termios")


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments):
        import fcntl

        self.screen, inside = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "numgpt", *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=os.environ | {"TERM": "dumb"},
        )
        os.close(inside)
        self.seen = ""

    def expect(self, pattern):
        """Wait until `pattern` has come since the last time; return what came up to it."""
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, self.seen, re.S)):
            assert time.monotonic() < deadline, f"{pattern!r} never came, but {self.seen!r}"
            if select.select([self.screen], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.screen, 4096).decode("utf-8", "replace").replace("\r\n", "\n")
                except OSError:  # the process has ended
                    assert re.search(pattern, self.seen, re.S), self.seen
        self.seen, before = self.seen[found.end() :], self.seen[: found.end()]
        return before

    def type(self, keys):
        os.write(self.screen, keys.encode())

    def ends(self):
        """The exit status after Ctrl-D, which is pressed until it is seen."""
        for _ in range(60):
            with suppress(OSError, subprocess.TimeoutExpired):
                self.type("\x04")
                self.process.wait(1)
        os.close(self.screen)
        return self.process.returncode


@pytest.fixture
def terminal(tiny_model, interruptible):
    opened = []

    def start(*arguments):
        opened.append(Terminal("generate", "--model", tiny_model, "--interactive", *arguments))
        return opened[0]

    yield start
    for terminal in opened:
        terminal.process.kill()
        terminal.process.wait()


def test_a_conversation_on_a_terminal(terminal):
    screen = terminal("--seed", "1", "--logit-bias", "65=50", "--max-new-tokens", "3")
    screen.expect("Ctrl-C stops an answer, Ctrl-D ends the conversation\n")
    screen.expect("> ")
    screen.type("Hi\n")
    screen.expect("AAA\n")  # the answer
    screen.expect("> ")
    assert screen.ends() == 0


def test_ctrl_c_stops_the_answer_and_nothing_else(terminal):
    screen = terminal("--seed", "1", "--logit-bias", "65=50", "--max-new-tokens", "1000000000")
    for _ in range(2):
        screen.expect("> ")
        screen.type("Hi\n")
        screen.expect("AAAAA")
        screen.type("\x03")
    screen.expect("> ")
    assert screen.ends() == 0


def test_ctrl_c_too_often_ends_nothing_either(terminal):
    screen = terminal("--seed", "1", "--logit-bias", "65=50", "--max-new-tokens", "1000000000")
    screen.expect("> ")
    screen.type("Hi\n")
    screen.expect("AAAAA")
    for _ in range(5):
        screen.type("\x03")
        time.sleep(0.1)
    screen.expect("> ")
    assert screen.ends() == 0


@pytest.fixture
def conversation(tiny_model, monkeypatch, capsys):
    """A function: type lines, by a pipe; return (status, the prompts that the model was given, output, complaints)."""
    steps = generate_writer.steps

    def run(typed, *arguments):
        given = []

        def watched(model, rows, *rest):
            given.append(list(rows[0]))
            return steps(model, rows, *rest)

        monkeypatch.setattr(generate_writer, "steps", watched)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        status = main(["generate", "--model", tiny_model, "--interactive", "--seed", "1", *arguments])
        return status, given, *capsys.readouterr()

    return run


def test_it_is_one_text_that_grows(conversation):
    _, given, out, err = conversation("Hi\n\nyou\n", "--logit-bias", "65=50", "--max-new-tokens", "2")
    assert [bytes(ids).decode() for ids in given] == ["Hi", "HiAA", "HiAAAA\nyou"]  # an empty line adds nothing
    assert (out, err) == ("AA\nAA\nAA\n", "")


def test_the_end_of_text_stands_for_the_line_break(conversation):
    _, given, out, _ = conversation("Hi\nyou\n", "--logit-bias", "256=50")
    assert given == [[72, 105], [72, 105, 256, 121, 111, 117]]
    assert out == "\n\n"


def test_a_stop_string_is_no_part_of_the_text(conversation):
    _, given, out, _ = conversation("Hi\nyou\n", "--logit-bias", "65=50", "--stop", "AA")
    assert [bytes(ids).decode() for ids in given] == ["Hi", "Hi\nyou"]
    assert out == "\n\n"


def test_answers_are_those_of_the_seed_and_the_turn(conversation, tiny_model):
    _, given, out, _ = conversation("Hi\nyou\n", "--max-new-tokens", "5", "--stop", "\n")
    assert conversation("Hi\nyou\n", "--max-new-tokens", "5", "--stop", "\n")[1:3] == (given, out)
    assert len(set(map(tuple, given))) == 2


def test_a_long_text_loses_its_beginning_and_it_is_said_once(conversation):
    typed = "".join(chr(97 + n) * 30 + "\n" for n in range(4))
    _, given, _, err = conversation(typed, "--logit-bias", "65=50", "--max-new-tokens", "2")
    whole = "AA\n".join(typed.splitlines())
    assert bytes(given[-1]).decode() == whole[-64:]
    assert [len(ids) for ids in given] == [30, 63, 64, 64]
    assert err == (
        "numgpt: the text no longer fits the context of 64 tokens: from here on, its beginning is left out\n"
    )


def test_an_error_is_a_line_and_the_conversation_goes_on(conversation):
    status, given, out, err = conversation("Hi\nyou\n", "--no-repeat-ngram-size", "1", "--max-new-tokens", "300")
    assert status == 0
    assert len(given) == 2
    assert err.count("\n") == 2
    assert "no token is left to choose" in err


def test_special_tokens(conversation):
    _, given, _, err = conversation("a<|endoftext|>\n", "--max-new-tokens", "0")
    assert len(given[0]) == 14
    assert err == (
        "numgpt: the text contains <|endoftext|>, read as ordinary text; --allow-special reads it as a token\n"
    )
    _, given, _, err = conversation("a<|endoftext|>\n", "--max-new-tokens", "0", "--allow-special")
    assert (given[0], err) == ([97, 256], "")


def test_nothing_typed_is_nothing_said(conversation):
    assert conversation("\n\n") == (0, [], "", "")


def test_no_standard_input(monkeypatch, tiny_model, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["generate", "--model", tiny_model, "--interactive"]) == 2
    assert capsys.readouterr().err == "numgpt: --interactive needs standard input, and there is none\n"
