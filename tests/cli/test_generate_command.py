"""`numgpt generate`: what it prints, what it refuses."""

import io
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import numgpt
from numgpt.cli import main


def as_json(result):
    status, out, err = result
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    return json.loads(out)


def test_the_prompt_and_its_continuation_and_a_line_break(run, tiny_model):
    model, tokenizer = numgpt.load(tiny_model)
    out = numgpt.generate(
        model, [tokenizer.encode("Hi")], 100, temperature=0.8, top_k=40, seed=3, stop_ids=tokenizer.end_of_text
    )
    text = tokenizer.decode([token for token in out[0].tolist() if token != tokenizer.end_of_text])
    assert run("Hi", "--seed", "3") == (0, text + "\n", "")


def test_json_tells_everything(run, tiny_model):
    result = as_json(
        run("Hé", "--seed", "5", "--num-samples", "3", "--max-new-tokens", "9", "--top-p", "0.9", "--json")
    )
    model, tokenizer = numgpt.load(tiny_model)
    assert result["prompt"] == "Hé"
    assert result["prompt_ids"] == tokenizer.encode("Hé")
    assert result["settings"] == {
        "temperature": 0.8,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": None,
        "repetition_penalty": None,
        "logit_bias": None,
        "no_repeat_ngram_size": None,
        "min_new_tokens": None,
        "seed": 5,
        "max_new_tokens": 9,
        "stop": [],
    }
    assert (result["model"], result["dtype"], result["device"]) == (tiny_model, "float32", "cpu")
    assert result["tokens_per_second"] > 0
    out, logprobs = numgpt.generate(
        model,
        [result["prompt_ids"]] * 3,
        9,
        temperature=0.8,
        top_k=40,
        top_p=0.9,
        seed=5,
        stop_ids=tokenizer.end_of_text,
        return_logprobs=True,
    )
    assert len(result["samples"]) == 3
    for sample, row, p in zip(result["samples"], out[:, 3:].tolist(), logprobs, strict=True):
        n = len(sample["ids"])
        assert sample["ids"] == row[:n]
        np.testing.assert_allclose(sample["logprobs"], p[:n], rtol=0, atol=1e-6)
        ended = sample["ids"][-1] == tokenizer.end_of_text
        assert sample["stop_reason"] == ("end_of_text" if ended else "max_new_tokens")
        assert sample["text"] == tokenizer.decode(sample["ids"][:-1] if ended else sample["ids"])
        assert ended or n == 9


def test_a_drawn_seed_is_told_and_brings_the_text_again(run):
    first = as_json(run("a", "--json"))
    again = as_json(run("a", "--json", "--seed", str(first["settings"]["seed"])))
    assert again["samples"] == first["samples"]
    assert as_json(run("a", "--json"))["settings"]["seed"] != first["settings"]["seed"]


def test_several_samples_are_printed_one_after_the_other(run):
    samples = as_json(run("ab", "--seed", "1", "--num-samples", "2", "--max-new-tokens", "6", "--json"))["samples"]
    _, out, _ = run("ab", "--seed", "1", "--num-samples", "2", "--max-new-tokens", "6")
    one, two = (sample["text"] for sample in samples)
    assert one != two
    assert out == f"--- sample 1 of 2 ---\nab{one}\n--- sample 2 of 2 ---\nab{two}\n"


def test_stop_strings_cut_the_text(run):
    free = as_json(run("ab", "--seed", "2", "--max-new-tokens", "60", "--json"))["samples"][0]["text"]
    first, second = free[20:23], free[10:12]
    sample = as_json(run("ab", "--seed", "2", "--max-new-tokens", "60", "--json", "--stop", first, "--stop", second))[
        "samples"
    ][0]
    assert sample["stop_reason"] == "stop_string"
    assert sample["text"] == free[: free.index(second)]
    assert run("ab", "--seed", "2", "--max-new-tokens", "60", "--stop", second)[1] == f"ab{sample['text']}\n"


def test_a_sample_that_ends_leaves_the_others_to_go_on(run):
    arguments = ("ab", "--seed", "2", "--max-new-tokens", "30", "--num-samples", "3", "--json")
    texts = [sample["text"] for sample in as_json(run(*arguments))["samples"]]
    stop = next(texts[0][i : i + 3] for i in range(9) if texts[0][i : i + 3] not in texts[1] + texts[2])
    samples = as_json(run(*arguments, "--stop", stop))["samples"]
    assert [sample["text"] for sample in samples] == [texts[0][: texts[0].index(stop)], *texts[1:]]
    assert samples[0]["stop_reason"] == "stop_string"


def test_the_end_of_text_ends_the_text(run, tiny_model, tmp_path):
    model, _ = numgpt.load(tiny_model)
    shutil.copytree(tiny_model, tmp_path / "ends")
    model.wte.weight[256] *= 50
    model.ln_f.bias[:] = model.wte.weight[256]  # makes <|endoftext|> the likeliest by far
    model.save(tmp_path / "ends")
    sample = as_json(run("ab", "--model", str(tmp_path / "ends"), "--json", "--temperature", "0"))["samples"][0]
    assert (sample["text"], sample["ids"], sample["stop_reason"]) == ("", [256], "end_of_text")


@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        (b"two\nlines\n", "two\nlines"),
        (b"no line break", "no line break"),
        (b"from Windows\r\n", "from Windows"),
        ("日本 \n\n".encode(), "日本 \n"),
    ],
)
def test_the_prompt_may_come_from_standard_input(run, monkeypatch, data, prompt):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))
    assert as_json(run("--json", "--max-new-tokens", "0"))["prompt"] == prompt


MISTAKES = {
    "temperature below 0": (["a", "--temperature=-1"], "--temperature must be"),
    "temperature NaN": (["a", "--temperature", "nan"], "--temperature must be"),
    "temperature no number": (["a", "--temperature", "hot"], "argument --temperature: invalid float value: 'hot'"),
    "top-k below 0": (["a", "--top-k=-1"], "--top-k must be"),
    "top-k fraction": (["a", "--top-k", "1.5"], "--top-k"),
    "top-p 0": (["a", "--top-p", "0"], "--top-p must be"),
    "top-p above 1": (["a", "--top-p", "1.1"], "--top-p must be"),
    "min-p above 1": (["a", "--min-p", "1.1"], "--min-p must be"),
    "repetition penalty 0": (["a", "--repetition-penalty", "0"], "--repetition-penalty must be"),
    "max-new-tokens below 0": (["a", "--max-new-tokens=-5"], "--max-new-tokens must be"),
    "seed below 0": (["a", "--seed=-5"], "--seed must be"),
    "no samples": (["a", "--num-samples", "0"], "--num-samples must be at least 1"),
    "empty stop": (["a", "--stop", ""], "stop string"),
    "surrogate in stop": (["a", "--stop", "\udcff"], "the stop string is not valid UTF-8"),
    "empty prompt": ([""], "the prompt is empty"),
    "surrogate in prompt": (["a\udce9b"], "the prompt is not valid UTF-8"),
    "long prompt": (["a" * 65], "65 tokens do not fit"),
    "dtype": (["a", "--dtype", "float16"], "--dtype must be float32 or float64"),
    "device": (["a", "--device", "tpu"], "tpu"),
    "unknown model": (["a", "--model", "gpt3"], "124M"),
    "no such folder": (["a", "--model", "./nowhere"], "nowhere does not exist"),
    "two prompts": (["a", "b"], 'quotation marks, as in numgpt generate "a b"'),
    "unknown option": (["a", "--hot"], "there is no option --hot"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_status_2(run, mistake):
    arguments, message = MISTAKES[mistake]
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("numgpt: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert message in err


def test_settings_are_checked_before_a_model_is_loaded(monkeypatch, capsys):
    monkeypatch.setattr("numgpt.loading.load", lambda *args, **kwargs: pytest.fail("loads"))
    for arguments, message in MISTAKES.values():
        if message.endswith("must be"):
            assert main(["generate", *arguments]) == 2
    capsys.readouterr()


def test_standard_input_that_is_not_utf_8(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"ab\xff"), isatty=lambda: False))
    fault = "numgpt: standard input, line 1: not UTF-8: byte 0xff at offset 2; convert it to UTF-8, or fetch it again\n"
    assert run() == (2, "", fault)


def test_no_standard_input(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert run()[::2] == (2, "numgpt: the prompt is missing, and there is no standard input to read it from\n")


def test_a_model_without_vocabulary(run, golden):
    status, out, err = run("a", "--model", str(golden / "tiny-gpt2" / "hf"))
    assert (status, out) == (2, "")
    assert "has no vocabulary files" in err


def test_damaged_weights(run, tiny_model, tmp_path):
    model, _ = numgpt.load(tiny_model)
    shutil.copytree(tiny_model, tmp_path / "damaged")
    model.values[:] = np.nan
    model.save(tmp_path / "damaged")
    status, out, err = run("a", "--model", str(tmp_path / "damaged"), "--json")
    assert (status, out) == (2, "")
    assert "not finite" in err


def test_a_model_that_is_not_here_while_offline(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMGPT_HOME", str(tmp_path))
    assert main(["generate", "a", "--model", "124M", "--offline"]) == 2
    assert "numgpt download 124M" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["-"]])
def test_a_byte_order_mark_is_no_character(run, monkeypatch, words):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO("\ufeffHi\n".encode())))
    assert as_json(run(*words, "--max-new-tokens", "0", "--json"))["prompt"] == "Hi"


def test_a_bias(run):
    result = as_json(run("Hi", "--logit-bias", "65=99, 66=98.5", "--max-new-tokens", "20", "--json", "--top-k", "0"))
    assert result["settings"]["logit_bias"] == {"65": 99, "66": 98.5}
    assert set(result["samples"][0]["ids"]) <= {65, 66}


@pytest.mark.parametrize("bias", ["", "65", "65=", "=1", "a=1", "65=x", "65=inf", "65=1,,66=1", "65=1=2", "999=1"])
def test_a_bias_that_is_none(run, bias):
    status, out, err = run("Hi", "--logit-bias", bias)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "logit" in err
