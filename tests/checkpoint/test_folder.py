"""Folders with models in them: opened in either format, refused with a reason, saved whole or not at all."""

import json
import os
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from numgpt.checkpoint import open_checkpoint, save_checkpoint
from numgpt.checkpoint.names import parameter_shapes
from numgpt.checkpoint.safetensors_file import read_header, write_safetensors
from numgpt.config import GPTConfig
from numgpt.errors import InputError

CONFIG = GPTConfig(n_vocab=96, n_ctx=16, n_embd=12, n_head=3, n_layer=2)
SMALLEST = GPTConfig(n_vocab=1, n_ctx=1, n_embd=1, n_head=1, n_layer=1)


def read_model(folder, dtype=np.float32):
    """name -> array; the arrays are views of one buffer, as a model's are, filled with NaN before."""
    checkpoint = open_checkpoint(folder)
    shapes = parameter_shapes(checkpoint.config)
    buffer = np.full(sum(int(np.prod(shape)) for shape in shapes.values()), np.nan, dtype)
    arrays, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        arrays[name], start = buffer[start:stop].reshape(shape), stop
    checkpoint.read_into(arrays)
    return arrays


def zeros_of(config):
    return {name: np.zeros(shape) for name, shape in parameter_shapes(config).items()}


def equal(arrays, others):
    return arrays.keys() == others.keys() and all(np.array_equal(arrays[name], others[name]) for name in arrays)


def write_weights(folder, arrays, dtype=None):
    with open(folder / "model.safetensors", "wb") as file:
        write_safetensors(file, arrays, dtype)


@pytest.fixture
def weights(golden):
    """name -> array of the tiny model."""
    return read_model(golden / "tiny-gpt2" / "hf")


@pytest.fixture
def tiny(golden, tmp_path):
    """A copy of the model that transformers wrote."""
    return shutil.copytree(golden / "tiny-gpt2" / "hf", tmp_path / "hf")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_formats_hold_the_same_model(golden, dtype):
    from_hf, from_tf = (read_model(golden / "tiny-gpt2" / kind, dtype) for kind in ("hf", "tf"))
    assert equal(from_hf, from_tf)
    assert np.isfinite(np.concatenate([value.ravel() for value in from_hf.values()])).all()
    assert open_checkpoint(golden / "tiny-gpt2" / "tf").config == CONFIG
    assert open_checkpoint(golden / "tiny-gpt2" / "hf").config == CONFIG


def test_both_formats_hold_the_same_trained_model(shared):
    from_hf, from_tf = (read_model(shared / "oracles" / "mini-gpt2" / kind) for kind in ("hf", "tf"))
    assert equal(from_hf, from_tf)
    assert np.isfinite(from_hf["wte.weight"]).all()


def test_values(golden, weights):
    """Against the data file, read as a person would: the gains of the last LayerNorm precede wpe and wte."""
    raw = np.fromfile(golden / "tiny-gpt2" / "tf" / "model.ckpt.data-00000-of-00001", "<f4")
    assert np.array_equal(weights["wte.weight"].ravel(), raw[-96 * 12 :])
    assert np.array_equal(weights["wpe.weight"].ravel(), raw[-112 * 12 : -96 * 12])
    assert np.array_equal(weights["ln_f.weight"], raw[-113 * 12 : -112 * 12])
    assert np.array_equal(weights["h.0.attn.c_attn.bias"], raw[:36])
    assert np.array_equal(weights["h.0.attn.c_attn.weight"].ravel(), raw[36 : 36 + 12 * 36])


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_masks_and_head_of_other_writers(tiny, weights, prefix):
    stored = {prefix + name: value for name, value in weights.items()}
    for i in range(2):
        stored[f"{prefix}h.{i}.attn.bias"] = np.tril(np.ones((1, 1, 16, 16), np.float32))
        stored[f"{prefix}h.{i}.attn.masked_bias"] = np.array(-1e4, np.float32)
    stored["lm_head.weight"] = weights["wte.weight"]
    write_weights(tiny, stored)
    assert equal(read_model(tiny), weights)


def test_a_head_of_its_own_is_refused(tiny, weights):
    head = weights["wte.weight"].copy()
    head[95, 11] += 1
    write_weights(tiny, weights | {"lm_head.weight": head})
    with pytest.raises(InputError, match=r"model.safetensors: lm_head.weight differs from wte.weight"):
        read_model(tiny)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_half_precision_is_widened(tiny, weights, dtype):
    write_weights(tiny, weights | {"lm_head.weight": weights["wte.weight"]}, "float16")
    assert equal(read_model(tiny, dtype), {name: value.astype(np.float16) for name, value in weights.items()})


@pytest.mark.parametrize("missing", ["config.json", "hparams.json"])
def test_a_missing_configuration(golden, tmp_path, missing):
    folder = shutil.copytree(
        golden / "tiny-gpt2" / {"config.json": "hf", "hparams.json": "tf"}[missing], tmp_path / "x"
    )
    (folder / missing).unlink()
    with pytest.raises(InputError, match=f"{missing} is missing beside model"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "no model here; a model is model.safetensors and config.json, or model.ckpt.index, model.ckpt.data-"),
        (["config.json"], "no model here"),
        (["config.json", "pytorch_model.bin"], "pytorch_model.bin can run code and is never opened"),
        (["model.pt"], "model.pt can run code and is never opened"),
        (["tf_model.h5"], "tf_model.h5 can run code and is never opened"),
        (["model.safetensors.index.json", "config.json"], "it has no weight_map"),
        (["model.safetensors.index.json"], "config.json is missing beside model.safetensors.index.json"),
        (["adapter_config.json", "adapter_model.safetensors"], "an adapter"),
        (["checkpoint-5/config.json"], "no model here, but in checkpoint-5"),
    ],
)
def test_folders_without_a_model(tmp_path, files, reason):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=reason) as caught:
        open_checkpoint(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_what_is_no_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        open_checkpoint(tmp_path / "nowhere")
    (tmp_path / "model.safetensors").write_text("")
    with pytest.raises(InputError, match="model.safetensors is a file; give the folder"):
        open_checkpoint(tmp_path / "model.safetensors")


def test_a_configuration_of_another_model(tiny):
    fields = json.loads((tiny / "config.json").read_text())
    (tiny / "config.json").write_text(json.dumps(fields | {"n_layer": 1}))
    with pytest.raises(InputError, match=r"'transformer\.h\.1\..*' is not part of this model.* and 9 more faults"):
        open_checkpoint(tiny)
    (tiny / "config.json").write_text(json.dumps(fields | {"n_embd": 10**12 * 3}))
    with pytest.raises(InputError, match=r"has shape \(96, 12\), but the configuration makes it \(96, 3000000000000\)"):
        open_checkpoint(tiny)
    (tiny / "config.json").write_text(json.dumps(fields | {"n_layer": 10**18}))
    with pytest.raises(InputError, match="28 tensors cannot be the 1000000000000000000 layers"):
        open_checkpoint(tiny)


def test_arrays_of_another_model(tiny, weights):
    checkpoint = open_checkpoint(tiny)
    del weights["wte.weight"]
    with pytest.raises(ValueError, match="not those of the checkpoint"):
        checkpoint.read_into(weights)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", np.float32])
def test_what_is_saved_opens(tmp_path, weights, dtype):
    folder = tmp_path / "new" / "folder"
    save_checkpoint(folder, CONFIG, weights, dtype)
    assert open_checkpoint(folder).config == CONFIG
    assert equal(read_model(folder), {name: value.astype(dtype) for name, value in weights.items()})
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    assert {tensor.name for tensor in read_header(folder / "model.safetensors")} == weights.keys()


def test_saved_over_another_model(tmp_path, weights):
    save_checkpoint(tmp_path, SMALLEST, zeros_of(SMALLEST))
    save_checkpoint(tmp_path, CONFIG, weights)
    assert equal(read_model(tmp_path), weights)


@contextmanager
def files_of_at_most(size):
    """A disk that is full as soon as a file has `size` bytes."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_what_was_there(tmp_path, weights):
    zeros = {name: np.zeros_like(value) for name, value in weights.items()}
    for was_there in False, True:
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert bool(before) == was_there
        with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
            save_checkpoint(tmp_path, CONFIG, zeros)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        save_checkpoint(tmp_path, CONFIG, weights)
    assert equal(read_model(tmp_path), weights)


def test_a_disk_that_is_full_when_the_weights_are_written(tmp_path, monkeypatch):
    """The configuration waits in a buffer till the end, and must not fail after the weights have got their name."""
    monkeypatch.setattr("numgpt.checkpoint.folder.config_json", lambda *_: " " * 6000)
    with files_of_at_most(5000), pytest.raises(OSError, match="File too large"):
        save_checkpoint(tmp_path, SMALLEST, zeros_of(SMALLEST))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("renames", [0, 1])
def test_an_interrupted_save_is_never_taken_for_whole(tmp_path, weights, monkeypatch, renames):
    rename, left = os.replace, [None] * renames

    def interrupted(source, target):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, CONFIG, weights)
    assert len(os.listdir(tmp_path)) == renames
    with pytest.raises(InputError, match="no model here|config.json is missing"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_another_type_is_not_saved(tmp_path, weights, dtype):
    with pytest.raises(InputError, match="cannot be written as"):
        save_checkpoint(tmp_path, CONFIG, weights, dtype)
    assert not os.listdir(tmp_path)
