"""A folder with a Classifier in it: like a Transformer's (translator.py), with the labels' names in config.json."""

import json
from dataclasses import asdict
from pathlib import Path

from numgpt.checkpoint.architecture import CLASSIFIER
from numgpt.checkpoint.folder import HF_CONFIG, write_folder
from numgpt.checkpoint.safetensors_file import written_type
from numgpt.checkpoint.translator import StoredTransformer, open_own, read_checked, read_config
from numgpt.errors import InputError
from numgpt.files import quoted


def save_classifier(folder, config, labels, weights, dtype="float32"):
    """Write `weights`, name -> array on the host, `config` and `labels`; otherwise like `save_checkpoint`."""
    about = {"model_type": CLASSIFIER, **asdict(config), "labels": labels}
    about["torch_dtype"] = written_type(dtype, "a model").name
    write_folder(folder, weights, json.dumps(about, indent=2) + "\n", dtype)


def open_classifier(folder):
    """(StoredTransformer, list of labels) in `folder`. Raises InputError as `open_transformer` does."""
    weights, about = open_own(folder, CLASSIFIER)
    path = Path(folder) / HF_CONFIG
    config, labels = read_config(about, path), about.get("labels")
    if not isinstance(labels, list):
        raise InputError(f"{path}: labels must be a list of texts, not {quoted(labels)}")
    tensors = read_checked(weights, config.n_classifier_parameters(len(labels)))
    return StoredTransformer(weights, config, tensors), labels
