"""Names and shapes of parameters, and the errors that name what does not fit."""

from dataclasses import replace
from math import prod
from pathlib import Path

import pytest

from numgpt.checkpoint.names import match_hugging_face, match_openai, openai_name, parameter_shapes
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


def test_shapes_are_those_of_the_model():
    """`parameter_shapes` says a second time what the layers declare, for those who have no model yet."""
    model = {name: value.shape for name, value, _ in GPT(CONFIG).named_parameters()}
    assert list(parameter_shapes(CONFIG).items()) == list(model.items())


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
    matched, head = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert {name: tensor.shape for name, tensor in matched.items()} == shapes
    assert head is None


def test_a_leading_axis_of_1_goes_and_no_other():
    """With one channel, axes of length 1 abound."""
    config = GPTConfig(n_vocab=1, n_ctx=1, n_embd=1, n_head=1, n_layer=1)
    shapes = {openai_name(name): shape for name, shape in parameter_shapes(config).items()}
    tensors = [stored(name, (1, *shape) if name.endswith("/w") else shape) for name, shape in shapes.items()]
    matched = match_openai(tensors, config, "a file")
    assert {name: tensor.shape for name, tensor in matched.items()} == parameter_shapes(config)


def test_masks_are_dropped(hugging_face, prefix):
    for name in "h.0.attn.bias", "h.1.attn.bias", "h.0.attn.masked_bias":
        hugging_face[prefix + name] = stored(prefix + name, (1, 1, 5, 5), "U8")
    matched, _ = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert matched.keys() == parameter_shapes(CONFIG).keys()


def test_the_head_is_handed_out(hugging_face):
    head = stored("lm_head.weight", (7, 4))
    hugging_face["lm_head.weight"] = head
    matched, found = match_hugging_face(hugging_face.values(), CONFIG, "a file")
    assert found is head
    assert "lm_head.weight" not in matched


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
        "score.weight",
    ):
        refuses(match_openai, openai | {name: stored(name, (4,))}, f"'{name}' is not part of this model")
        refuses(match_hugging_face, hugging_face | {name: stored(name, (4,))}, f"'{name}' is not part of this model")


def test_both_spellings_of_one_name(hugging_face, prefix):
    """Which of the two would be the weight?"""
    other = "ln_f.bias" if prefix else "transformer.ln_f.bias"
    refuses(match_hugging_face, hugging_face | {other: stored(other, (4,))})


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
