"""The names of a GPT-2's tensors in safetensors files by other programs, and which of them are not parameters.

A name is "h.0.ln_1.bias" (saved from GPT2Model) or "transformer.h.0.ln_1.bias" (from GPT2LMHeadModel). Before it and
within it stand the names of what the model was wrapped in, perhaps several times: "module." (data parallel),
"_orig_mod." (torch.compile), "base_model.model." (adapters).
"""

import re
from dataclasses import dataclass, replace

from numgpt.checkpoint.names import HEAD, TABLE, match, refuse, tensor_faults
from numgpt.checkpoint.tensors import StoredTensor
from numgpt.errors import InputError
from numgpt.files import quoted

WRAPPERS = {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
OUTER = {"base_model", "model", "pretrained_model", "transformer"}  # at the beginning only
PREFIX = "transformer."
OTHER_HEADS = {"v_head", "value_head", "score", "classifier", "qa_outputs", "multiple_choice_head", "summary"}
MASK = re.compile(r"h\.\d+\.attn\.(masked_bias|bias|mask|causal_mask)|position_ids")  # once stored with the weights
PROJECTION = re.compile(r"h\.\d+\.(attn|mlp)\.c_(attn|proj|fc)\.weight")
HEADS_OWN_NAMES = {"lm_head.decoder.weight": HEAD}
ADAPTER = re.compile(r"\.(lora_\w+|base_layer|modules_to_save)\.")


@dataclass(frozen=True)
class Matched:
    """tensors: parameter name -> StoredTensor. head: the output head that is stored although it is tied, else None.

    notices: lines that say what was left out.
    """

    tensors: dict[str, StoredTensor]
    head: StoredTensor | None
    notices: list[str]


def match_hugging_face(tensors, config, where):
    """The Matched of a GPT of this configuration, from the tensors of safetensors files.

    If output head and embeddings are tied, a file may have the head alone, which then is the embeddings. If it has
    both, they have to be equal, which is checked when they are read. Raises InputError, beginning with `where`, for
    tensors that are missing, left over, there twice, or of another shape or dtype.
    """
    tensors = list(tensors)
    stored = _by_plain_name(tensors, where)
    others = [name for name in stored if name.partition(".")[0] in OTHER_HEADS]
    kept = {name: tensor for name, tensor in stored.items() if name not in others and not MASK.fullmatch(name)}
    head = None
    if config.tie_word_embeddings and HEAD in kept:
        head = kept.pop(HEAD)
        if TABLE not in kept:
            kept[TABLE], head = head, None
    kept = _from_linear(kept, config)
    prefix = PREFIX if any(PREFIX in tensor.name for tensor in tensors) else ""  # for the names of what is missing
    matched = match({prefix + name: tensor for name, tensor in kept.items()}, config, lambda name: prefix + name, where)
    if head is not None:
        refuse(tensor_faults(head, matched[TABLE].shape), where)
    return Matched(matched, head, _notices(others, where))


def _from_linear(stored, config):
    """The tensors, with all projections transposed if the file has them as (out, in), like PyTorch's Linear.

    nanoGPT's files do; c_attn, which is never square, shows it.
    """
    first = stored.get("h.0.attn.c_attn.weight")
    if first is None or first.shape != (3 * config.n_embd, config.n_embd):
        return stored
    return {
        name: replace(tensor, shape=tensor.shape[::-1], transposed=True) if PROJECTION.fullmatch(name) else tensor
        for name, tensor in stored.items()
    }


def plain_name(name):
    """The name without those of wrappers: "module.transformer.h.0.ln_1.bias" is "h.0.ln_1.bias"."""
    parts = [part for part in name.split(".") if part not in WRAPPERS]
    while len(parts) > 1 and parts[0] in OUTER:
        del parts[0]
    plain = ".".join(parts)
    return HEADS_OWN_NAMES.get(plain, plain)


def _by_plain_name(tensors, where):
    stored = {}
    for tensor in tensors:
        if ADAPTER.search(tensor.name):
            raise InputError(
                f"{where}: {quoted(tensor.name)} is part of an adapter (LoRA): merge it into the model "
                "(merge_and_unload in peft) and save that"
            )
        name = plain_name(tensor.name)
        if name in stored:
            raise InputError(f"{where}: {quoted(stored[name].name)} and {quoted(tensor.name)} are the same parameter")
        stored[name] = tensor
    return stored


def _notices(heads, where):
    if not heads:
        return []
    names = ", ".join(dict.fromkeys(name.partition(".")[0] + ".*" for name in heads))
    return [f"{where}: left out, as they play no part in predicting tokens: {names}"]
