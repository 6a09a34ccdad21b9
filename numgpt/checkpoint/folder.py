"""A folder with a model in it: which format it has, its configuration, its parameters; and saving one."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numgpt.checkpoint import names, tensorflow
from numgpt.checkpoint.configuration import config_json, read_config, read_end_of_text, read_fields, read_hparams
from numgpt.checkpoint.contents import NEEDED, what_is_wrong
from numgpt.checkpoint.hugging_face_names import PREFIX, match_hugging_face
from numgpt.checkpoint.safetensors_file import written_type
from numgpt.checkpoint.tensors import CHUNK_BYTES, StoredTensor, read_tensors
from numgpt.checkpoint.weights import INDEX, WEIGHTS, find_weights, read_weights, write_weights
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import flush, naming, quoted

HF_CONFIG, HF_GENERATION = "config.json", "generation_config.json"
OPENAI_CONFIG, OPENAI_STATE = "hparams.json", "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk; names, shapes, types and the files' sizes have been checked, the values not yet read.

    config: its GPTConfig. tensors: parameter name -> StoredTensor. head: the output head's tensor where the file
    repeats wte under that name, else None. end_of_text: the ids at which a text ends, where the files say so. notices:
    lines on what of the files is not used.
    """

    config: GPTConfig
    tensors: dict[str, StoredTensor]
    head: StoredTensor | None = None
    end_of_text: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()

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
            _check_tied(self.head, parameters[names.TABLE])


def open_checkpoint(folder):
    """The Checkpoint in `folder`, in Hugging Face's format or in OpenAI's, whichever files are there.

    Raises InputError for a folder without a model, and for a model that is damaged or not a GPT-2.
    """
    folder = Path(folder)
    check_folder(folder)
    if (folder / HF_CONFIG).exists() and (weights := find_weights(folder)):
        return _open_hugging_face(folder, weights)
    if (folder / OPENAI_CONFIG).exists() and (prefix := find_openai(folder)):
        return _open_openai(folder, prefix)
    raise InputError(f"{folder}: {what_is_wrong(folder)}")


def check_folder(folder):
    """Raise InputError unless `folder`, a Path, is a folder."""
    if not folder.is_dir():
        fault = "is a file; give the folder that it lies in" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {fault}: {NEEDED}")


def save_checkpoint(folder, config, parameters, dtype="float32", max_shard_size=None, end_of_text=()):
    """Write `parameters` (name -> array on the host) as model.safetensors and `config` as config.json.

    The names are those of the published gpt2 file, so transformers loads the folder, which is made where it is missing.
    dtype: of the values on disk, "float16", "float32" or "float64". max_shard_size: see `GPT.save`. end_of_text: ids
    that config.json names. All files are whole on the disk before one gets its name, config.json being the last: a save
    that fails leaves what was there. Raises OSError as the disk does, InputError for another dtype or size, or values
    that the dtype cannot hold.
    """
    prefix = (
        "" if config.tie_word_embeddings else PREFIX
    )  # with a head beside them, transformers wants it on the others
    stored = {name if name == names.HEAD else prefix + name: array for name, array in parameters.items()}
    text = config_json(config, written_type(dtype, "a model").name, end_of_text)
    write_folder(folder, stored, text, dtype, max_shard_size)


def write_folder(folder, arrays, config, dtype, max_shard_size=None):
    """Write `arrays` as safetensors and the text `config` as config.json; else as `save_checkpoint`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with naming(folder), tempfile.TemporaryDirectory(dir=folder, prefix="saving.", suffix=".tmp") as place:
        written = write_weights(Path(place), arrays, dtype, max_shard_size)
        (Path(place) / HF_CONFIG).write_text(config, encoding="utf-8")
        flush(Path(place) / HF_CONFIG)
        if INDEX in written:  # the old index would name some of the new files, the old file hide all of them
            for old in INDEX, WEIGHTS:
                (folder / old).unlink(missing_ok=True)
        for name in [*written, HF_CONFIG]:
            os.replace(Path(place) / name, folder / name)


def find_openai(folder):
    """The path, without ".index", of the TensorFlow checkpoint in `folder` that the file `checkpoint` names.

    Without that file it is model.ckpt, or the only one. None where there is none. Raises InputError where it is
    ambiguous, and for a checkpoint that is named and not there.
    """
    folder = Path(folder)
    state = folder / OPENAI_STATE
    found = sorted(path.stem for path in folder.glob("*.index"))
    if state.is_file():
        said = re.search(r'^model_checkpoint_path:\s*"([^"]*)"', state.read_bytes().decode("utf-8", "replace"), re.M)
        name = re.split(r"[/\\]", said[1])[-1] if said else None
        if name in found:
            return folder / name
        if name:
            raise InputError(
                f"{state} names {quoted(name)}, whose .index is not there; there is {', '.join(found) or 'none'}"
            )
    if "model.ckpt" in found or len(found) < 2:
        return folder / ("model.ckpt" if "model.ckpt" in found else found[0]) if found else None
    raise InputError(f'{folder}: which of {", ".join(found)}? Write model_checkpoint_path: "{found[-1]}" into {state}')


def _open_hugging_face(folder, weights):
    config, notices = read_config(folder / HF_CONFIG)
    matched = match_hugging_face(read_weights(weights), config, weights)
    for name in HF_GENERATION, HF_CONFIG:
        path = folder / name
        end_of_text = read_end_of_text(read_fields(path), path) if path.exists() else ()
        if end_of_text:
            break
    return Checkpoint(config, matched.tensors, matched.head, end_of_text, (*notices, *matched.notices))


def _open_openai(folder, prefix):
    config = read_hparams(folder / OPENAI_CONFIG)
    tensors = names.match_openai(tensorflow.read_index(prefix), config, f"{prefix}.index")
    tensorflow.check_data_files(tensors.values())
    return Checkpoint(config, tensors)


def _check_tied(head, wte):
    """Raise InputError unless `head` has the values of `wte`, the matrix that GPT-2 uses in its place."""
    step = max(1, CHUNK_BYTES // wte[0].nbytes)
    for first in range(0, len(wte), step):
        part = wte[first : first + step]
        stored = np.empty_like(part)
        read_tensors([(head.rows(first, first + len(part)), stored)])
        if not np.array_equal(stored, part, equal_nan=True):
            raise InputError(
                f"{head.path}: {head.name} differs from wte.weight, but config.json says that they are one matrix: "
                "if the output head is a separate matrix, set tie_word_embeddings to false"
            )
