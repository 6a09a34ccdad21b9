"""The model of all layouts, their list, and how one is refused."""

import json
import shutil
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

import numgpt

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"
ROWS = {}  # name -> (function that writes it to a folder, words of the refusal or None)


def layout(what, refused=None):
    """Register a function (folder, source) that writes a layout; it may return the model whose logits are right."""

    def register(write):
        ROWS[what] = write, refused
        return write

    return register


def random_model(config):
    """A GPT2LMHeadModel whose weights are large enough for every part to matter."""
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


class Source:
    """The model that all layouts hold, in transformers, and its tokenizer."""

    def __init__(self, folder=None):
        torch.manual_seed(1)
        if folder is None:
            sizes = {"vocab_size": 384, "n_embd": 24, "n_head": 3, "n_layer": 3, "n_positions": 32}
            self.model = random_model(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
            self.vocabulary = GOLDEN / "tokenizer"
        else:
            self.model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
            self.vocabulary = Path(folder)
        self.config = self.model.config

    def tensors(self, prefix="transformer."):
        return {prefix + name: value.clone() for name, value in self.model.transformer.state_dict().items()}

    def head(self):
        return self.model.lm_head.weight.detach().clone()

    def changed(self, **changes):
        """Another model of the same sizes, with a changed configuration and random weights."""
        return random_model(type(self.config).from_dict(self.config.to_dict() | changes))

    def write(self, folder, tensors=None, name="model.safetensors", **config):
        """Write the tensors, the vocabulary's files, and config.json with `config` changed."""
        if tensors is not None:
            save_file(tensors, folder / name, metadata={"format": "pt"})
        fields = self.config.to_dict() | config
        (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
        self.write_vocabulary(folder)

    def write_vocabulary(self, folder, names=("vocab.json", "merges.txt")):
        for name in names:
            shutil.copy(self.vocabulary / name, folder)


def reason(folder):
    """The refusal, one line. Raises AssertionError if there is none."""
    try:
        numgpt.load(folder)
    except numgpt.InputError as error:
        return str(error)
    raise AssertionError("it was not refused")
