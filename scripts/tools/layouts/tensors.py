"""Layouts of the weights and of config.json: by transformers, by wrappers and trainers, by TensorFlow, by numgpt."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from table import GOLDEN, layout

import numgpt

PROJECTIONS = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


# What transformers writes


@layout("GPT2LMHeadModel as transformers saves it, names with `transformer.`")
def _(folder, source):
    source.model.save_pretrained(folder)
    source.write_vocabulary(folder)


@layout("GPT2Model as transformers saves it, names without `transformer.`")
def _(folder, source):
    source.model.transformer.save_pretrained(folder)


@layout("in shards, by transformers: `model.safetensors.index.json`")
def _(folder, source):
    source.model.save_pretrained(folder, max_shard_size="40KB" if source.config.n_embd < 64 else "1MB")


@layout("a single file, with a variant in its name: `model.fp16.safetensors`")
def _(folder, source):
    source.model.save_pretrained(folder, variant="fp16")


@layout("shards with a variant in their names")
def _(folder, source):
    source.model.save_pretrained(folder, variant="fp16", max_shard_size="40KB" if source.config.n_embd < 64 else "1MB")


def in_type(dtype):
    def write(folder, source):
        model = source.changed().to(dtype)
        model.save_pretrained(folder)
        return model

    return write


for dtype in "float16", "bfloat16", "float64":
    layout(f"values in {dtype}")(in_type(getattr(torch, dtype)))


def with_head(kind):
    def write(folder, source):
        model = getattr(transformers, kind)(source.config)
        model.transformer.load_state_dict(source.model.transformer.state_dict())
        model.save_pretrained(folder)

    return write


for kind in "GPT2ForSequenceClassification", "GPT2ForTokenClassification", "GPT2DoubleHeadsModel":
    layout(f"{kind}: its other head is left out, with a notice")(with_head(kind))


@layout("GPT2ForQuestionAnswering: its other head is left out, with a notice")
def _(folder, source):
    head = {"qa_outputs.weight": torch.zeros(2, source.config.n_embd), "qa_outputs.bias": torch.zeros(2)}
    source.write(folder, source.tensors() | head)


def configured(changes):
    def write(folder, source):
        model = source.changed(**changes)
        model.save_pretrained(folder)
        return model

    return write


for changes in (
    *({"activation_function": name} for name in ("gelu", "relu", "silu", "swish", "quick_gelu", "gelu_pytorch_tanh")),
    {"tie_word_embeddings": False},
    {"n_inner": 40},
    {"scale_attn_weights": False},
    {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
    {"layer_norm_epsilon": 1e-6},
):
    layout(", ".join(f"`{name}: {json.dumps(value)}`" for name, value in changes.items()))(configured(changes))


# Names


@layout("`lm_head.weight` repeated")
def _(folder, source):
    source.write(folder, source.tensors() | {"lm_head.weight": source.head()})


@layout("`lm_head.weight` alone, wte dropped as the shared tensor")
def _(folder, source):
    tensors = source.tensors() | {"lm_head.weight": source.head()}
    del tensors["transformer.wte.weight"]
    source.write(folder, tensors)


@layout("`lm_head.decoder.weight`")
def _(folder, source):
    source.write(folder, source.tensors() | {"lm_head.decoder.weight": source.head()})


def wrapped(prefix):
    def write(folder, source):
        tensors = source.tensors() | {"lm_head.weight": source.head()}
        source.write(folder, {prefix + name: value for name, value in tensors.items()})

    return write


for prefix in ("module.", "_orig_mod.", "base_model.model.", "_orig_mod.module.", "module._orig_mod.base_model.model."):
    layout(f"names that begin with `{prefix}`")(wrapped(prefix))


@layout("blocks that were compiled one by one: `h.0._orig_mod.ln_1`")
def _(folder, source):
    source.write(
        folder, {name.replace(".ln_1.", "._orig_mod.ln_1."): value for name, value in source.tensors().items()}
    )


def masked(tensors_of):
    def write(folder, source):
        T = source.config.n_positions
        mask = torch.tril(torch.ones(1, 1, T, T))
        blocks = [f"transformer.h.{i}.attn" for i in range(source.config.n_layer)]
        extra = {f"{block}.{name}": value for block in blocks for name, value in tensors_of(mask).items()}
        source.write(folder, source.tensors() | {name: value.clone() for name, value in extra.items()})

    return write


layout("causal mask `attn.bias`, as bytes")(masked(lambda mask: {"bias": mask.to(torch.uint8)}))
layout("causal mask `attn.bias`, as booleans, and `attn.masked_bias`")(
    masked(lambda mask: {"bias": mask.bool(), "masked_bias": torch.tensor(-1e4)})
)
layout("causal mask `attn.mask`, as floats")(masked(lambda mask: {"mask": mask}))


@layout("TRL's value head `v_head.*`, left out with a notice")
def _(folder, source):
    head = {"v_head.summary.weight": torch.ones(1, source.config.n_embd), "v_head.summary.bias": torch.ones(1)}
    source.write(folder, source.tensors() | head)


@layout("projections as (out, in), as in nanoGPT's Linear layers")
def _(folder, source):
    turned = {
        name: value.T.contiguous() if name.endswith(PROJECTIONS) else value for name, value in source.tensors().items()
    }
    source.write(folder, {"_orig_mod." + name: value for name, value in turned.items()})


# Configurations


@layout("config.json with a byte order mark, and only the sizes")
def _(folder, source):
    source.write(folder, source.tensors())
    kept = ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer")
    fields = {name: getattr(source.config, name) for name in kept}
    (folder / "config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(fields).encode())


@layout("config.json with an n_ctx that differs from n_positions")
def _(folder, source):
    source.write(folder, source.tensors(), n_ctx=7)


@layout("generation_config.json with several ids that end a text")
def _(folder, source):
    source.write(folder, source.tensors())
    (folder / "generation_config.json").write_text('{"eos_token_id": [0, 5]}')
    return source.model, lambda model, _: model.end_of_text == (0, 5)


def padded(multiple):
    def write(folder, source):
        model = source.changed(vocab_size=-(-(source.config.vocab_size + 1) // multiple) * multiple)
        model.save_pretrained(folder)
        source.write_vocabulary(folder)
        return model, lambda ours, tokenizer: ours.n_tokens == tokenizer.n_vocab < ours.config.n_vocab

    return write


for multiple in 64, 128:
    layout(f"a vocabulary padded to a multiple of {multiple}; the padding is never sampled")(padded(multiple))


# TensorFlow's files


def golden_expected():
    expected = np.load(GOLDEN / "tiny-gpt2" / "expected.npz")
    return expected["ids"], expected["logits"]


@layout("OpenAI's: `model.ckpt.index`, `model.ckpt.data-*`, hparams.json")
def _(folder, source):
    shutil.copytree(GOLDEN / "tiny-gpt2" / "tf", folder, dirs_exist_ok=True)
    return golden_expected()


@layout("gpt-2-simple's and nshepperd's: `model-1000.*`, named in the file `checkpoint`")
def _(folder, source):
    for path in (GOLDEN / "tiny-gpt2" / "tf").iterdir():
        shutil.copy(path, folder / path.name.replace("model.ckpt", "model-1000"))
    (folder / "model-900.index").write_bytes(b"an older one")
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "model-1000"\nall_model_checkpoint_paths: "model-900"\n'
        'all_model_checkpoint_paths: "model-1000"\n'
    )
    return golden_expected()


# What numgpt writes


def by_numgpt(**how):
    def write(folder, source):
        with tempfile.TemporaryDirectory() as place:
            source.model.save_pretrained(place)
            numgpt.load(Path(place))[0].save(folder, **how)
        theirs, report = transformers.GPT2LMHeadModel.from_pretrained(folder, output_loading_info=True)
        assert not any(report.values()), report
        return theirs

    return write


layout("saved by numgpt, read by transformers as well")(by_numgpt())
layout("saved by numgpt in shards, read by transformers as well")(by_numgpt(max_shard_size=40_000))
