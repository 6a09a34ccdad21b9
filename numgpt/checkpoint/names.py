"""The names and shapes of a GPT-2's parameters, in numgpt and in OpenAI's files.

numgpt takes Hugging Face's names, without the prefix "transformer." that some files have; hugging_face_names.py knows
the others. Weights are (in, out) in all of them. In OpenAI's files, those of the projections were the kernels of
convolutions of width 1 and so have a leading axis of length 1.
"""

import re
from dataclasses import replace

from numgpt.errors import InputError
from numgpt.files import quoted

HEAD = "lm_head.weight"  # a parameter only if the output head is not the table of embeddings
TABLE = "wte.weight"
SHOWN = 3  # the most faults that a message names


def parameter_shapes(config):
    """name -> shape of every parameter of a GPT of that configuration, in the order of its layers.

    The model knows them too, but only once it exists: a file is checked before memory is taken for a model of its size,
    and `numgpt info` counts the parameters of models that are not on this machine. A test compares the two.
    """
    C, inner = config.n_embd, config.n_inner or 4 * config.n_embd
    shapes = {TABLE: (config.n_vocab, C), "wpe.weight": (config.n_ctx, C)}
    for i in range(config.n_layer):
        shapes |= _norm_shapes(f"h.{i}.ln_1", C)
        shapes |= _projection_shapes(f"h.{i}.attn.c_attn", C, 3 * C)
        shapes |= _projection_shapes(f"h.{i}.attn.c_proj", C, C)
        shapes |= _norm_shapes(f"h.{i}.ln_2", C)
        shapes |= _projection_shapes(f"h.{i}.mlp.c_fc", C, inner)
        shapes |= _projection_shapes(f"h.{i}.mlp.c_proj", inner, C)
    shapes |= _norm_shapes("ln_f", C)
    return shapes if config.tie_word_embeddings else shapes | {HEAD: (config.n_vocab, C)}


def openai_name(name):
    """OpenAI's name of the parameter `name`: "h.0.attn.c_attn.weight" is "model/h0/attn/c_attn/w"."""
    layer, _, kind = name.rpartition(".")
    path = "model/" + re.sub(r"^h\.", "h", layer).replace(".", "/")
    if layer in ("wte", "wpe"):
        return path
    if kind == "bias":
        return path + "/b"
    return path + ("/g" if "ln_" in layer else "/w")


def match_openai(tensors, config, where):
    """name -> StoredTensor for every parameter of a GPT of this configuration, from the tensors of OpenAI's files.

    Raises InputError, beginning with `where`, for tensors that are missing, left over or of another shape or dtype.
    """
    return match({tensor.name: _without_width(tensor) for tensor in tensors}, config, openai_name, where)


def match(stored, config, stored_name, where):
    """`match_openai` for any format.

    stored: name -> StoredTensor. stored_name: from a parameter's name to its name in the file.
    """
    if config.n_layer > len(stored):
        raise InputError(f"{where}: {len(stored)} tensors cannot be the {config.n_layer} layers of the configuration")
    shapes = parameter_shapes(config)
    names = {stored_name(name): name for name in shapes}
    faults = [f"{quoted(name)} is missing" for name in names if name not in stored]
    faults += [
        f"{quoted(tensor.name)} is not part of this model" for name, tensor in stored.items() if name not in names
    ]
    for name in filter(stored.__contains__, names):
        faults += tensor_faults(stored[name], shapes[names[name]])
    refuse(faults, where)
    return {names[name]: tensor for name, tensor in stored.items()}


def tensor_faults(tensor, shape):
    """What keeps `tensor` from being a parameter of this shape, as a list of phrases."""
    if tensor.shape != shape:
        return [f"{quoted(tensor.name)} has shape {quoted(tensor.shape)}, but the configuration makes it {shape}"]
    if not tensor.readable:
        return [f"{quoted(tensor.name)} is {tensor.size} bytes of {tensor.dtype}, not floats of shape {shape}"]
    return []


def refuse(faults, where):
    """Raise InputError with the first of `faults`, phrases that each begin with a tensor's name, if there are any."""
    if faults:
        more = f"; and {len(faults) - SHOWN} more faults" if len(faults) > SHOWN else ""
        raise InputError(f"{where}: tensor " + "; ".join(faults[:SHOWN]) + more)


def _norm_shapes(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _projection_shapes(name, size_in, size_out):
    return {f"{name}.weight": (size_in, size_out), f"{name}.bias": (size_out,)}


def _without_width(tensor):
    """A convolution's kernel (1, in, out) as the matrix (in, out)."""
    if tensor.name.endswith("/w") and len(tensor.shape) == 3 and tensor.shape[0] == 1:
        return replace(tensor, shape=tensor.shape[1:])
    return tensor
