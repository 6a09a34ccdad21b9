"""Names and shapes of parameters, and the errors that name what does not fit."""

from dataclasses import replace
from math import prod
from pathlib import Path

import pytest

from numgpt.checkpoint.hugging_face_names import match_hugging_face, plain_name
from numgpt.checkpoint.names import match_openai, openai_name, parameter_shapes
from numgpt.checkpoint.tensors import StoredTensor
from numgpt.config import OFFICIAL_SIZES, GPTConfig
from numgpt.errors import InputError
from numgpt.model import GPT

CONFIG = GPTConfig(n_vocab=7, n_ctx=5, n_embd=4, n_head=2, n_layer=2)
NAMES = {
    "wte.weight": "model/wte",
    "wpe.weight": "model/wpe",
    "h.0.ln_1.weight": "model/h0/ln_1/g",
    "h.0.ln_2.bias": "model/h0/ln_2/b",
    "h.11.attn.c_attn.weight": "model/h11/attn/c_attn/w",
    "h.11.attn.c_proj.bias": "model/h11/attn/c_proj/b",
    "h.1.mlp.c_fc.weight": "model/h1/mlp/c_fc/w",
    "h.47.mlp.c_proj.weight": "model/h47/mlp/c_proj/w",
    "ln_f.weight": "model/ln_f/g",
    "ln_f.bias": "model/ln_f/b",
}


def stored(name, shape, dtype="F32"):
    return StoredTensor(name, dtype, tuple(shape), Path("x"), 0, 4 * prod(shape))


@pytest.fixture
def openai():
    """name -> tensor of a complete model in OpenAI's names."""
    names = {openai_name(name): shape for name, shape in parameter_shapes(CONFIG).items()}
    return {name: stored(name, (1, *shape) if name.endswith("/w") else shape) for name, shape in names.items()}


@pytest.fixture(params=["", "transformer."])
def prefix(request):
    return request.param


@pytest.fixture
def hugging_face(prefix):
    """name -> tensor of a complete model in Hugging Face's names."""
    return {prefix + name: stored(prefix + name, shape) for name, shape in parameter_shapes(CONFIG).items()}


def refuses(match, tensors, *reasons):
    with pytest.raises(InputError) as caught:
        match(tensors.values(), CONFIG, "a file")
    message = str(caught.value)
    assert message.startswith("a file: ")
    assert "\n" not in message
    for reason in reasons:
        assert reason in message


@pytest.mark.parametrize("more", [{}, {"n_inner": 6}, {"tie_word_embeddings": False}])
def test_shapes_are_those_of_the_model(more):
    """`parameter_shapes` says a second time what the layers declare, for those who have no model yet."""
    config = replace(CONFIG, **more)
    model = {name: value.shape for name, value, _ in GPT(config).named_parameters()}
    assert list(parameter_shapes(config).items()) == list(model.items())


@pytest.mark.parametrize(
    ("size", "count"), [("124M", 124439808), ("355M", 354823168), ("774M", 774030080), ("1558M", 1557611200)]
)
def test_numbers_of_parameters(size, count):
    shapes = parameter_shapes(OFFICIAL_SIZES[size])
    assert sum(prod(shape) for shape in shapes.values()) == count
    assert len(shapes) == 12 * OFFICIAL_SIZES[size].n_layer + 4


@pytest.mark.parametrize("name", NAMES)
def test_openai_names(name):
    assert openai_name(name) == NAMES[name]


def test_complete_models(openai, hugging_face):
    shapes = parameter_shapes(CONFIG)
    matched = match_openai(openai.values(), CONFIG, "a file")
    assert {name: tensor.shape for name, tensor in matched.items()} == shapes
    assert all(openai_name(name) == tensor.name for name, tensor in matched.items())
    found = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert {name: tensor.shape for name, tensor in found.tensors.items()} == shapes
    assert (found.head, found.notices) == (None, [])


def test_a_leading_axis_of_1_goes_and_no_other():
    """With one channel, axes of length 1 abound."""
    config = GPTConfig(n_vocab=1, n_ctx=1, n_embd=1, n_head=1, n_layer=1)
    shapes = {openai_name(name): shape for name, shape in parameter_shapes(config).items()}
    tensors = [stored(name, (1, *shape) if name.endswith("/w") else shape) for name, shape in shapes.items()]
    matched = match_openai(tensors, config, "a file")
    assert {name: tensor.shape for name, tensor in matched.items()} == parameter_shapes(config)


def test_masks_are_dropped(hugging_face, prefix):
    for name in "h.0.attn.bias", "h.1.attn.bias", "h.0.attn.masked_bias", "h.1.attn.mask", "position_ids":
        hugging_face[prefix + name] = stored(prefix + name, (1, 1, 5, 5), "U8")
    found = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert found.tensors.keys() == parameter_shapes(CONFIG).keys()
    assert found.notices == []


@pytest.mark.parametrize("name", ["lm_head.weight", "lm_head.decoder.weight", "module.lm_head.weight"])
def test_the_head_is_handed_out(hugging_face, name):
    head = stored(name, (7, 4))
    hugging_face[name] = head
    found = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert found.head is head
    assert "lm_head.weight" not in found.tensors


def test_the_head_stands_for_the_embeddings(hugging_face, prefix):
    """As the two are one array in memory, some programs store only one of them."""
    head = stored("lm_head.weight", (7, 4))
    del hugging_face[prefix + "wte.weight"]
    hugging_face["lm_head.weight"] = head
    found = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert found.tensors["wte.weight"] is head
    assert found.head is None


def test_a_head_of_its_own(hugging_face, prefix):
    untied = replace(CONFIG, tie_word_embeddings=False)
    head = stored("lm_head.weight", (7, 4))
    found = match_hugging_face([*hugging_face.values(), head], untied, "a file")
    assert found.tensors["lm_head.weight"] is head
    assert found.head is None
    with pytest.raises(InputError, match=rf"'{prefix}lm_head.weight' is missing"):
        match_hugging_face(hugging_face.values(), untied, "a file")


@pytest.mark.parametrize(
    "name",
    [
        "h.0.ln_1.bias",
        "transformer.h.0.ln_1.bias",
        "module.transformer.h.0.ln_1.bias",
        "_orig_mod.h.0.ln_1.bias",
        "_orig_mod.module.transformer.h.0.ln_1.bias",
        "module._orig_mod.module.transformer.h.0.ln_1.bias",
        "base_model.model.transformer.h.0.ln_1.bias",
        "module.base_model.model.transformer.h.0.ln_1.bias",
        "pretrained_model.transformer.h.0.ln_1.bias",
        "transformer.h.0._orig_mod.ln_1.bias",
        "model.transformer.h.0.ln_1.bias",
    ],
)
def test_wrapped_names(name):
    assert plain_name(name) == "h.0.ln_1.bias"


def test_a_wrapped_model(hugging_face):
    wrapped = [replace(tensor, name="_orig_mod.module." + name) for name, tensor in hugging_face.items()]
    found = match_hugging_face(wrapped, CONFIG, "a file")
    assert {name: tensor.shape for name, tensor in found.tensors.items()} == parameter_shapes(CONFIG)


def test_other_heads_are_left_out_with_one_notice(hugging_face):
    for name in "v_head.summary.weight", "v_head.summary.bias", "score.weight", "multiple_choice_head.summary.weight":
        hugging_face[name] = stored(name, (1, 4))
    found = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert found.tensors.keys() == parameter_shapes(CONFIG).keys()
    assert found.notices == [
        "a file: left out, as they play no part in predicting tokens: v_head.*, score.*, multiple_choice_head.*"
    ]


def test_adapters_are_no_model(hugging_face):
    name = "base_model.model.transformer.h.0.attn.c_attn.lora_A.default.weight"
    refuses(match_hugging_face, hugging_face | {name: stored(name, (2, 4))}, "part of an adapter", "merge_and_unload")


def test_projections_of_linear_layers_are_turned(hugging_face, prefix):
    """As nanoGPT has them: all four of every block."""
    for name, tensor in hugging_face.items():
        if ".c_" in name and name.endswith("weight"):
            hugging_face[name] = replace(tensor, shape=tensor.shape[::-1])
    found = match_hugging_face(hugging_face.values(), CONFIG, "a file").tensors
    assert {name: tensor.shape for name, tensor in found.items()} == parameter_shapes(CONFIG)
    assert {name for name, tensor in found.items() if tensor.transposed} == {
        f"h.{i}.{name}.weight" for i in (0, 1) for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }


def test_a_head_of_another_shape(hugging_face):
    hugging_face["lm_head.weight"] = stored("lm_head.weight", (8, 4))
    refuses(match_hugging_face, hugging_face, "'lm_head.weight' has shape (8, 4)", "(7, 4)")


def test_missing(openai, hugging_face, prefix):
    del openai["model/h1/attn/c_attn/w"]
    refuses(match_openai, openai, "'model/h1/attn/c_attn/w' is missing")
    del hugging_face[prefix + "h.1.attn.c_attn.weight"]
    refuses(match_hugging_face, hugging_face, f"'{prefix}h.1.attn.c_attn.weight' is missing")


def test_extra(openai, hugging_face, prefix):
    for name in (
        "model/h2/ln_1/g",
        "model/h00/ln_1/g",
        "global_step",
        "model/wte/adam",
        "h.0.attn.rotary",
        "scores.weight",
    ):
        refuses(match_openai, openai | {name: stored(name, (4,))}, f"'{name}' is not part of this model")
        refuses(match_hugging_face, hugging_face | {name: stored(name, (4,))}, f"'{name}' is not part of this model")


def test_both_spellings_of_one_name(hugging_face, prefix):
    """Which of the two would be the weight?"""
    other = "ln_f.bias" if prefix else "transformer.ln_f.bias"
    refuses(match_hugging_face, hugging_face | {other: stored(other, (4,))}, "are the same parameter")


def test_misshapen(openai, hugging_face, prefix):
    name = prefix + "h.0.mlp.c_fc.weight"  # as nn.Linear would store it: transposed
    hugging_face[name] = stored(name, (16, 4))
    refuses(match_hugging_face, hugging_face, f"'{name}' has shape (16, 4), but the configuration makes it (4, 16)")
    for shape in (4, 16), (1, 4, 16):
        openai["model/h0/mlp/c_fc/w"] = stored("model/h0/mlp/c_fc/w", shape)
        match_openai(openai.values(), CONFIG, "a file")
    for shape in (2, 4, 16), (1, 16, 4), (1, 1, 4, 16), (64,), ():
        openai["model/h0/mlp/c_fc/w"] = stored("model/h0/mlp/c_fc/w", shape)
        refuses(match_openai, openai, "'model/h0/mlp/c_fc/w' has shape", "(4, 16)")


def test_other_types(openai):
    name = "model/h0/ln_1/g"
    for dtype in "I32", "U8", "DT_7", "BOOL", "F64":
        refuses(match_openai, openai | {name: stored(name, (4,), dtype)}, f"'{name}' is 16 bytes of {dtype}")
    refuses(match_openai, openai | {name: replace(openai[name], size=12)}, "12 bytes of F32")


def test_many_faults_are_counted(openai):
    del openai["model/wte"]
    for i in range(4):
        openai[f"extra{i}"] = stored(f"extra{i}", (1,))
    refuses(match_openai, openai, "'model/wte' is missing", "'extra1'", "and 2 more")


def test_a_configuration_of_endless_layers(openai):
    with pytest.raises(InputError, match="28 tensors cannot be the 1000000000 layers"):
        match_openai(openai.values(), replace(CONFIG, n_layer=10**9), "a file")


def test_a_name_that_cannot_be_printed(openai):
    name = "a\nb\ud800" + "c" * 200
    refuses(match_openai, openai | {name: stored(name, (1,))}, r"'a\nb\ud800ccc", "... is not part")
