"""`numgpt download`: what it passes on, and what it says."""

import argparse

import pytest

from numgpt.checkpoint import hub
from numgpt.cli import download, main


@pytest.fixture
def run(monkeypatch):
    """A function that runs the command and returns (exit status, the arguments of `hub.download`)."""
    calls = []

    def called(*arguments):
        calls.append(arguments)
        return "/the/folder"

    monkeypatch.setattr(hub, "download", called)

    def run(*words):
        parser = argparse.ArgumentParser(exit_on_error=False)
        download.add_parser(parser.add_subparsers())
        args = parser.parse_args(["download", *words])
        return args.run(args), calls.pop()

    return run


def test_prints_the_folder(run, capsys):
    assert run("gpt2") == (0, ("gpt2", "openai", None))
    assert capsys.readouterr().out == "/the/folder\n"


def test_another_source_and_a_mirror(run):
    assert run("355M", "--source", "hf", "--mirror", "http://there")[1] == ("355M", "hf", "http://there")


def test_help_has_examples(capsys):
    assert main(["download", "--help"]) == 0
    assert "numgpt download gpt2-medium --source hf" in capsys.readouterr().out
