"""`hparams.json` (OpenAI) and `config.json` (Hugging Face): the size of a model, and what else it would have to be."""

import json

from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import parse_json, quoted

LARGEST_FILE = 1 << 20  # bytes; the published ones have some hundreds
GELU_TANH = ("gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh")
WHAT_NUMGPT_COMPUTES = {
    "model_type": ("gpt2",),
    "activation_function": GELU_TANH,  # five names of one formula
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "tie_word_embeddings": (True,),
    "add_cross_attention": (False,),
}


def read_hparams(path):
    """The GPTConfig in OpenAI's `hparams.json`. Raises InputError with the file and the field."""
    fields = _read(path)
    return _config(path, {name: name for name in ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer")}, fields)


def read_config(path):
    """The GPTConfig in Hugging Face's `config.json`; its dropout is 0, whatever the file's `*_pdrop` were in training.

    Raises InputError with the file and the field, also for a field that asks for another model than GPT-2.
    """
    fields = _read(path)
    for name, allowed in WHAT_NUMGPT_COMPUTES.items():
        if name in fields and fields[name] not in allowed:
            raise InputError(
                f"{path}: {name} is {quoted(fields[name])}; numgpt computes GPT-2, where it is {allowed[0]!r}"
            )
    positions = "n_positions" if "n_positions" in fields else "n_ctx"
    if fields.get("n_ctx", fields.get(positions)) != fields.get(positions):
        raise InputError(f"{path}: n_ctx and n_positions differ")
    names = {"n_vocab": "vocab_size", "n_ctx": positions, "n_embd": "n_embd", "n_head": "n_head", "n_layer": "n_layer"}
    config = _config(path, names, fields)
    if fields.get("n_inner") not in (None, 4 * config.n_embd):
        raise InputError(f"{path}: n_inner is {quoted(fields['n_inner'])}; numgpt computes GPT-2, where it is 4 n_embd")
    return config


def config_json(config, dtype):
    """The text of the `config.json` that transformers wants beside the tensors of a GPT2LMHeadModel, in `dtype`."""
    end_of_text = config.n_vocab - 1 if config.n_vocab == GPTConfig.n_vocab else None  # the last of GPT-2's tokens
    fields = {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": config.dropout,
        "bos_token_id": end_of_text,
        "embd_pdrop": config.dropout,
        "eos_token_id": end_of_text,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": config.n_ctx,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_layer": config.n_layer,
        "n_positions": config.n_ctx,
        "resid_pdrop": config.dropout,
        "torch_dtype": dtype,
        "vocab_size": config.n_vocab,
    }
    return json.dumps(fields, indent=2) + "\n"


def _read(path):
    with open(path, "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise InputError(f"{path}: more than {LARGEST_FILE} bytes cannot be a model's configuration")
    return parse_json(data, path)


def _config(path, names, fields):
    """A GPTConfig from `fields`, where each of its sizes stands under the name that `names` gives."""
    for name in names.values():
        if name not in fields:
            raise InputError(f"{path}: {name} is missing")
        if type(fields[name]) is not int or fields[name] < 1:
            raise InputError(f"{path}: {name} must be a whole number of at least 1, not {quoted(fields[name])}")
    try:
        return GPTConfig(**{ours: fields[theirs] for ours, theirs in names.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
