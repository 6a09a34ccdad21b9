"""`numgpt generate --prompts-file`: a line for every prompt, and the same file however often it was stopped."""

import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest

import numgpt
from numgpt.cli import main
from numgpt.cli.generate_writer import Writer

PROMPTS = ["Hi", "one two three", "é", "a longer one, of some words", "Hi", "x", "yz"]


@pytest.fixture
def run(tiny_model, capsys):
    """A function: run `numgpt generate --prompts-file`; return (status, output, complaints)."""

    def generate(path, *arguments):
        status = main(["generate", "--model", tiny_model, "--prompts-file", str(path), *arguments])
        return status, *capsys.readouterr()

    return generate


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(PROMPTS) + "\n", "utf-8")
    return path


def texts(out):
    return [[sample["text"] for sample in json.loads(line)["samples"]] for line in out.splitlines()]


def test_a_line_for_every_prompt_as_generate_has_it(run, prompts, tiny_model):
    status, out, err = run(prompts, "--seed", "4", "--max-new-tokens", "9", "--batch-size", "3")
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    model, tokenizer = numgpt.load(tiny_model)
    ids = [tokenizer.encode(prompt) for prompt in PROMPTS]
    settings = {"temperature": 0.8, "top_k": 40, "seed": 4, "stop_ids": tokenizer.end_of_text}
    expected = numgpt.generate(model, ids, 9, **settings)
    for n, (row, prompt, whole) in enumerate(zip(rows, ids, expected, strict=True)):
        assert (row["line"], row["prompt"], row["prompt_ids"]) == (n + 1, PROMPTS[n], prompt)
        assert row["samples"][0]["ids"] == whole[len(prompt) :]
        assert row["settings"]["seed"] == 4


@pytest.mark.parametrize("several", [["--num-samples", "2"], ["--best-of", "3"], ["--num-beams", "3"]])
def test_texts_do_not_depend_on_the_batch(run, prompts, several):
    seed = [] if several[0] == "--num-beams" else ["--seed", "4"]
    arguments = ["--max-new-tokens", "9", *several, *seed]
    found = [texts(run(prompts, *arguments, "--batch-size", size)[1]) for size in ("1", "2", "5", "100")]
    assert found[0] == found[1] == found[2] == found[3]
    assert [len(row) for row in found[0]] == [2 if several[0] == "--num-samples" else 1] * len(PROMPTS)
    if several[0] == "--num-samples":
        assert found[0][0] != found[0][4]  # the same prompt in two places: other texts


def test_json_lines(run, tmp_path, prompts):
    path = tmp_path / "prompts.jsonl"
    rows = [json.dumps({"id": 3, "prompt": prompt + "\u2028\n"}) for prompt in PROMPTS]
    path.write_text("\ufeff" + "\r\n".join(rows), "utf-8")
    status, out, err = run(path, "--max-new-tokens", "0")
    assert (status, err) == (0, "")
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == [prompt + "\u2028\n" for prompt in PROMPTS]


def test_from_standard_input(run, monkeypatch, prompts):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(prompts.read_bytes())))
    assert run("-", "--max-new-tokens", "3", "--seed", "1") == run(prompts, "--max-new-tokens", "3", "--seed", "1")


def test_the_likeliest_of_every_place(run, prompts):
    row = json.loads(run(prompts, "--max-new-tokens", "2", "--logprobs", "3")[1].splitlines()[0])
    assert [len(top) for top in row["samples"][0]["top_logprobs"]] == [3, 3]


BAD = {
    "an empty line": ("a.txt", b"a\n\nb\n", "line 2 is empty: every line is a prompt"),
    "nothing": ("a.txt", b"", "is empty: it must contain prompts, one per line"),
    "only line breaks": ("a.txt", b"\n\n", "is empty: it must contain prompts, one per line"),
    "not UTF-8": ("a.txt", b"a\nb\xff\n", "line 2: not UTF-8"),
    "a long prompt": ("a.txt", b"a\n" + b"b" * 65 + b"\n", "line 2: 65 tokens do not fit the context of 64"),
    "no JSON": ("a.jsonl", b'{"prompt": "a"}\n{"prompt": \n', "line 2, column 12: not usable JSON"),
    "a list": ("a.jsonl", b'["a"]\n', "line 1: expected a JSON object"),
    "no prompt": (
        "a.jsonl",
        b'{"prompt": "a"}\n{"text": "a"}\n',
        'line 2: no prompt: every line must be an object with a text in "prompt"',
    ),
    "a number": ("a.jsonl", b'{"prompt": 3}\n', "line 1: no prompt"),
    "an empty prompt": ("a.jsonl", b'{"prompt": ""}\n', "line 1: no prompt"),
    "a lone surrogate": ("a.jsonl", b'{"prompt": "\\ud800"}\n', "line 1: character 0 of the text is a lone surrogate"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_line_is_named_and_nothing_is_written(run, tmp_path, bad):
    name, data, message = BAD[bad]
    (tmp_path / name).write_bytes(data)
    status, out, err = run(tmp_path / name, "--out", str(tmp_path / "out.jsonl"))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"numgpt: {tmp_path / name}" in err
    assert message in err
    assert not (tmp_path / "out.jsonl").exists() or not (tmp_path / "out.jsonl").read_bytes()


def test_long_prompts_keep_their_ends(run, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("short\n" + "a" * 10 + "b" * 64 + "\n")
    status, out, err = run(path, "--keep-end", "--max-new-tokens", "1")
    assert [json.loads(line)["prompt_ids"] for line in out.splitlines()] == [list(b"short"), [98] * 64]
    assert err == "numgpt: prompts longer than the context of 64 tokens: 1; only the end of each is used\n"


def test_special_tokens_are_told_once(run, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("a<|endoftext|>\n" * 3)
    _, out, err = run(path, "--max-new-tokens", "0")
    assert err == f"numgpt: {path} contains <|endoftext|>, read as ordinary text; --allow-special reads it as a token\n"
    _, out, err = run(path, "--max-new-tokens", "0", "--allow-special")
    assert (json.loads(out.splitlines()[0])["prompt_ids"], err) == ([97, 256], "")


def test_what_is_there_is_not_made_again(run, prompts, tmp_path, monkeypatch):
    arguments = ["--max-new-tokens", "9", "--batch-size", "3", "--out"]
    whole, part = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    assert run(prompts, *arguments, str(whole))[:2] == (0, f"{whole}: 7 prompts, 7 of them new\n")  # draws a seed
    lines = whole.read_bytes().splitlines(keepends=True)
    for cut in range(0, len(whole.read_bytes()), 397):
        part.write_bytes(whole.read_bytes()[:cut])
        n = whole.read_bytes()[:cut].count(b"\n")
        seed = ["--seed", str(json.loads(lines[0])["settings"]["seed"])] if n == 0 else []  # else the file tells
        assert run(prompts, *seed, *arguments, str(part))[1] == f"{part}: 7 prompts, {7 - n} of them new\n"
        assert part.read_bytes() == whole.read_bytes()
    monkeypatch.setattr("numgpt.cli.generate_file.Writer", None)  # no model is loaded for nothing
    assert run(prompts, *arguments, str(whole))[1] == f"{whole}: 7 prompts, 0 of them new\n"
    assert {path.name for path in tmp_path.iterdir()} == {"prompts.txt", "whole.jsonl", "part.jsonl"}


def test_batches_are_the_same_wherever_it_goes_on(run, prompts, tmp_path, monkeypatch):
    """A text alone and in a batch differ by rounding, and the bytes have to be the same."""
    out, firsts, go_on = tmp_path / "out.jsonl", [], Writer.go_on

    def watched(writer, rows, first):
        firsts.append((first, len(rows)))
        return go_on(writer, rows, first)

    monkeypatch.setattr(Writer, "go_on", watched)
    arguments = ["--max-new-tokens", "2", "--batch-size", "3", "--out", str(out)]
    run(prompts, *arguments)
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:4]))
    run(prompts, *arguments)
    assert firsts == [(0, 3), (3, 3), (6, 1), (3, 3), (6, 1)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--seed", "8"], "made with another --seed, 7 and not 8"),
        (["--max-new-tokens", "5"], "made with another --max-new-tokens, 4 and not 5"),
        (["--dtype", "float64"], "made with another --dtype, 'float32' and not 'float64'"),
        (["--num-samples", "2"], "made with another --num-samples, 1 and not 2"),
        (["--stop", "x"], "made with another --stop, [] and not ['x']"),
        (["--best-of", "2"], "made with another --best-of, None and not 2"),
    ],
)
def test_lines_of_another_command_are_refused_and_stay(run, prompts, tmp_path, changed, message):
    out = tmp_path / "out.jsonl"
    arguments = ["--seed", "7", "--max-new-tokens", "4", "--out", str(out)]
    run(prompts, *arguments)
    before = out.read_bytes()
    status, _, err = run(prompts, *arguments, *changed)
    assert (status, err.count("\n")) == (2, 1)
    assert f"{out}, line 1 was {message}: use the same, or give another file" in err
    assert out.read_bytes() == before


@pytest.mark.parametrize("data", [b"one text", b"a text\n", b"{}\n", b'{"line": 2, "pro', b"a\n" * 9])
def test_a_file_of_somebody_elses_is_never_touched(run, prompts, tmp_path, data):
    out = tmp_path / "out.jsonl"
    out.write_bytes(data)
    status, _, err = run(prompts, "--out", str(out))
    assert (status, err.count("\n")) == (2, 1)
    assert out.read_bytes() == data


def test_other_prompts_are_refused(run, prompts, tmp_path):
    out = tmp_path / "out.jsonl"
    run(prompts, "--max-new-tokens", "1", "--out", str(out))
    prompts.write_text(prompts.read_text("utf-8").replace("three", "four"), "utf-8")
    assert (
        "line 2 was made with another prompt, 'one two three' and not 'one two four'"
        in run(prompts, "--max-new-tokens", "1", "--out", str(out))[2]
    )


def test_killed_again_and_again_it_ends_with_the_same_bytes(tiny_model, tmp_path):
    kill_and_compare(tiny_model, tmp_path, n_prompts=60, n_kills=3)


def kill_and_compare(model, folder, n_prompts, n_kills):
    """Kill a run as soon as it has written something, n_kills times; let it end; compare with an undisturbed one."""
    rng = np.random.default_rng(0)
    prompts, whole, part = folder / "p.txt", folder / "whole.jsonl", folder / "part.jsonl"
    prompts.write_text("".join("x" * int(n) + "\n" for n in rng.integers(1, 30, n_prompts)))
    command = [sys.executable, "-m", "numgpt", "generate", "--model", model, "--prompts-file", str(prompts)]
    command += ["--batch-size", "3", "--max-new-tokens", "60", "--seed", "3", "--out"]
    subprocess.run([*command, str(whole)], check=True, stdout=subprocess.DEVNULL)
    for _ in range(n_kills):
        before = part.stat().st_size if part.exists() else 0
        process = subprocess.Popen([*command, str(part)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size == before:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.kill()
        process.wait()
    assert part.read_bytes() != whole.read_bytes()
    subprocess.run([*command, str(part)], check=True, stdout=subprocess.DEVNULL)
    assert part.read_bytes() == whole.read_bytes()
    assert {path.name for path in folder.iterdir()} == {"p.txt", "whole.jsonl", "part.jsonl"}


def test_two_at_once_are_refused(run, prompts, tmp_path):
    from numgpt.checkpoint.lock import exclusive

    out = tmp_path / "out.jsonl"
    with exclusive(f"{out}.lock", "busy"):
        assert run(prompts, "--out", str(out))[2] == f"numgpt: {out} is being written by another process\n"
