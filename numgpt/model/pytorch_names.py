"""Parameters under the names that PyTorch's nn.TransformerEncoder, nn.TransformerDecoder and nn.Linear give them.

PyTorch's matrices are (out, in), ours (in, out); its in_proj makes the queries, keys and values of an attention layer.

    table
    encoder.layers.I.self_attn.{in_proj_weight, in_proj_bias, out_proj.*}, .linear1.*, .linear2.*, .norm1.*, .norm2.*
    decoder.layers.I.self_attn.*, .multihead_attn.* (to the memory), .linear1.*, .linear2.*, .norm1.* to .norm3.*
    encoder.norm.*, decoder.norm.*    where config.final_norm
    head.*    of a Classifier, which has no decoder
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from numgpt.backend import to_host
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.layers import FeedForward, Layer, LayerNorm, Linear
from numgpt.model.classifier import Classifier
from numgpt.model.transformer import Transformer
from numgpt.model.transformer_blocks import DecoderBlock, EncoderBlock

Model: TypeAlias = Transformer | Classifier
Slots: TypeAlias = Iterator[
    tuple[str, list[tuple[Layer, str]]]
]  # PyTorch's name, and the parameters that it holds side by side


def fill(model: Model, weights: Mapping[str, Any]) -> None:
    """Give `model` these weights: name -> array. Raises InputError if names or shapes are not the model's."""
    left = dict(weights)
    for name, parts in slots(model):
        if name not in left:
            raise InputError(f"there is no weight {quoted(name)}, which this configuration needs")
        array = np.asarray(left.pop(name))
        expected = shape_of(parts)
        if array.shape != expected:
            raise InputError(f"{name} has shape {quoted(array.shape)}, but should have {expected}")
        start = 0
        for layer, parameter in parts:
            value = getattr(layer, parameter)
            n = value.shape[-1] if is_linear(layer, parameter) else len(value)
            part = array[start : start + n]
            value[...] = np.asarray(part.T if is_linear(layer, parameter) else part, like=value)
            start += n
    if left:
        raise InputError(f"{quoted(next(iter(left)))} is not a weight of this configuration")


def as_pytorch(model: Model, gradients: bool) -> dict[str, np.ndarray]:
    """name -> array on the host: each parameter, or its gradient."""
    found = {}
    for name, parts in slots(model):
        arrays = [to_host(getattr(layer, "d" * gradients + parameter)) for layer, parameter in parts]
        turned = [a.T if is_linear(*part) else a for a, part in zip(arrays, parts, strict=True)]
        found[name] = np.concatenate(turned)
    return found


def is_linear(layer: Layer, parameter: str) -> bool:
    """Whether a parameter is a matrix that PyTorch keeps transposed."""
    return isinstance(layer, Linear) and parameter == "weight"


def shape_of(parts: list[tuple[Layer, str]]) -> tuple[int, ...]:
    """The shape of the PyTorch tensor that holds these parameters side by side."""
    shapes = [getattr(*part).shape[::-1] if is_linear(*part) else getattr(*part).shape for part in parts]
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def slots(model: Model) -> Slots:
    """All of PyTorch's names, in PyTorch's order, each with its parameters."""
    yield "table", [(model.table, "weight")]
    for i, encoder_block in enumerate(model.encoder):
        yield from of_encoder(f"encoder.layers.{i}", encoder_block)
    if model.encoder_norm:
        yield from both("encoder.norm", model.encoder_norm)
    if isinstance(model, Classifier):
        yield from both("head", model.head)
        return
    for i, block in enumerate(model.decoder):
        yield from of_decoder(f"decoder.layers.{i}", block)
    if model.decoder_norm:
        yield from both("decoder.norm", model.decoder_norm)


def of_encoder(at: str, block: EncoderBlock) -> Slots:
    yield from attention(f"{at}.self_attn", [block.attn.c_q, block.attn.c_kv], block.attn.c_proj)
    yield from rest(at, block.mlp, [block.attn_step.norm, block.mlp_step.norm])


def of_decoder(at: str, block: DecoderBlock) -> Slots:
    yield from attention(f"{at}.self_attn", [block.attn.c_attn], block.attn.c_proj)
    yield from attention(f"{at}.multihead_attn", [block.cross.c_q, block.cross.c_kv], block.cross.c_proj)
    yield from rest(at, block.mlp, [block.attn_step.norm, block.cross_step.norm, block.mlp_step.norm])


def attention(at: str, inwards: list[Linear], outwards: Linear) -> Slots:
    for parameter in "weight", "bias":
        yield f"{at}.in_proj_{parameter}", [(layer, parameter) for layer in inwards]
    yield from both(f"{at}.out_proj", outwards)


def rest(at: str, mlp: FeedForward, norms: list[LayerNorm]) -> Slots:
    yield from both(f"{at}.linear1", mlp.c_fc)
    yield from both(f"{at}.linear2", mlp.c_proj)
    for i, norm in enumerate(norms, 1):
        yield from both(f"{at}.norm{i}", norm)


def both(at: str, layer: Layer) -> Slots:
    """The weight and the bias of a layer."""
    for parameter in "weight", "bias":
        yield f"{at}.{parameter}", [(layer, parameter)]
