"""hparams.json and config.json: the sizes in them, and refusing what is not GPT-2."""

import json
from dataclasses import replace

import pytest

from numgpt.checkpoint.configuration import config_json, read_config, read_end_of_text, read_hparams
from numgpt.config import OFFICIAL_SIZES, GPTConfig
from numgpt.errors import InputError

SMALL = GPTConfig(n_vocab=96, n_ctx=16, n_embd=12, n_head=3, n_layer=2)
HPARAMS = {"n_vocab": 96, "n_ctx": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}
CONFIG = {"vocab_size": 96, "n_positions": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}
DROPOUTS = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
READERS = {
    "hparams.json": (read_hparams, HPARAMS),
    "config.json": (lambda path: read_config(path)[0], CONFIG | DROPOUTS),
}


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
        "reorder_and_upcast_attn": True,
        "task_specific_params": {"text-generation": {"do_sample": True}},
        "summary_activation": None,
        "is_decoder": True,
    }
    assert read(tmp_path, "config.json", CONFIG | DROPOUTS | more) == SMALL


@pytest.mark.parametrize(
    ("more", "config"),
    [
        ({"activation_function": "gelu_new"}, {}),
        ({"activation_function": "gelu_pytorch_tanh"}, {}),
        ({"activation_function": "gelu_fast"}, {}),
        ({"activation_function": "gelu"}, {"activation": "gelu"}),
        ({"activation_function": "gelu_python"}, {"activation": "gelu"}),
        ({"activation_function": "relu"}, {"activation": "relu"}),
        ({"activation_function": "swish"}, {"activation": "silu"}),
        ({"activation_function": "silu"}, {"activation": "silu"}),
        ({"activation_function": "quick_gelu"}, {"activation": "quick_gelu"}),
        ({"model_type": "gpt2", "layer_norm_epsilon": 1e-06, "n_inner": None}, {"layer_norm_epsilon": 1e-6}),
        ({"n_inner": 48}, {"n_inner": 48}),
        ({"scale_attn_weights": False}, {"scale_attn_weights": False}),
        ({"scale_attn_by_inverse_layer_idx": True}, {"scale_attn_by_inverse_layer_idx": True}),
        ({"tie_word_embeddings": False, "add_cross_attention": False}, {"tie_word_embeddings": False}),
        ({"n_ctx": 32}, {}),
        ({"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}, {"dropout": 0.1}),
        ({"position_embedding_type": "absolute", "num_key_value_heads": 3, "sliding_window": None}, {}),
    ],
)
def test_what_gpt2s_family_says(tmp_path, more, config):
    assert read(tmp_path, "config.json", CONFIG | DROPOUTS | more) == replace(SMALL, **config)


def test_what_is_left_out_is_as_in_transformers(tmp_path):
    assert read(tmp_path, "config.json", {}) == GPTConfig(dropout=0.1)
    assert read(tmp_path, "config.json", {"n_layer": 3}) == GPTConfig(n_layer=3, dropout=0.1)


def test_names_of_other_models_for_the_sizes(tmp_path):
    fields = {
        "vocab_size": 96,
        "max_position_embeddings": 16,
        "hidden_size": 12,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
    }
    assert read(tmp_path, "config.json", fields | DROPOUTS) == SMALL


def test_dropouts_that_differ_are_told_in_one_line(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG | {"resid_pdrop": 0.2, "attn_pdrop": 0.0}), encoding="utf-8")
    config, notices = read_config(path)
    assert config.dropout == 0.2
    assert notices == [
        f"{path}: resid_pdrop 0.2, embd_pdrop 0.1, attn_pdrop 0.0: training with numgpt has one dropout, and takes "
        "resid_pdrop"
    ]
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert read_config(path)[1] == []


@pytest.mark.parametrize(
    ("field", "value", "meaning"),
    [
        ("activation_function", "mish", "numgpt does not have"),
        ("activation_function", None, ""),
        ("activation_function", ["gelu_new"], ""),
        ("scale_attn_weights", "no", ""),
        ("n_inner", 0, ""),
        ("n_inner", "48", ""),
        ("layer_norm_epsilon", -1e-6, ""),
        ("layer_norm_epsilon", "1e-5", ""),
        ("tie_word_embeddings", 1, ""),
        ("add_cross_attention", True, "encoder"),
        ("model_type", "gpt_neo", "another architecture"),
        ("rotary_dim", 64, "rotations"),
        ("rope_theta", 10000.0, "rotations"),
        ("position_embedding_type", "alibi", "learnt vector"),
        ("alibi", True, "bias of the attention"),
        ("num_key_value_heads", 1, "grouped-query"),
        ("multi_query", True, "grouped-query"),
        ("num_local_experts", 8, "mixture of experts"),
        ("sliding_window", 128, "nearest"),
        ("rms_norm_eps", 1e-6, "RMSNorm"),
        ("quantization_config", {"bits": 4}, "few bits"),
        ("parallel_attn", True, "beside each other"),
    ],
)
def test_another_model_is_refused_by_name_and_meaning(tmp_path, field, value, meaning):
    refuses(tmp_path, "config.json", CONFIG | {field: value}, f"{field} .*{meaning}")


def test_n_ctx_stands_in_for_n_positions(tmp_path):
    fields = {**CONFIG, **DROPOUTS, "n_ctx": 16}
    del fields["n_positions"]
    assert read(tmp_path, "config.json", fields) == SMALL


def test_missing_fields_of_hparams(tmp_path):
    for name in HPARAMS:
        left = {other: value for other, value in HPARAMS.items() if other != name}
        refuses(tmp_path, "hparams.json", left, f"{name} is missing")


@pytest.mark.parametrize("value", [0, -1, 1.5, 12.0, "12", None, True, [12], {"a": 1}, 1e400])
def test_sizes_that_are_none(tmp_path, kind, value):
    for name in READERS[kind][1].keys() - DROPOUTS.keys():
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


FAMILY = GPTConfig(
    n_vocab=96,
    n_ctx=16,
    n_embd=12,
    n_head=3,
    n_layer=2,
    activation="silu",
    n_inner=20,
    layer_norm_epsilon=1e-6,
    tie_word_embeddings=False,
    scale_attn_weights=False,
    scale_attn_by_inverse_layer_idx=True,
)


@pytest.mark.parametrize("config", [SMALL, FAMILY, GPTConfig(n_layer=1, dropout=0.25)])
def test_what_is_written_reads_back(tmp_path, config):
    text = config_json(config, "float32")
    assert read(tmp_path, "config.json", text) == config
    fields = json.loads(text)
    assert fields["eos_token_id"] == fields["bos_token_id"] == (50256 if config.n_vocab == 50257 else None)


@pytest.mark.parametrize("ids", [(), (5,), (5, 7)])
def test_the_ids_that_end_a_text(tmp_path, ids):
    fields = json.loads(config_json(SMALL, "float32", ids))
    assert read_end_of_text(fields, "x") == ids


@pytest.mark.parametrize("ids", ["5", -1, 1.5, True, [5, None], {"5": 1}])
def test_ids_that_are_none(ids):
    with pytest.raises(InputError, match="x: eos_token_id must be an id or a list of ids"):
        read_end_of_text({"eos_token_id": ids}, "x")
