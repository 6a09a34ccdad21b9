"""A folder with a model in it: which format it has, its configuration, its parameters; and saving one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numgpt.checkpoint import names, safetensors_file, tensorflow
from numgpt.checkpoint.configuration import config_json, read_config, read_hparams
from numgpt.checkpoint.tensors import CHUNK_BYTES, StoredTensor, read_tensors
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import atomic_write

HF_WEIGHTS, HF_CONFIG = "model.safetensors", "config.json"
OPENAI_PREFIX, OPENAI_CONFIG = "model.ckpt", "hparams.json"
OPENAI_INDEX = OPENAI_PREFIX + ".index"
NEEDED = f"a model is {HF_WEIGHTS} and {HF_CONFIG}, or {OPENAI_INDEX}, {OPENAI_PREFIX}.data-* and {OPENAI_CONFIG}"
NEVER_OPENED = (".bin", ".pt", ".pth", ".pkl", ".h5")


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk; names, shapes, types and the files' sizes have been checked, the values not yet read.

    config: its GPTConfig. tensors: parameter name -> StoredTensor. head: the output head's tensor where the file
    repeats wte under that name, else None.
    """

    config: GPTConfig
    tensors: dict[str, StoredTensor]
    head: StoredTensor | None = None

    def read_into(self, parameters):
        """Fill `parameters`: name -> contiguous float32 or float64 array on the host, for all names and no others.

        Raises InputError for values that are cut off or whose checksum is wrong, and for an output head that differs
        from wte, the arrays then holding rubbish; ValueError for arrays that are not the model's.
        """
        wanted = {name: tensor.shape for name, tensor in self.tensors.items()}
        if {name: array.shape for name, array in parameters.items()} != wanted:
            raise ValueError("the arrays to read into are not those of the checkpoint's configuration")
        read_tensors((tensor, parameters[name]) for name, tensor in self.tensors.items())
        if self.head is not None:
            _check_tied(self.head, parameters["wte.weight"])


def open_checkpoint(folder):
    """The Checkpoint in `folder`, in Hugging Face's format or in OpenAI's, whichever files are there.

    Raises InputError for a folder without a model, and for a model that is damaged or not a GPT-2.
    """
    folder = Path(folder)
    if not folder.is_dir():
        fault = "is a file; give the folder that it lies in" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {fault}: {NEEDED}")
    if (folder / HF_WEIGHTS).exists() and (folder / HF_CONFIG).exists():
        return _open_hugging_face(folder)
    if (folder / OPENAI_INDEX).exists() and (folder / OPENAI_CONFIG).exists():
        return _open_openai(folder)
    raise InputError(f"{folder}: {_what_is_wrong(folder)}")


def save_checkpoint(folder, config, parameters, dtype="float32"):
    """Write `parameters` (name -> array on the host) as model.safetensors and `config` as config.json.

    The names are those of the published gpt2 file, so transformers loads the folder, which is made where it is missing.
    dtype: of the values on disk, "float16", "float32" or "float64". Both files are whole on the disk before either gets
    its name, config.json being the last: a save that fails leaves what was there. Raises OSError as the disk does,
    InputError for another dtype or values that it cannot hold.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / HF_CONFIG, "w") as config_file, atomic_write(folder / HF_WEIGHTS) as weights_file:
        safetensors_file.write_safetensors(weights_file, parameters, dtype)
        config_file.write(config_json(config, np.dtype(dtype).name))
        config_file.flush()


def _open_hugging_face(folder):
    config = read_config(folder / HF_CONFIG)
    path = folder / HF_WEIGHTS
    tensors, head = names.match_hugging_face(safetensors_file.read_header(path), config, path)
    return Checkpoint(config, tensors, head)


def _open_openai(folder):
    config = read_hparams(folder / OPENAI_CONFIG)
    path = folder / OPENAI_INDEX
    tensors = names.match_openai(tensorflow.read_index(folder / OPENAI_PREFIX), config, path)
    tensorflow.check_data_files(tensors.values())
    return Checkpoint(config, tensors)


def _what_is_wrong(folder):
    """Why there is no model to open in `folder`, and what to do."""
    if (folder / HF_WEIGHTS).exists():
        return f"{HF_CONFIG} is missing beside {HF_WEIGHTS}"
    if (folder / OPENAI_INDEX).exists():
        return f"{OPENAI_CONFIG} is missing beside {OPENAI_INDEX}"
    if (folder / (HF_WEIGHTS + ".index.json")).exists():
        return f"the model is split over several files; save it with transformers again, as one {HF_WEIGHTS}"
    closed = sorted(path.name for path in folder.iterdir() if path.suffix in NEVER_OPENED)
    if closed:
        return f"{closed[0]} can run code and is never opened; have transformers save it as {HF_WEIGHTS}"
    return f"no model here; {NEEDED}"


def _check_tied(head, wte):
    """Raise InputError unless `head` has the values of `wte`, the matrix that GPT-2 uses in its place."""
    step = max(1, CHUNK_BYTES // wte[0].nbytes)
    for first in range(0, len(wte), step):
        part = wte[first : first + step]
        stored = np.empty_like(part)
        read_tensors([(head.rows(first, first + len(part)), stored)])
        if not np.array_equal(stored, part, equal_nan=True):
            raise InputError(
                f"{head.path}: {head.name} differs from wte.weight; numgpt computes GPT-2, where they are one matrix"
            )
