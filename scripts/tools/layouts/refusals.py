"""Layouts that are refused in one line, and those that the command in this line converts."""

import json
import subprocess
import sys

import torch
from safetensors.torch import save_file
from table import layout, reason

# What is refused


def converted(name, content_of):
    """A pickle, which is converted as the refusal says; then it loads."""

    def write(folder, source):
        torch.save(content_of(source), folder / name)
        if name.endswith(".bin"):
            source.write(folder)
        refusal = reason(folder)
        assert f"{name} can run code" in refusal, refusal
        command = refusal.partition("in that folder, ")[2].replace("python", sys.executable, 1)
        subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
        (folder / name).unlink()
        source.write(folder)

    return write


@layout("`pytorch_model.bin`: never opened; the command in the message converts it", "converted")
def _(folder, source):
    converted("pytorch_model.bin", lambda source: source.tensors() | {"lm_head.weight": source.head()})(folder, source)


@layout("`ckpt.pt`: never opened; the command in the message converts it", "converted")
def _(folder, source):
    converted("ckpt.pt", lambda source: {"model": source.tensors(), "iter_num": 5})(folder, source)


@layout("`tf_model.h5`", "tf_model.h5 can run code and is never opened")
def _(folder, source):
    (folder / "tf_model.h5").write_bytes(b"")
    source.write(folder)


@layout("a LoRA adapter", "an adapter")
def _(folder, source):
    (folder / "adapter_config.json").write_text("{}")
    save_file({"base_model.model.lora_A.weight": torch.zeros(1)}, folder / "adapter_model.safetensors")


@layout("a shard that is missing", "which is missing")
def _(folder, source):
    source.model.save_pretrained(folder, max_shard_size="40KB" if source.config.n_embd < 64 else "1MB")
    next(folder.glob("model-00002*")).unlink()


@layout("weights without config.json", "config.json is missing")
def _(folder, source):
    source.write(folder, source.tensors())
    (folder / "config.json").unlink()


@layout("several files with variants in their names", "which of model.fp16.safetensors, model.fp32.safetensors")
def _(folder, source):
    for name in "model.fp16.safetensors", "model.fp32.safetensors":
        source.write(folder, source.tensors(), name)


@layout("a second output head that config.json does not mention", "lm_head.weight differs from wte.weight")
def _(folder, source):
    source.write(folder, source.tensors() | {"lm_head.weight": source.head() + 1})


@layout("weights that are integers", "not floats")
def _(folder, source):
    source.write(
        folder, source.tensors() | {"transformer.ln_f.bias": torch.zeros(source.config.n_embd, dtype=torch.int8)}
    )


def foreign(key, value):
    return lambda folder, source: source.write(folder, source.tensors(), **{key: value})


for key, value, words in (
    ("model_type", "llama", "another architecture"),
    ("rotary_dim", 8, "positions as rotations"),
    ("num_key_value_heads", 1, "grouped-query"),
    ("num_local_experts", 8, "mixture of experts"),
    ("add_cross_attention", True, "an encoder"),
    ("activation_function", "mish", "which numgpt lacks"),
):
    layout(f"`{key}: {json.dumps(value)}`", words)(foreign(key, value))
