"""A folder with a Transformer in it: config.json with the fields of its TransformerConfig, and model.safetensors.

The tensors have the names and shapes that PyTorch's layers give them (numgpt/model/pytorch_names.py).
"""

import json
from dataclasses import asdict, dataclass, fields
from math import prod
from pathlib import Path

import numpy as np

from numgpt.checkpoint.architecture import OWN, TRANSFORMER
from numgpt.checkpoint.configuration import read_fields
from numgpt.checkpoint.contents import what_is_wrong
from numgpt.checkpoint.folder import HF_CONFIG, OPENAI_CONFIG, check_folder, write_folder
from numgpt.checkpoint.safetensors_file import written_type
from numgpt.checkpoint.tensors import StoredTensor, read_tensors
from numgpt.checkpoint.weights import find_weights, read_weights
from numgpt.config import TransformerConfig
from numgpt.errors import InputError
from numgpt.files import quoted


@dataclass(frozen=True)
class StoredTransformer:
    """A Transformer, or a part of one, on disk. path: that of the weights. config: its TransformerConfig."""

    path: Path
    config: TransformerConfig
    tensors: list[StoredTensor]

    def read(self, dtype):
        """name -> array of `dtype`. Raises InputError for values that are cut off."""
        arrays = {tensor.name: np.empty(tensor.shape, dtype) for tensor in self.tensors}
        read_tensors((tensor, arrays[tensor.name]) for tensor in self.tensors)
        return arrays


def save_transformer(folder, config, weights, dtype="float32"):
    """Write `weights`, name -> array on the host, and `config`, into `folder`; otherwise like `save_checkpoint`."""
    about = {"model_type": TRANSFORMER, **asdict(config), "torch_dtype": written_type(dtype, "a model").name}
    write_folder(folder, weights, json.dumps(about, indent=2) + "\n", dtype)


def open_transformer(folder):
    """The StoredTransformer in `folder`; names and shapes of its tensors are checked when a model takes them.

    Raises InputError for a folder without a Transformer, such as a GPT's, or with a damaged one.
    """
    weights, about = open_own(folder, TRANSFORMER)
    config = read_config(about, Path(folder) / HF_CONFIG)
    return StoredTransformer(weights, config, read_checked(weights, config.n_parameters))


def open_own(folder, kind):
    """(path of the weights, fields of config.json) of the model in `folder`, whose model_type has to be `kind`.

    Raises InputError for a folder without one, with another one, or with a GPT.
    """
    folder = Path(folder)
    check_folder(folder)
    path = folder / HF_CONFIG
    weights = find_weights(folder) if path.exists() else None
    if weights is None and not (folder / OPENAI_CONFIG).exists():
        raise InputError(f"{folder}: {what_is_wrong(folder)}")
    about = read_fields(path) if weights else {}
    found = about.get("model_type", "gpt2")
    if found == "gpt2":
        raise InputError(f"{folder} holds a GPT, which does not {OWN[kind][1]}: `numgpt generate --model` reads it")
    if found in OWN and found != kind:
        what, command = OWN[found]
        raise InputError(f"{folder} holds {what} and does not {OWN[kind][1]}: `numgpt {command} --model` reads it")
    if found != kind:
        raise InputError(f"{path}: model_type is {quoted(found)}, but should be {kind}")
    return weights, about


def read_config(about, path):
    """The TransformerConfig in the fields of config.json. Raises InputError that names the file and the field."""
    found = {field.name: about[field.name] for field in fields(TransformerConfig) if field.name in about}
    if "vocab" not in found:
        raise InputError(f"{path}: vocab is missing")
    try:
        return TransformerConfig(**found)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_checked(path, n_parameters):
    """The tensors at `path`. Raises InputError unless they are floats, and as many as config.json makes."""
    tensors = read_weights(path)
    for tensor in tensors:
        if not tensor.readable:
            raise InputError(f"{path}: tensor {quoted(tensor.name)} is of {tensor.dtype}, not of floats")
    n = sum(prod(tensor.shape) for tensor in tensors)
    if n != n_parameters:
        raise InputError(f"{path} has {n:,} numbers, but config.json makes a model of {n_parameters:,}")
    return tensors
