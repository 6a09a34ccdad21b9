"""`numgpt generate --unconditional`: a text from nothing."""

import json

import numgpt
from numgpt.cli import main


def test_it_goes_on_from_the_end_of_text(tiny_model, capsys):
    end = numgpt.load(tiny_model)[1].end_of_text
    assert main(["generate", "--model", tiny_model, "--unconditional", "--json", "--seed", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["prompt"], result["prompt_ids"]) == ("", [end])


def test_a_prompt_beside_it_is_refused(tiny_model, capsys):
    assert main(["generate", "--model", tiny_model, "--unconditional", "Hi"]) == 2
    assert "--unconditional starts without a prompt" in capsys.readouterr().err
