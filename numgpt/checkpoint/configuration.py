"""`hparams.json` (OpenAI) and `config.json` (Hugging Face): which model it is, and what of it numgpt cannot compute."""

import json
from dataclasses import fields as fields_of

from numgpt.checkpoint.architecture import check_architecture
from numgpt.config import ACTIVATIONS, SIZES, GPTConfig
from numgpt.errors import InputError
from numgpt.files import parse_json, quoted

LARGEST_FILE = 1 << 20  # bytes; the published ones have some hundreds
GELU_TANH = ("gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh")  # one formula
SYNONYMS = {**dict.fromkeys(GELU_TANH, "gelu_new"), "gelu_python": "gelu", "swish": "silu"}

DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")
# The names of config.json, and those that other models' files have for the same, which transformers takes as well.
HF_NAMES = {
    "n_vocab": ("vocab_size",),
    "n_ctx": ("n_positions", "max_position_embeddings", "n_ctx"),
    "n_embd": ("n_embd", "hidden_size"),
    "n_head": ("n_head", "num_attention_heads"),
    "n_layer": ("n_layer", "num_hidden_layers"),
    "activation": ("activation_function",),
    "dropout": (DROPOUTS[0],),
}
USUAL_DROPOUT = 0.1  # transformers' for a key that is left out, as OpenAI trained


def read_hparams(path):
    """The GPTConfig in OpenAI's `hparams.json`. Raises InputError with the file and the field."""
    fields = read_fields(path)
    for name in SIZES:
        if name not in fields:
            raise InputError(f"{path}: {name} is missing")
    return _config(path, dict(zip(SIZES, SIZES, strict=True)), fields)


def read_config(path):
    """(GPTConfig, notices) of Hugging Face's `config.json`: what it leaves out is as in transformers' GPT2Config.

    GPTConfig has one dropout, the file's resid_pdrop, which the most activations meet; notices, a list of lines, says
    so where the file's three differ. Raises InputError with the file and the field, also for a field that asks for
    another model than a GPT-2.
    """
    fields = read_fields(path)
    check_architecture(fields, path)
    dropouts = {name: fields.setdefault(name, USUAL_DROPOUT) for name in DROPOUTS}
    activation = fields.setdefault("activation_function", GPTConfig.activation)
    fields["activation_function"] = SYNONYMS.get(activation, activation) if isinstance(activation, str) else activation
    if fields["activation_function"] not in ACTIVATIONS:
        raise InputError(
            f"{path}: activation_function is {quoted(activation)}, which numgpt does not have; it has "
            f"{', '.join(ACTIVATIONS)}"
        )
    config = _config(path, _names_in(fields), fields)
    return config, _different(dropouts, path)


def config_json(config, dtype, end_of_text=()):
    """The text of the `config.json` that transformers wants beside the tensors of a GPT2LMHeadModel, in `dtype`.

    end_of_text: the ids at which a text ends.
    """
    if not end_of_text and config.n_vocab == GPTConfig.n_vocab:
        end_of_text = (config.n_vocab - 1,)  # the last of GPT-2's tokens
    fields = {
        "activation_function": config.activation,
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": config.dropout,
        "bos_token_id": end_of_text[0] if end_of_text else None,
        "embd_pdrop": config.dropout,
        "eos_token_id": list(end_of_text) if len(end_of_text) > 1 else next(iter(end_of_text), None),
        "initializer_range": 0.02,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "model_type": "gpt2",
        "n_ctx": config.n_ctx,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_inner": config.n_inner,
        "n_layer": config.n_layer,
        "n_positions": config.n_ctx,
        "resid_pdrop": config.dropout,
        "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
        "scale_attn_weights": config.scale_attn_weights,
        "tie_word_embeddings": config.tie_word_embeddings,
        "torch_dtype": dtype,
        "vocab_size": config.n_vocab,
    }
    return json.dumps(fields, indent=2) + "\n"


def read_end_of_text(fields, path):
    """The ids in `eos_token_id` of config.json or generation_config.json: one, a list, or none. Raises InputError."""
    ids = fields.get("eos_token_id")
    ids = [] if ids is None else ids if isinstance(ids, list) else [ids]
    for i in ids:
        if type(i) is not int or i < 0:
            raise InputError(
                f"{path}: eos_token_id must be an id or a list of ids, not {quoted(fields['eos_token_id'])}"
            )
    return tuple(ids)


def read_fields(path):
    """The JSON object of a file that is no larger than a configuration can be. Raises InputError; OSError."""
    with open(path, "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise InputError(f"{path}: more than {LARGEST_FILE} bytes cannot be a model's configuration")
    return parse_json(data, path)


def _names_in(fields):
    """Field of GPTConfig -> the name under which `fields` has it, for all that are there."""
    names = {}
    for field in fields_of(GPTConfig):
        for name in reversed(HF_NAMES.get(field.name, (field.name,))):
            if name in fields:
                names[field.name] = name
    return names


def _config(path, names, fields):
    """A GPTConfig from `fields`, where each of its fields stands under the name that `names` gives."""
    for ours, theirs in names.items():
        if ours in SIZES and (type(fields[theirs]) is not int or fields[theirs] < 1):
            raise InputError(f"{path}: {theirs} must be a whole number of at least 1, not {quoted(fields[theirs])}")
    try:
        return GPTConfig(**{ours: fields[theirs] for ours, theirs in names.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _different(dropouts, path):
    """A notice that tells which dropout is taken, where there are several."""
    if len({*dropouts.values()}) == 1:
        return []
    found = ", ".join(f"{name} {quoted(value)}" for name, value in dropouts.items())
    return [f"{path}: {found}: training with numgpt has one dropout, and takes {DROPOUTS[0]}"]
