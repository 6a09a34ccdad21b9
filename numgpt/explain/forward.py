"""Parts 2 to 5: what a forward pass computes, from the embedding to the logit lens."""

from typing import Any

import numpy as np

from numgpt.backend import to_host
from numgpt.explain.packing import Picture, single
from numgpt.explain.tokens import Vocabulary
from numgpt.tracing import Trace
from numgpt.tracing.result import largest

CHANNELS = 6  # of the C channels, those whose numbers the page has
NEURONS = 5  # per position and block, by each of two measures
LENS = 6  # tokens per layer and position
CELLS = 32  # at most, along a thumbnail's side


def chosen_channels(found: Trace) -> np.ndarray:
    """The channels with the largest |sum of x dL/dx over positions| at the embedding, largest first, (K,)."""
    x = found.values["embed"][0]
    return np.argsort(-np.abs(x * found.gradients["embed"][0]).sum(0), kind="stable")[:CHANNELS]


def stream_names(found: Trace) -> list[str]:
    """The 2L + 1 places of the residual stream, from the bottom up."""
    blocks = range(len(found.model.h))
    return ["embed", *(name for i in blocks for name in (f"h.{i}.mid", f"h.{i}"))]


def embedding_part(found: Trace, channels: np.ndarray) -> dict[str, Any]:
    """The rows of both tables, their sum, and its first LayerNorm."""
    model, ids = found.model, found.ids[0]
    token, position = to_host(model.wte.weight)[ids], to_host(model.wpe.weight)[: len(ids)]
    x, norm = found.values["embed"][0], model.h[0].ln_1
    mean = x.mean(-1)
    rstd = 1 / np.sqrt(((x - mean[:, None]) ** 2).mean(-1) + norm.eps)
    return {
        "token": single(token[:, channels]),
        "position": single(position[:, channels]),
        "token_picture": Picture(token),
        "position_picture": Picture(position),
        "mean": single(mean),
        "rstd": single(rstd),
        "eps": norm.eps,
        "weight": single(to_host(norm.weight)[channels]),
        "bias": single(to_host(norm.bias)[channels]),
        "ln_1": single(found.values["h.0.ln_1"][0][:, channels]),
    }


def stream_part(found: Trace, channels: np.ndarray) -> dict[str, Any]:
    """Values and gradients of the chosen channels along the residual stream, and the norms over all channels."""
    names = stream_names(found)
    rows = to_host(found.model.lm_head.weight)[np.maximum(np.asarray(found.targets)[0], 0)]
    return {
        "names": names,
        "channels": channels,
        "values": single([found.values[name][0][:, channels] for name in names]),
        "norms": single([np.linalg.norm(found.values[name][0], axis=-1) for name in names]),
        "ln_f": single(found.values["ln_f"][0][:, channels]),
        "gradients": single([found.gradients[name][0][:, channels] for name in names]),
        "gradient_norms": single([np.linalg.norm(found.gradients[name][0], axis=-1) for name in names]),
        "dln_f": single(found.gradients["ln_f"][0][:, channels]),
        "target_rows": single(rows[:, channels]),
    }


def attention_part(
    found: Trace, layers: list[int], opened: list[tuple[int, int]], channels: np.ndarray
) -> dict[str, Any]:
    """Thumbnails of all heads of `layers`, and the vectors of opened ones, from which the page computes the rest."""
    return {
        "layers": layers,
        "thumbnails": [Picture(triangle(found.values[f"h.{i}.attn.p"][0])) for i in layers],
        "cells": min(CELLS, found.ids.shape[1]),
        "opened": [opened_head(found, i, head, channels) for i, head in opened],
    }


def triangle(p: np.ndarray) -> np.ndarray:
    """(H, T, T) -> (H, n (n+1) / 2): what is not masked, row by row; for T > CELLS, the largest of each cell."""
    T = p.shape[-1]
    n = min(T, CELLS)
    edges = np.arange(n) * T // n
    small = np.maximum.reduceat(np.maximum.reduceat(p, edges, axis=1), edges, axis=2)
    rows, columns = np.tril_indices(n)
    return small[:, rows, columns]


def opened_head(found: Trace, layer: int, head: int, channels: np.ndarray) -> dict[str, Any]:
    """q, k, v and do of a head, (T, D), its part of W_q, and what it writes into the chosen channels."""
    at, block = f"h.{layer}.attn", found.model.h[layer]
    D = found.values[f"{at}.q"].shape[-1]
    weight = to_host(block.attn.c_attn.weight)[channels, head * D : (head + 1) * D]
    part: dict[str, Any] = {"layer": layer, "head": head, "scale": block.attn.scale}
    part |= {name: single(found.values[f"{at}.{name}"][0, head]) for name in "qkv"}
    part |= {
        "query_weight": single(weight),
        "ln_1": single(found.values[f"h.{layer}.ln_1"][0][:, channels]),
        "writes": single(found.heads(layer)[0, head][:, channels]),
        "do": single(found.gradients[f"{at}.o"][0, head]),
        "dln_1": single(found.gradients[f"h.{layer}.ln_1"][0][:, channels]),
    }
    return part


def mlp_part(found: Trace, layers: list[int]) -> dict[str, Any]:
    """For every position the neurons that fire most, and those with the largest |activation x gradient|."""
    act = found.model.h[0].mlp.act
    grid = np.linspace(-4, 4, 81)
    y = act.forward(grid)
    return {
        "layers": layers,
        "activation": found.model.config.activation,
        "curve": {"x": single(grid), "y": single(y), "slope": single(act.backward(np.ones_like(grid)))},
        "width": int(found.values["h.0.mlp.act"].shape[-1]),
        "blocks": [neurons(found, i) for i in layers],
    }


def neurons(found, layer):
    """ids (T, 2 NEURONS), the first half by activation; their values before and after `act`, their gradients after."""
    at = f"h.{layer}.mlp"
    before, after = found.values[f"{at}.c_fc"][0], found.values[f"{at}.act"][0]
    gradient = found.gradients[f"{at}.act"][0]
    n = min(NEURONS, after.shape[-1])
    measures = np.abs(after), np.abs(after * gradient)
    ids = np.concatenate([largest(m, n) for m in measures], -1)
    kept = {"before": before, "after": after, "gradient": gradient}
    return {"ids": ids} | {name: single(np.take_along_axis(a, ids, -1)) for name, a in kept.items()}


def lens_part(found: Trace, vocabulary: Vocabulary) -> dict[str, Any]:
    """What each layer would predict; the rank and the probability of each target."""
    lens = found.lens(min(LENS, found.model.config.n_vocab))
    return {
        "names": lens.names,
        "tokens": vocabulary.mention(lens.tokens[:, 0]),
        "probabilities": single(lens.probabilities[:, 0]),
        "entropy": single(lens.entropy[:, 0]),
        "rank": np.asarray(lens.rank)[:, 0],
        "target_probability": single(np.asarray(lens.target_probability)[:, 0]),
    }
