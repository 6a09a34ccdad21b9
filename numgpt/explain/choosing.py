"""Parts 6 and 7: choosing the token after the prompt, and the tokens after that, with the cache."""

from typing import Any

import numpy as np

from numgpt.backend import to_host
from numgpt.explain.packing import single, softmax
from numgpt.explain.subject import Subject
from numgpt.explain.tokens import Vocabulary
from numgpt.generation.rules import Rules
from numgpt.model import GPT, KVCache
from numgpt.tracing import trace
from numgpt.tracing.result import largest

NAMED = 400  # likeliest tokens whose texts the page has
NEW = 8  # tokens to generate
RULES = Rules(
    temperature=0.8, top_k=40, top_p=1.0, min_p=0.0, repetition_penalty=1.0, seed=0
)  # the defaults of `generate`


def choosing_part(model: GPT, prompt_ids: np.ndarray, vocabulary: Vocabulary) -> dict[str, Any]:
    """The exact logits after the prompt, and the number that `numgpt generate --seed 0` draws first."""
    logits = to_host(model.forward(prompt_ids[None]))[0, -1]
    vocabulary.mention(largest(logits[None], min(NAMED, len(logits)))[0])
    (rng,) = RULES.generators(1)
    names = "temperature", "top_k", "top_p", "min_p", "repetition_penalty"
    return {
        "logits": logits,
        "seen": sorted(set(prompt_ids.tolist())),
        "drawn": rng.random(),
        "rules": {name: getattr(RULES, name) for name in names},
    }


def generation_part(subject: Subject, opened: tuple[int, int], vocabulary: Vocabulary) -> dict[str, Any]:
    """The next tokens, the likeliest each time: what each step reads from the cache, and what is new.

    opened: the (layer, head) whose attention over the cache is shown for each new token. difference: the largest
    between the keys in the cache at the end and those from reading the whole text at once.
    """
    model, prompt = subject.model, subject.ids[: subject.n_prompt]
    room = model.config.n_ctx - len(prompt)
    cache, ids, steps, new = KVCache(model, 1), list(map(int, prompt)), [], prompt
    for _ in range(min(NEW, room + 1)):
        before = cache.length
        p = softmax(to_host(model.next_logits(np.array([new]), cache))[0])
        top = largest(p[None], min(5, len(p)))[0]
        steps.append({"read": before, "new": len(new), "top": vocabulary.mention(top), "probabilities": single(p[top])})
        new = top[:1]
        ids.append(int(new[0]))
    layer, head = opened
    names = [f"h.{layer}.attn.{name}" for name in "pk"]
    whole = trace(model, np.array([ids[:-1]]), None, names)
    keys = to_host(cache.layers[layer].keys[:, :, : cache.length])
    return {
        "steps": steps,
        "ids": ids[len(prompt) :],
        "layer": layer,
        "head": head,
        "attention": [
            single(whole.values[names[0]][0, head, t, : t + 1]) for t in range(len(prompt) - 1, len(ids) - 1)
        ],
        "numbers": 2 * model.config.n_layer * model.config.n_embd,
        "difference": float(np.abs(keys - whole.values[names[1]]).max()),
        "full": len(steps) < NEW,
        "n_ctx": model.config.n_ctx,
    }
