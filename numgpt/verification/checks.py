"""Compare a model with what others have published about OpenAI's.

`published.json` holds the numbers, for each size in sections, each entry with its source; the functions below compare
one entry each. A tolerance is the source's own if it has one; otherwise what float32 and the published digits allow,
which is far less than the effect of any wrong weight. Continuations are greedy and must agree token for token.
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from numgpt.backend import to_host
from numgpt.config import OFFICIAL_SIZES
from numgpt.errors import InputError
from numgpt.evaluation.scorer import score_windows
from numgpt.evaluation.windows import Window


@dataclass(frozen=True)
class Row:
    """One comparison: numbers agree to within `tolerance`, token ids and texts (tolerance None) exactly.

    For several numbers at once, `published` and `computed` are the pair that is furthest apart.
    """

    what: str
    source: str
    published: object
    computed: object
    tolerance: float | None
    ok: bool


def read_published(size):
    """The published numbers of the model `size` ("124M"): section -> list of entries. Raises InputError for others."""
    published = json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))
    if size not in published["models"]:
        raise InputError(f"nothing is published about a model {size!r}: choose from {', '.join(published['models'])}")
    sections = published["models"][size]
    for entry in sections.get("losses", []) + sections.get("training", []):
        if entry["ids"] == "tinyshakespeare":
            entry["ids"] = published["tinyshakespeare"]
    return sections


def verify(model, tokenizer, size):
    """Compare a GPT with what is published about the model `size`; an iterator of Rows, each computed when asked for.

    tokenizer: encodes the prompts; None: their published ids are used. Raises InputError for an unknown size and for a
    model of another size.
    """
    sections = read_published(size)
    expected = OFFICIAL_SIZES[size]
    if replace(model.config, dropout=expected.dropout) != expected:
        raise InputError(f"this is not the model {size}: it is {model.config}, and {size} is {expected}")
    return compare(model, tokenizer, sections)


def compare(model, tokenizer, sections):
    """The Rows of `sections`, as `read_published` returns them, for `model`."""
    for entry in sections.get("parameters", []):
        yield compare_parameter(model, entry)
    for entry in sections.get("layers", []):
        yield compare_layer(model, entry)
    for entry in sections.get("logits", []):
        yield compare_logits(model, entry)
    for entry in sections.get("mean_logits", []):
        yield compare_mean_logit(model, entry)
    for entry in sections.get("likeliest", []):
        yield compare_likeliest(model, entry)
    for entry in sections.get("probabilities", []):
        yield compare_probability(model, entry)
    for entry in sections.get("losses", []):
        yield compare_loss(model, entry)
    for entry in sections.get("greedy", []):
        yield compare_greedy(model, tokenizer, entry)
    for entry in sections.get("training", []):
        yield compare_training(model, entry)


def compare_parameter(model, entry):
    """The first values in a row of a weight matrix."""
    value = {name: value for name, value, _ in model.named_parameters()}[entry["name"]]
    return numbers(entry, f"{entry['name']}[{entry['row']}]", to_host(value)[entry["row"]])


def compare_layer(model, entry):
    """The first outputs of one layer whose input is the bare token embedding, without position or LayerNorm."""
    embedded = model.wte.forward(np.array([entry["ids"]]))
    y = to_host(dict(model.named_layers())[entry["name"]].forward(embedded))
    return numbers(entry, f"{entry['name']}(wte{entry['ids']}), position {entry['position']}", y[0, entry["position"]])


def compare_logits(model, entry):
    """The logits of some tokens at one position."""
    found = logits(model, entry)[entry["position"], entry["tokens"]]
    return numbers(entry, f"logits of {entry['ids']}, position {entry['position']}", found)


def compare_mean_logit(model, entry):
    """The mean logit over all positions and all tokens."""
    mean = float(logits(model, entry).mean())
    return numbers(entry | {"values": [entry["value"]]}, f"mean of all logits of {entry['ids']}", [mean])


def compare_likeliest(model, entry):
    """The token with the largest logit at one position."""
    found = int(logits(model, entry)[entry["position"]].argmax())
    what = f"likeliest token after {entry['ids'][: entry['position'] + 1]}"
    return Row(what, entry["source"], entry["token"], found, None, found == entry["token"])


def compare_probability(model, entry):
    """The probability of one token at one position."""
    before = entry["ids"][: entry["position"] + 1]
    [score] = score_windows(model, [Window([*before, entry["token"]], 1)], 1)
    what = f"probability of {entry['token']} after {before}"
    return numbers(entry | {"values": [entry["value"]]}, what, [math.exp(score.nats)])


def compare_loss(model, entry):
    """The mean loss over batches of B sequences of T tokens, one after the other from a stream of ids."""
    n, B, T = entry["batches"], entry["B"], entry["T"]
    rows = zip(*(part.reshape(n * B, T) for part in batches(entry)), strict=True)
    scores = score_windows(model, [Window([*ids, targets[-1]], T) for ids, targets in rows], B)
    mean = -sum(score.nats for score in scores) / (n * B * T)
    what = f"loss of {n * B * T} tokens, {n} x {B} x {T}, that begin {entry['ids'][:4]}"
    return numbers(entry | {"values": [entry["value"]]}, what, [mean])


def compare_greedy(model, tokenizer, entry):
    """The likeliest continuation of a prompt, token for token."""
    from numgpt.generation import generate

    prompt = tokenizer.encode(entry["prompt"]) if tokenizer else entry["prompt_ids"]
    out = generate(model, np.array([prompt]), max_new_tokens=len(entry["ids"]), temperature=0)
    found = out[0, len(prompt) :].tolist()
    ok = found == entry["ids"]
    what = f"greedy: {len(found)} tokens after {entry['prompt']!r}"
    if tokenizer is None:
        return Row(what, entry["source"], entry["ids"], found, None, ok)
    return Row(what, entry["source"], entry["text"], tokenizer.decode(found), None, ok)


def compare_training(model, entry):
    """The losses before each of several steps of AdamW, all on a stream's first batch; the weights are then restored.

    llm.c decays every parameter, this AdamW only matrices; in ten steps with lr 1e-4 and decay 0.01, that changes the
    others by 1e-5 of themselves.
    """
    from numgpt.training import AdamW

    weights = model.values.copy()
    inputs, targets = batches(entry | {"batches": 1})
    optimizer = AdamW(model, entry["lr"], entry["betas"], entry["eps"], entry["weight_decay"])
    found = []
    for _ in entry["values"]:
        model.zero_grad()
        found.append(model.loss(inputs[0], targets[0]))
        model.backward()
        optimizer.step()
    model.values[...] = weights
    return numbers(entry, f"losses of AdamW's steps on {inputs.size} tokens", found)


def batches(entry):
    """(ids, targets), each (batches, B, T), one after the other from the entry's stream of ids."""
    n, B, T = entry["batches"], entry["B"], entry["T"]
    stream = np.array(entry["ids"][: n * B * T + 1])
    return stream[:-1].reshape(n, B, T), stream[1:].reshape(n, B, T)


def logits(model, entry):
    """The logits of an entry's ids, (T, V) in float64."""
    return to_host(model.forward(np.array([entry["ids"]])))[0].astype(np.float64)


def numbers(entry, what, found):
    """The Row that compares an entry's values with the first numbers of `found`."""
    published = np.array(entry["values"], np.float64)
    found = np.asarray(found, np.float64)[: len(published)]
    difference = np.abs(found - published)
    worst = difference.argmax()  # the first NaN, if there is one, and a NaN is not within any tolerance
    if len(published) > 1:
        what += f", {len(published)} values"
    return Row(
        what,
        entry["source"],
        float(published[worst]),
        float(found[worst]),
        entry["tolerance"],
        bool(difference[worst] <= entry["tolerance"]),
    )
