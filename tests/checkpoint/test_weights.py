"""The files that weights lie in: shards, variants, TensorFlow's by any name; and saving over another model."""

import json
import os
import shutil

import numpy as np
import pytest

import numgpt
from numgpt.checkpoint.weights import INDEX, WEIGHTS, find_weights, read_size
from numgpt.errors import InputError

SHARDS = "everything-in-shards"


@pytest.fixture
def shards(golden, tmp_path):
    """A copy of the model that transformers wrote in two shards."""
    return shutil.copytree(golden / "family" / SHARDS, tmp_path / "shards")


@pytest.fixture
def tiny(golden, tmp_path):
    return shutil.copytree(golden / "tiny-gpt2" / "hf", tmp_path / "tiny")


def values(folder):
    return numgpt.load(folder)[0].values


def refusal(folder):
    with pytest.raises(InputError) as caught:
        numgpt.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit_index(folder, edit):
    index = json.loads((folder / INDEX).read_text())
    edit(index["weight_map"])
    (folder / INDEX).write_text(json.dumps(index))


def test_a_shard_that_is_missing(shards):
    (shards / "model-00002-of-00002.safetensors").unlink()
    assert "names 'model-00002-of-00002.safetensors', which is missing" in refusal(shards)


def test_an_index_of_another_model(shards):
    edit_index(shards, lambda where: where.update({"transformer.wpe.weight": "model-00002-of-00002.safetensors"}))
    assert "'transformer.wpe.weight' is not in model-00002-of-00002.safetensors" in refusal(shards)


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", "model.bin", 5, None, "a b.safetensors"])
def test_an_index_that_names_something_else(shards, file):
    edit_index(shards, lambda where: where.update({"transformer.wpe.weight": file}))
    assert "is not the name of a safetensors file beside it" in refusal(shards)


def test_a_tensor_in_two_shards(shards):
    shutil.copy(shards / "model-00001-of-00002.safetensors", shards / "model-00009-of-00009.safetensors")
    edit_index(shards, lambda where: where.update({"transformer.wte.weight": "model-00009-of-00009.safetensors"}))
    assert "is in model-00001-of-00002.safetensors and in model-00009-of-00009.safetensors" in refusal(shards)


def test_one_file_comes_before_an_index(tiny, shards):
    for name in WEIGHTS, "config.json":
        shutil.copy(tiny / name, shards)
    assert find_weights(shards).name == WEIGHTS
    assert np.array_equal(values(shards), values(tiny))


def test_a_variant_where_it_is_the_only_one(tiny, shards):
    expected = values(tiny), values(shards)
    (tiny / WEIGHTS).rename(tiny / "model.fp16.safetensors")
    (shards / INDEX).rename(shards / "model.safetensors.index.fp16.json")
    assert np.array_equal(values(tiny), expected[0])
    assert np.array_equal(values(shards), expected[1])
    shutil.copy(tiny / "model.fp16.safetensors", tiny / "model.fp32.safetensors")
    assert "which of model.fp16.safetensors, model.fp32.safetensors is the model?" in refusal(tiny)


@pytest.mark.parametrize(
    ("size", "n_files"), [(10**9, 1), (None, 1), (9000, 3), ("9KB", 3), ("1 KiB", 14), ("3000B", 8)]
)
def test_shards_that_are_saved(tiny, tmp_path, size, n_files):
    model = numgpt.load(tiny)[0]
    model.save(tmp_path / "saved", max_shard_size=size)
    files = sorted(path.name for path in (tmp_path / "saved").glob("*.safetensors"))
    assert len(files) == n_files
    assert (tmp_path / "saved" / INDEX).exists() == (n_files > 1)
    assert np.array_equal(values(tmp_path / "saved"), model.values)
    if n_files > 1:
        index = json.loads((tmp_path / "saved" / INDEX).read_text())
        assert index["metadata"]["total_size"] == model.values.nbytes
        assert sorted(set(index["weight_map"].values())) == files
        limit = read_size(size)
        for path in (tmp_path / "saved").glob("*.safetensors"):
            n_tensors = list(index["weight_map"].values()).count(path.name)
            assert n_tensors == 1 or path.stat().st_size < limit + 120 * n_tensors  # its header


@pytest.mark.parametrize("size", [0, -1, "many", "5XB", "0KB", True, float("nan"), "1e9", [5], 1 << 70])
def test_sizes_that_are_none(tiny, tmp_path, size):
    with pytest.raises(InputError, match='max_shard_size must be a number of bytes or a text such as "200MB"'):
        numgpt.load(tiny)[0].save(tmp_path / "saved", max_shard_size=size)
    assert not list((tmp_path / "saved").glob("*"))


def test_units():
    assert [read_size(text) for text in ("2B", "2kb", "2MB", "0.5 GB", "2KiB", "1MiB")] == [
        2,
        2000,
        2_000_000,
        500_000_000,
        2048,
        1 << 20,
    ]


@pytest.mark.parametrize("first", [None, 9000])
@pytest.mark.parametrize("second", [None, 9000])
def test_saved_over_another_form(tiny, shards, tmp_path, first, second):
    """What is read then is what was saved last."""
    other = numgpt.load(tiny)[0]
    other.values[...] = 1
    other.save(tmp_path / "saved", max_shard_size=first)
    model = numgpt.load(tiny)[0]
    model.save(tmp_path / "saved", max_shard_size=second)
    assert np.array_equal(values(tmp_path / "saved"), model.values)


@pytest.mark.parametrize("renames", range(5))
def test_an_interrupted_save_of_shards_is_never_taken_for_whole(tiny, tmp_path, monkeypatch, renames):
    """Three shards, the index, config.json: until the last has its name, there is no model or the whole new one."""
    model = numgpt.load(tiny)[0]
    old = numgpt.load(tiny)[0]
    old.values[...] = 1
    old.save(tmp_path / "saved", max_shard_size=9000)
    rename, left = os.replace, [None] * renames

    def interrupted(source, target):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.save(tmp_path / "saved", max_shard_size=9000)
    monkeypatch.undo()
    if renames < 4:
        assert "no model here" in refusal(tmp_path / "saved")
    else:
        assert np.array_equal(values(tmp_path / "saved"), model.values)


def test_an_untied_head_is_saved_as_transformers_names_it(shards, tmp_path):
    numgpt.load(shards)[0].save(tmp_path / "saved")
    header = (tmp_path / "saved" / WEIGHTS).read_bytes()
    assert b'"lm_head.weight"' in header
    assert b'"transformer.wte.weight"' in header
    assert np.array_equal(values(tmp_path / "saved"), values(shards))


# TensorFlow's


@pytest.fixture
def tensorflow(golden, tmp_path):
    """A folder as gpt-2-simple leaves it: the checkpoint of step 1000 beside an older one."""
    folder = tmp_path / "run1"
    folder.mkdir()
    for path in (golden / "tiny-gpt2" / "tf").iterdir():
        shutil.copy(path, folder / path.name.replace("model.ckpt", "model-1000"))
    (folder / "model-900.index").write_bytes(b"damaged")
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "model-1000"\nall_model_checkpoint_paths: "model-900"\n', "utf-8"
    )
    return folder


def test_the_one_that_checkpoint_names(tensorflow, tiny):
    assert np.array_equal(values(tensorflow), values(tiny))
    (tensorflow / "checkpoint").write_text('model_checkpoint_path: "/home/she/run1/model-1000"\n')
    assert np.array_equal(values(tensorflow), values(tiny))
    (tensorflow / "checkpoint").write_text('model_checkpoint_path: "model-1100"\n')
    assert "names 'model-1100', whose .index is not there; there is model-1000, model-900" in refusal(tensorflow)


def test_without_checkpoint_there_must_be_one(tensorflow, tiny):
    (tensorflow / "checkpoint").unlink()
    assert "which of model-1000, model-900" in refusal(tensorflow)
    (tensorflow / "model-900.index").unlink()
    assert np.array_equal(values(tensorflow), values(tiny))


# What a model is told by its files


def test_ids_that_end_a_text(tiny, tmp_path):
    config = json.loads((tiny / "config.json").read_text())
    for name, ids, expected in [
        ("config.json", 5, (5,)),
        ("config.json", [5, 7], (5, 7)),
        ("generation_config.json", 3, (3,)),
        ("generation_config.json", None, (5, 7)),
        ("config.json", 50256, ()),  # beyond the vocabulary
    ]:
        (tiny / name).write_text(json.dumps((config if name == "config.json" else {}) | {"eos_token_id": ids}))
        model, _ = numgpt.load(tiny)
        assert model.end_of_text == expected
        model.save(tmp_path / "saved")
        assert numgpt.load(tmp_path / "saved")[0].end_of_text == expected


def test_rows_beyond_the_tokenizer_are_never_chosen(golden, tmp_path):
    """They have no training behind them, and here by far the largest logits."""
    model = numgpt.GPT(numgpt.GPTConfig(n_vocab=448, n_ctx=8, n_embd=8, n_head=2, n_layer=1))
    model.wte.weight[384:] *= 1000
    model.save(tmp_path)
    for name in "vocab.json", "merges.txt":
        shutil.copy(golden / "tokenizer" / name, tmp_path)
    loaded, tokenizer = numgpt.load(tmp_path)
    assert (loaded.n_tokens, loaded.config.n_vocab) == (tokenizer.n_vocab, 448) == (384, 448)
    for rules in {"temperature": 0}, {"seed": 1}, {"seed": 1, "top_k": 500, "repetition_penalty": 1.2}:
        ids, logprobs = numgpt.generate(loaded, [[1, 2], [400, 3]], 30, return_logprobs=True, **rules)
        assert ids[:, 2:].max() < 384
        assert np.isfinite(logprobs).all()
    assert numgpt.generate(model, [[1, 2]], 30, temperature=0)[:, 2:].max() >= 384


def test_added_tokens_without_a_row_are_left_out_and_named(golden, tmp_path, capsys):
    numgpt.GPT(numgpt.GPTConfig(n_vocab=385, n_ctx=8, n_embd=8, n_head=2, n_layer=1)).save(tmp_path)
    for name in "vocab.json", "merges.txt":
        shutil.copy(golden / "tokenizer" / name, tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"one": 384, "two": 385, "three": 386}))
    _, tokenizer = numgpt.load(tmp_path)
    assert tokenizer.n_vocab == 385
    assert tokenizer.special == {"<|endoftext|>": 0, "one": 384}
    said = " ".join(capsys.readouterr().err.split())
    assert "no embedding for the added tokens from id 385 on ('two', 'three'): they are left out" in said


def test_notices_are_lines_on_standard_error(tiny, capsys):
    config = json.loads((tiny / "config.json").read_text())
    (tiny / "config.json").write_text(json.dumps(config | {"resid_pdrop": 0.3}))
    assert numgpt.load(tiny)[0].config.dropout == 0.3
    err = capsys.readouterr().err
    assert err.startswith("numgpt: ")
    assert max(len(line) for line in err.splitlines() if str(tiny) not in line) <= 100
    assert "resid_pdrop 0.3, embd_pdrop 0.0, attn_pdrop 0.0: numgpt trains with one dropout" in " ".join(err.split())


def test_a_shard_with_a_name_that_no_disk_takes(shards):
    path = shards / "model.safetensors.index.json"
    path.write_text(path.read_text().replace("model-00002", "x" * 5000))
    said = refusal(shards)
    assert "which is missing" in said
    assert len(said) <= 500
