"""hparams.json and config.json: the sizes in them, and refusing what is not GPT-2."""

import json

import pytest

from numgpt.checkpoint.configuration import config_json, read_config, read_hparams
from numgpt.config import OFFICIAL_SIZES, GPTConfig
from numgpt.errors import InputError

SMALL = GPTConfig(n_vocab=96, n_ctx=16, n_embd=12, n_head=3, n_layer=2)
HPARAMS = {"n_vocab": 96, "n_ctx": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}
CONFIG = {"vocab_size": 96, "n_positions": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}
READERS = {"hparams.json": (read_hparams, HPARAMS), "config.json": (read_config, CONFIG)}


@pytest.fixture(params=READERS)
def kind(request):
    return request.param


def read(folder, kind, fields):
    path = folder / kind
    path.write_text(fields if isinstance(fields, str) else json.dumps(fields), encoding="utf-8")
    return READERS[kind][0](path)


def refuses(folder, kind, fields, reason):
    with pytest.raises(InputError, match=reason) as caught:
        read(folder, kind, fields)
    assert str(folder / kind) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes(tmp_path, kind):
    assert read(tmp_path, kind, READERS[kind][1]) == SMALL


@pytest.mark.parametrize("size", ["124M", "355M", "1558M"])
def test_official_hparams(shared, size):
    assert read_hparams(shared / "gpt2" / "official" / size / "hparams.json") == OFFICIAL_SIZES[size]


def test_what_else_stands_in_a_configuration_is_ignored(tmp_path):
    more = {
        "attn_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "reorder_and_upcast_attn": True,
        "task_specific_params": {"text-generation": {"do_sample": True}},
        "summary_activation": None,
    }
    assert read(tmp_path, "config.json", CONFIG | more) == SMALL


@pytest.mark.parametrize(
    "more",
    [
        {"activation_function": "gelu_new"},
        {"activation_function": "gelu_pytorch_tanh"},
        {"model_type": "gpt2", "layer_norm_epsilon": 1e-05, "n_inner": None},
        {"n_inner": 48, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False},
        {"tie_word_embeddings": True, "add_cross_attention": False, "n_ctx": 16},
    ],
)
def test_what_gpt2_may_say(tmp_path, more):
    assert read(tmp_path, "config.json", CONFIG | more) == SMALL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("activation_function", "gelu"),
        ("activation_function", "relu"),
        ("activation_function", None),
        ("activation_function", ["gelu_new"]),
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("n_inner", 24),
        ("n_inner", "48"),
        ("layer_norm_epsilon", 1e-6),
        ("layer_norm_epsilon", "1e-5"),
        ("tie_word_embeddings", False),
        ("add_cross_attention", True),
        ("model_type", "gpt_neo"),
        ("n_ctx", 32),
    ],
)
def test_another_model_is_refused_by_name(tmp_path, field, value):
    refuses(tmp_path, "config.json", CONFIG | {field: value}, field)


def test_n_ctx_stands_in_for_n_positions(tmp_path):
    fields = {**CONFIG, "n_ctx": 16}
    del fields["n_positions"]
    assert read(tmp_path, "config.json", fields) == SMALL


def test_missing_fields(tmp_path, kind):
    fields = READERS[kind][1]
    for name in fields:
        left = {other: value for other, value in fields.items() if other != name}
        missing = "n_ctx" if name == "n_positions" else name
        refuses(tmp_path, kind, left, f"{missing} is missing")


@pytest.mark.parametrize("value", [0, -1, 1.5, 12.0, "12", None, True, [12], {"a": 1}, 1e400])
def test_sizes_that_are_none(tmp_path, kind, value):
    for name in READERS[kind][1]:
        refuses(tmp_path, kind, READERS[kind][1] | {name: value}, f"{name}|Infinity")


def test_an_editors_byte_order_mark(tmp_path, kind):
    assert read(tmp_path, kind, "\ufeff" + json.dumps(READERS[kind][1])) == SMALL


def test_sizes_that_do_not_fit_each_other(tmp_path, kind):
    refuses(tmp_path, kind, READERS[kind][1] | {"n_head": 5}, r"n_embd \(12\) must be divisible by n_head \(5\)")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not usable JSON"),
        ("[]", "expected a JSON object"),
        ("null", "expected a JSON object"),
        ('{"n_embd": 12, "n_embd": 12}', "occurs twice"),
        ('{"n_embd": NaN}', "NaN"),
        ('{"n_embd": ' + "9" * 9999 + "}", "9999 digits"),
        ('{"n_embd": ' + "[" * 99999, "nested too deeply"),
        (" " * ((1 << 20) + 1), "cannot be a model's configuration"),
        ("<!DOCTYPE html>", "not usable JSON"),
    ],
)
def test_what_is_no_configuration(tmp_path, kind, text, reason):
    refuses(tmp_path, kind, text, reason)


@pytest.mark.parametrize("config", [SMALL, GPTConfig(n_layer=1, dropout=0.25)])
def test_what_is_written_reads_back(tmp_path, config):
    text = config_json(config, "float32")
    read_back = read(tmp_path, "config.json", text)
    assert (read_back.n_vocab, read_back.n_ctx, read_back.n_embd) == (config.n_vocab, config.n_ctx, config.n_embd)
    assert (read_back.n_head, read_back.n_layer, read_back.dropout) == (config.n_head, config.n_layer, 0)
    fields = json.loads(text)
    assert fields["resid_pdrop"] == config.dropout
    assert fields["eos_token_id"] == fields["bos_token_id"] == (50256 if config.n_vocab == 50257 else None)
