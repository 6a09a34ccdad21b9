"""What a GPT-2's parameters are called, and how large they are: in numgpt, in OpenAI's files and in Hugging Face's.

numgpt takes Hugging Face's names, without the prefix "transformer." that some files have. Weights are (in, out) in
all three. In OpenAI's files those of the projections were kernels of a convolution of width 1 and have a leading
axis of length 1 for it.
"""

import re
from dataclasses import replace

from numgpt.errors import InputError
from numgpt.files import quoted

HF_PREFIX = "transformer."
HF_HEAD = "lm_head.weight"
HF_MASK = re.compile(r"h\.\d+\.attn\.(masked_)?bias")  # the causal mask, which older versions stored with the weights
SHOWN = 3  # of several faults


def parameter_shapes(config):
    """name -> shape of every parameter of a GPT of that size, in the order of its layers.

    The model knows them too, but only once it is made: a file is checked before memory is taken for a model of its
    size, and `numgpt info` counts the parameters of one that is not there. A test compares the two.
    """
    C = config.n_embd
    shapes = {"wte.weight": (config.n_vocab, C), "wpe.weight": (config.n_ctx, C)}
    for i in range(config.n_layer):
        shapes |= _norm_shapes(f"h.{i}.ln_1", C)
        shapes |= _projection_shapes(f"h.{i}.attn.c_attn", C, 3 * C)
        shapes |= _projection_shapes(f"h.{i}.attn.c_proj", C, C)
        shapes |= _norm_shapes(f"h.{i}.ln_2", C)
        shapes |= _projection_shapes(f"h.{i}.mlp.c_fc", C, 4 * C)
        shapes |= _projection_shapes(f"h.{i}.mlp.c_proj", 4 * C, C)
    return shapes | _norm_shapes("ln_f", C)


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
    """name -> StoredTensor for every parameter of a GPT of size `config`, out of the tensors of OpenAI's files.

    Raises InputError, beginning with `where`, for tensors that are missing, left over or of another shape or dtype.
    """
    stored = {tensor.name: _without_width(tensor) for tensor in tensors}
    return _match(stored, config, openai_name, where)


def match_hugging_face(tensors, config, where):
    """Two results: name -> StoredTensor as `match_openai` gives it, and the tensor of the output head, or None.

    The head's weight is wte's in every GPT-2; a file that stores it again is right only if the values are the same.
    """
    stored = {tensor.name: tensor for tensor in tensors}
    head = stored.pop(HF_HEAD, None)
    prefix = HF_PREFIX if any(name.startswith(HF_PREFIX) for name in stored) else ""
    stored = {name: tensor for name, tensor in stored.items() if not HF_MASK.fullmatch(name.removeprefix(prefix))}
    matched = _match(stored, config, lambda name: prefix + name, where)
    if head is not None:
        faults = _tensor_faults(head, (config.n_vocab, config.n_embd))
        _refuse(faults, where)
    return matched, head


def _norm_shapes(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _projection_shapes(name, size_in, size_out):
    return {f"{name}.weight": (size_in, size_out), f"{name}.bias": (size_out,)}


def _without_width(tensor):
    """A convolution's kernel (1, in, out) as the matrix (in, out)."""
    if tensor.name.endswith("/w") and len(tensor.shape) == 3 and tensor.shape[0] == 1:
        return replace(tensor, shape=tensor.shape[1:])
    return tensor


def _match(stored, config, stored_name, where):
    if config.n_layer > len(stored):
        raise InputError(f"{where}: {len(stored)} tensors cannot be the {config.n_layer} layers of the configuration")
    shapes = parameter_shapes(config)
    names = {stored_name(name): name for name in shapes}
    faults = [f"{quoted(name)} is missing" for name in names if name not in stored]
    faults += [f"{quoted(name)} is not part of this model" for name in stored if name not in names]
    for name in filter(stored.__contains__, names):
        faults += _tensor_faults(stored[name], shapes[names[name]])
    _refuse(faults, where)
    return {names[name]: tensor for name, tensor in stored.items()}


def _tensor_faults(tensor, shape):
    if tensor.shape != shape:
        return [f"{quoted(tensor.name)} has shape {quoted(tensor.shape)}, but the configuration makes it {shape}"]
    if not tensor.readable:
        return [f"{quoted(tensor.name)} is {tensor.size} bytes of {tensor.dtype}, not floats of shape {shape}"]
    return []


def _refuse(faults, where):
    if faults:
        more = f"; and {len(faults) - SHOWN} more faults" if len(faults) > SHOWN else ""
        raise InputError(f"{where}: tensor " + "; ".join(faults[:SHOWN]) + more)
