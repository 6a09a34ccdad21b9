"""Help that fits the terminal and says what is so; advice for what is mistyped."""

import re

import pytest

from numgpt.cli import build_parser, main
from numgpt.cli.arguments import notice
from numgpt.cli.parser import Help, with_options

COMMANDS = [
    *("generate", "train", "translate", "explain", "loss", "evaluate", "download", "verify", "tokenizer", "gradcheck"),
    *("textbook", "info", "classify", "bleu"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_the_terminal(name, capsys, monkeypatch):
    """Only what is typed or named, one long word or one command, may be longer than a line."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    long = [line for line in lines if len(line) > 80 and not line.startswith("  numgpt ")]
    assert long == []
    assert not any(re.search(r"\(default None\)", line) for line in lines)


def test_two_columns_stay_two():
    presets = "presets:\n  a-long-name  what it is and what it is for, in many words\n  b  short"
    text = f"one two three\nfour\n\n{presets}\n\nend"
    assert Help("numgpt", width=42)._fill_text(text, 40, "").splitlines() == [
        *("one two three four", "", "presets:"),
        *("  a-long-name  what it is and what it is", "               for, in many words", "  b  short", "", "end"),
    ]


def test_without_a_word_the_help_is_printed(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (build_parser().format_help(), "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("genrate", "there is no command 'genrate': did you mean generate?; see numgpt --help"),
        ("sing", "there is no command 'sing': choose from generate, train, "),
        ("tokenizer encod x", "there is no command 'encod': did you mean encode?; see numgpt tokenizer --help"),
        (
            "generate --temprature 0.5 x",
            "there is no option --temprature: did you mean --temperature?; see numgpt generate",
        ),
        ("generate --temprature=0.5 x", "there is no option --temprature=0.5: did you mean --temperature?; see numgpt"),
        ("generate -x", "there is no option -x; put -- before a text that begins with a dash; see numgpt generate "),
        ("train --learningrate 1", "there is no option --learningrate; see numgpt train --help"),
        (
            "generate hello world",
            'put a text in quotation marks, as in numgpt generate "hello world"; see numgpt generate',
        ),
        ("generate costs $5", "as in numgpt generate 'costs $5'; see"),
        ("tokenizer encode to be", 'as in numgpt tokenizer encode "to be"; see numgpt tokenizer encode --help'),
        ("info a b", "'b' is one argument too many; see numgpt info --help"),
        ("download 124M --source hg", "--source cannot be 'hg': choose from openai, hf; see numgpt download --help"),
        ("generate x --top-k=-1", "--top-k must be at least 0"),
        ("gradcheck --layer attenton", "did you mean attention? choose from linear, "),
    ],
)
def test_what_is_mistyped(words, says, capsys):
    assert main(words.split(" ")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("numgpt: ")
    assert says in err
    assert err.count("\n") == 1


def test_a_message_names_options_as_the_command_line_does():
    options = {"top_k": "--top-k", "seed": "--seed", "n_head": "--n-head"}
    assert with_options("top_k must be 1", options) == "--top-k must be 1"
    assert with_options("seed must be 1, as a seed is", options) == "--seed must be 1, as a seed is"
    assert with_options("in 'top_k' and /a/top_k/b: n_head (3)", options) == "in 'top_k' and /a/top_k/b: --n-head (3)"


def test_gradcheck_lists_its_checks(capsys):
    from numgpt.gradcheck import CHECKS

    assert main(["gradcheck", "--layer"]) == 0
    assert capsys.readouterr().out.split() == list(CHECKS)


def test_a_notice_is_broken_between_words_on_a_terminal_alone(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    notice("a long notice that has many words in it")
    assert capsys.readouterr().err == "numgpt: a long notice that has many words in it\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    notice("a long notice that has many words in it")
    assert capsys.readouterr().err == "numgpt: a long notice that has\nmany words in it\n"
