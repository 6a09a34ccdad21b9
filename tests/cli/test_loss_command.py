"""`numgpt loss`: token by token, and the means."""

import json
import math

import numpy as np
import pytest

import numgpt
from numgpt.cli import main


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Größe\n", "utf-8")
    return str(path)


def test_the_table(text_file, tiny_model, capsys):
    assert main(["loss", text_file, "--model", tiny_model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["token", "random", "trained", "nats"]
    assert len(lines) == 1 + 7 + 1 + 1 + 2 + 3
    assert lines[1].startswith("'r' ")
    assert lines[7].startswith("'\\n'")
    assert lines[9].startswith("protocol: windows that share one token")
    assert lines[10] == f"7 tokens; a uniform guess costs ln(257) = {math.log(257):.3f} nats per token"
    assert [line.split("  ")[0] for line in lines[12:]] == ["nats per token", "nats per character", "perplexity"]


def test_the_numbers(text_file, tiny_model, capsys):
    assert main(["loss", text_file, "--model", tiny_model, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    model, tokenizer = numgpt.load(tiny_model)
    ids = tokenizer.encode("Größe\n")
    assert [row["id"] for row in result["tokens"]] == ids[1:]
    random = numgpt.GPT(model.config, seed=0)
    for name, of in ("trained", model), ("random", random):
        nats = np.array([row[name] for row in result["tokens"]])
        mean = of.loss([ids[:-1]], [ids[1:]])
        assert result[name]["nats_per_token"] == pytest.approx(mean, abs=1e-5)
        assert result[name]["nats_per_token"] == pytest.approx(nats.mean())
        assert result[name]["nats_per_character"] == pytest.approx(nats.sum() / 5)
        assert result[name]["perplexity"] == pytest.approx(math.exp(nats.mean()))
    assert abs(result["random"]["nats_per_token"] - result["ln_n_vocab"]) < 0.1


def test_a_text_longer_than_the_context(tmp_path, tiny_model, capsys):
    (tmp_path / "long.txt").write_text("ab " * 100)
    assert main(["loss", str(tmp_path / "long.txt"), "--model", tiny_model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("299 tokens; ")
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"a", "has only 1 token"), (b"ab\n\xff", "line 2: not UTF-8: byte 0xff at offset 3")],
)
def test_a_user_s_mistakes(tmp_path, tiny_model, capsys, content, reason):
    (tmp_path / "a.txt").write_bytes(content)
    assert main(["loss", str(tmp_path / "a.txt"), "--model", tiny_model]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_other_mistakes(tmp_path, text_file, tiny_model, golden, capsys):
    (tmp_path / "none").mkdir()
    for words, reason in [
        ([str(tmp_path / "none"), "--model", tiny_model], "holds no text: files whose names end in"),
        ([text_file, "--model", tiny_model, "--seed", "-1"], "--seed must be at least 0"),
        ([text_file, "--model", str(golden / "tiny-gpt2" / "hf")], "has no vocabulary files"),
        ([text_file, "--model", "nothing"], "'nothing' is not a folder"),
    ]:
        assert main(["loss", *words]) == 2
        assert reason in capsys.readouterr().err


def test_documents(tmp_path, tiny_model, capsys):
    """Each is read by itself, after an end of text; of a prompt with a completion the completion is scored alone."""
    model, tokenizer = numgpt.load(tiny_model)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("ab")
    (tmp_path / "texts" / "b.txt").write_text("c")
    (tmp_path / "lines.jsonl").write_text('{"prompt": "ab", "completion": "c"}\n{"text": "d"}\n')
    for name, rows in [
        ("texts", [("", "ab<>"), ("", "c<>")]),
        ("lines.jsonl", [("ab", "c<>"), ("", "d<>")]),
    ]:
        assert main(["loss", str(tmp_path / name), "--model", tiny_model, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert "".join(row["text"] for row in result["tokens"]).replace("<|endoftext|>", "<>") == "".join(
            text for _, text in rows
        )
        losses = []
        for prompt, text in rows:
            ids = [256, *tokenizer.encode(prompt + text.removesuffix("<>")), 256]
            logits = model.forward([ids[:-1]])[0].astype(float)
            logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            losses += [-row[token] for row, token in zip(logs, ids[1:], strict=True)][len(prompt) :]
        assert [row["trained"] for row in result["tokens"]] == pytest.approx(losses, abs=1e-5)
        n_characters = sum(len(text) - 2 for _, text in rows)
        assert result["trained"]["nats_per_character"] == pytest.approx(sum(losses) / n_characters, abs=1e-5)


def test_help_has_examples(capsys):
    assert main(["loss", "--help"]) == 0
    assert "numgpt loss text.txt --model run" in capsys.readouterr().out


@pytest.mark.filterwarnings("error")
def test_json_of_a_perplexity_beyond_all_numbers(tmp_path, text_file, tiny_model, capsys):
    """e to the 710 is no floating-point number, and Infinity is not JSON: null, as --help says."""
    model, tokenizer = numgpt.load(tiny_model)
    model.values *= 1e4
    model.save(tmp_path / "sure")
    tokenizer.save(tmp_path / "sure")
    assert main(["loss", text_file, "--model", str(tmp_path / "sure"), "--json"]) == 0
    printed = capsys.readouterr().out
    result = json.loads(printed, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert result["trained"]["nats_per_token"] > 710
    assert result["trained"]["perplexity"] is None
    assert main(["loss", text_file, "--model", str(tmp_path / "sure")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "inf"
    main(["loss", "--help"])
    assert "a perplexity is null" in " ".join(capsys.readouterr().out.split())


@pytest.mark.filterwarnings("error")
def test_a_model_that_overflows(tmp_path, text_file, tiny_model, capsys):
    model, tokenizer = numgpt.load(tiny_model)
    tokenizer.save(tmp_path)
    for value in np.nan, 3e38:
        model.values.fill(value)
        model.save(tmp_path)
        assert main(["loss", text_file, "--model", str(tmp_path), "--json"]) == 2
        error = capsys.readouterr().err
        assert "are not finite numbers" in error
        assert error.count("\n") == 1
