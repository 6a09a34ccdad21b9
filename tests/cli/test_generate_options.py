"""`numgpt generate`: the best of several, beams, what is told of every token, and what of a prompt is read."""

import json

import numpy as np
import pytest

import numgpt
from numgpt.cli import main


def as_json(result):
    status, out, err = result
    assert (status, err) == (0, "")
    return json.loads(out)


def test_the_best_of_several_are_those_of_num_samples_with_the_highest_mean(run):
    arguments = ["Hi", "--seed", "3", "--max-new-tokens", "12"]
    samples = as_json(run(*arguments, "--num-samples", "6", "--json"))["samples"]
    means = [np.mean(sample["logprobs"]) for sample in samples]
    order = np.argsort(means)[::-1]
    best = as_json(run(*arguments, "--best-of", "6", "--num-samples", "2", "--json"))
    assert best["settings"]["best_of"] == 6
    assert [sample["ids"] for sample in best["samples"]] == [samples[i]["ids"] for i in order[:2]]
    assert [sample["mean_logprob"] for sample in best["samples"]] == pytest.approx([means[i] for i in order[:2]])
    assert run(*arguments, "--best-of", "6")[1] == f"Hi{samples[order[0]]['text']}\n"
    two = "".join(f"--- sample {n} of 2 ---\nHi{samples[i]['text']}\n" for n, i in enumerate(order[:2], 1))
    assert run(*arguments, "--best-of", "6", "--num-samples", "2")[1] == two


def test_beams(run, tiny_model):
    model, tokenizer = numgpt.load(tiny_model)
    settings = {"length_penalty": 0.5, "no_repeat_ngram_size": 3, "min_new_tokens": 2, "repetition_penalty": 1.1}
    (beams,) = numgpt.beam_search(model, [[72, 105]], 3, 8, stop_ids=tokenizer.end_of_text, **settings)
    options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    arguments = ["Hi", "--num-beams", "3", "--max-new-tokens", "8", *options]
    result = as_json(run(*arguments, "--num-samples", "3", "--json"))
    assert result["settings"] == settings | {"logit_bias": None, "max_new_tokens": 8, "num_beams": 3}
    for sample, beam in zip(result["samples"], beams, strict=True):
        ended = beam.ids[-1] == tokenizer.end_of_text
        assert (sample["ids"], sample["text"]) == (beam.ids, tokenizer.decode(beam.ids[: len(beam.ids) - ended]))
        assert (sample["logprob"], sample["score"]) == pytest.approx((beam.logprob, beam.score))
        assert sample["stop_reason"] == ("end_of_text" if ended else "max_new_tokens")
    assert run(*arguments)[1] == f"Hi{result['samples'][0]['text']}\n"
    assert run("Hi", "--num-beams", "3", "--max-new-tokens", "0")[1] == "Hi\n"


def test_the_likeliest_tokens(run):
    sample = as_json(run("Hi", "--temperature", "0", "--max-new-tokens", "4", "--logprobs", "2", "--json"))["samples"][
        0
    ]
    assert [top[0]["id"] for top in sample["top_logprobs"]] == sample["ids"]
    assert [top[0]["logprob"] for top in sample["top_logprobs"]] == pytest.approx(sample["logprobs"])
    assert all(top[0]["logprob"] >= top[1]["logprob"] for top in sample["top_logprobs"])
    assert set(sample["top_logprobs"][0][0]) == {"id", "text", "logprob"}


def test_the_likeliest_tokens_are_told_before_the_rules(run):
    plain, biased = (
        as_json(run("Hi", "--max-new-tokens", "1", "--logprobs", "2", "--json", "--seed", "1", *bias))["samples"][0]
        for bias in ([], ["--logit-bias", "65=90"])
    )
    assert plain["top_logprobs"] == biased["top_logprobs"]
    assert biased["ids"] == [65]


def test_min_new_tokens(run):
    ends = ["--logit-bias", "256=60", "--json", "--seed", "1", "--max-new-tokens", "9"]
    assert as_json(run("Hi", *ends))["samples"][0]["ids"] == [256]
    ids = as_json(run("Hi", *ends, "--min-new-tokens", "4"))["samples"][0]["ids"]
    assert (len(ids), ids.index(256)) == (5, 4)


def test_the_end_of_a_long_prompt(run):
    long = "a" * 10 + "b" * 64
    status, out, err = run(long, "--keep-end", "--json", "--max-new-tokens", "1")
    assert (status, json.loads(out)["prompt_ids"]) == (0, [98] * 64)
    assert err == "numgpt: the prompt exceeds the context of 64 tokens: its first 10 tokens are left out\n"
    assert run("b" * 64, "--keep-end", "--max-new-tokens", "1")[::2] == (0, "")
    status, out, err = run(long)
    assert (status, out) == (2, "")
    assert err == (
        "numgpt: 74 tokens do not fit the context of 64 (n_ctx): shorten the text, or use its end with --keep-end\n"
    )


def test_special_tokens_in_a_prompt(run):
    status, out, err = run("a<|endoftext|>b", "--json", "--max-new-tokens", "0")
    assert (status, len(json.loads(out)["prompt_ids"])) == (0, 15)
    assert err == (
        "numgpt: the prompt contains <|endoftext|>, read as ordinary text; --allow-special reads it as a token\n"
    )
    result = as_json(run("a<|endoftext|>b", "--json", "--max-new-tokens", "0", "--allow-special"))
    assert result["prompt_ids"] == [97, 256, 98]
    assert as_json(run("ab", "--json", "--max-new-tokens", "0", "--allow-special"))["prompt_ids"] == [97, 98]


def test_special_tokens_in_a_text_whose_loss_is_asked(tiny_model, tmp_path, capsys):
    path = tmp_path / "text.txt"
    path.write_text("a<|endoftext|>b")
    assert main(["loss", str(path), "--model", tiny_model, "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["tokens"]) == 14
    assert err == f"numgpt: {path} contains <|endoftext|>, read as ordinary text; --allow-special reads it as a token\n"
    assert main(["loss", str(path), "--model", tiny_model, "--json", "--allow-special"]) == 0
    out, err = capsys.readouterr()
    assert ([token["id"] for token in json.loads(out)["tokens"]], err) == ([256, 98], "")


APART = [
    ("--unconditional a", "--unconditional starts without a prompt: give either --unconditional or PROMPT, not both"),
    ("--prompts-file f a", "--prompts-file provides all the prompts: give either --prompts-file or PROMPT, not both"),
    ("--prompts-file f --unconditional", "give either --prompts-file or --unconditional"),
    ("--interactive a", "--interactive reads each text and prints the answer: give either --interactive or PROMPT"),
    *((f"--interactive {other}", f"give either --interactive or {other.split()[0]}") for other in [
        "--json", "--unconditional", "--prompts-file f", "--num-samples 2", "--best-of 2", "--num-beams 2"]),
    *((f"a --num-beams 2 {other}", f"draws nothing: give either --num-beams or {other.split()[0]}") for other in [
        "--temperature 0", "--top-k 0", "--top-p 1", "--min-p 0", "--seed 0", "--best-of 2"]),
    ("a --num-beams 2 --stop x", "--num-beams ends a text only at tokens: give either --num-beams or --stop"),
    ("a --num-beams 2 --json --logprobs 2", "give either --num-beams or --logprobs"),
    ("a --out f", "--out works only with --prompts-file: leave it out, or add --prompts-file"),
    ("a --batch-size 2", "--batch-size works only with --prompts-file"),
    ("a --length-penalty 2", "--length-penalty works only with --num-beams"),
    ("a --logprobs 2", "--logprobs works only with --json or --prompts-file"),
    ("a --best-of 2 --num-samples 3", "--best-of 2 is too few for --num-samples 3"),
    ("a --num-beams 2 --num-samples 3", "--num-beams 2 is too few for --num-samples 3"),
    ("a --best-of 2 --temperature 0", "--best-of needs different texts, but with --temperature 0 all are the same"),
    ("a --best-of 0", "--best-of must be at least 1"),
    ("a --num-beams 0", "--num-beams must be at least 1"),
    ("a --logprobs 0 --json", "--logprobs must be at least 1"),
    ("a --logprobs 258 --json", "--logprobs 258 is more than the model's 257 tokens"),
    ("a --num-beams 2 --length-penalty nan", "--length-penalty must be a number"),
    ("--prompts-file f --batch-size 0", "--batch-size must be at least 1"),
    ("a --min-new-tokens=-1", "--min-new-tokens must be at least 0"),
    ("a --no-repeat-ngram-size=-1", "--no-repeat-ngram-size must be at least 0"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), APART)
def test_what_makes_no_sense_is_one_line(run, line, message):
    status, out, err = run(*line.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_help_has_groups(capsys):
    assert main(["generate", "--help"]) == 0
    out = capsys.readouterr().out
    for group in ("what to continue:", "the model:", "how a token is chosen:", "where a text ends:",
                  "one text of several:", "what is printed:"):  # fmt: skip
        assert f"\n{group}\n" in out


@pytest.mark.parametrize("option", ["--num-samples", "--best-of", "--num-beams"])
def test_more_texts_than_the_memory_holds(option, tiny_model, capsys):
    assert main(["generate", "x", "--model", tiny_model, option, "1000000000000"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "a batch of 1000000000000 texts takes" in printed.err
