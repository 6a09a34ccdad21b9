"""From ids to more ids: read the prompt, then continue token by token."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numgpt.errors import InputError
from numgpt.generation.batch import Batch, Ids, check_rules, is_flat, is_ragged, read_prompts
from numgpt.generation.rules import Rules, make_rules
from numgpt.generation.sampling import choose, likeliest, log_probabilities
from numgpt.model import GPT, KVCache
from numgpt.numbers import check_number

Step = tuple[NDArray[np.int64], NDArray[np.float64]]


def generate(
    model: GPT,
    ids: Ids,
    max_new_tokens: int = 40,
    *,
    return_logprobs: bool = False,
    top_logprobs: int = 0,
    **rules: Any,
) -> Any:
    """The prompts, each followed by what the model adds.

    ids: (B, T) ints, which become (B, T + n) int64, n <= max_new_tokens; or B lists of different lengths, which become
    B lists. Each list ends where its text ended, and is the same, up to rounding, as if it had been alone.

    rules, in the order in which they apply (`numgpt.generation.sampling` has their formulas):

        logit_bias=None          {id: what is added to that token's logit}; -100 all but rules it out
        repetition_penalty=None  above 1 makes tokens that the row already has, its prompt included, less likely,
                                 below 1 more likely; must be above 0
        no_repeat_ngram_size=None  no run of so many tokens comes twice, the prompt included; None or 0: off
        min_new_tokens=None      stop_ids are not chosen before so many tokens have been added
        temperature=1.0          what the logits are divided by, at least 0; 0 is greedy: always the likeliest token
        top_k=None               how many of the likeliest tokens are kept; None or 0: all
        top_p=None               the likeliest tokens are kept, as few as reach this probability, in (0, 1]
        min_p=None               tokens with at least this share of the likeliest one's probability are kept, in [0, 1]
        seed=None                row b draws from np.random.default_rng([seed, b]): the same seed gives the same text,
                                 whatever the other rows are; None: random
        stop_ids=None            an id or several: a row ends with the first that it chooses, included, and then
                                 repeats that id until every row has ended; None: n = max_new_tokens

    With return_logprobs the result is (out, logprobs): the log-probability in nats of each new token under the model's
    own distribution, the softmax of the logits before any rule, so that texts can be compared whatever rules chose
    them. It is (B, n) float64, 0 where an ended row repeats its last id, or B lists of floats. With top_logprobs=K the
    result is (out, logprobs, top): top[b][i] lists the K likeliest candidates for the i-th new token of row b as (id,
    log-probability) under the same distribution, the likeliest first; it ends where the row ended.

    When the context is full, the window slides. A prompt has at most n_ctx tokens. Once a row's window has n_ctx tokens
    and another one has been chosen, the last max(1, n_ctx // 2) tokens of the row, including the new one, are read
    again at positions 0, 1, ..., as if the text began there, and the window grows to n_ctx again. Each row slides by
    its own length; rows that are not full yet are then read again whole, which changes them only by rounding.

    Ids from model.n_tokens on, which have a row in some models but no token in the tokenizer, are never chosen and have
    no share in the distribution. In train mode, dropout applies here too.

    Raises InputError for a setting outside its range, for ids that are not whole numbers in [0, V), for an empty prompt
    or one longer than n_ctx, and if the model's logits are not finite; TypeError for an unknown rule.
    """
    checked = make_rules(rules)
    tops: list[list[list[tuple[int, float]]]] = []
    watch = (lambda logits: tops.append(likeliest(logits, top_logprobs))) if top_logprobs else None
    coming = steps(model, ids, max_new_tokens, checked, watch=watch)
    check_number(top_logprobs, "top_logprobs", low=0, high=model.n_tokens, whole=True, note="of the model's tokens")
    chosen = list(coming)
    tokens = np.array([t for t, _ in chosen], np.int64).reshape(-1, len(ids)).T
    logprobs = np.array([p for _, p in chosen], np.float64).reshape(-1, len(ids)).T
    if is_ragged(ids):
        result = as_lists(ids, tokens, logprobs, checked.stops)
    else:
        result = np.concatenate([np.asarray(ids, np.int64), tokens], axis=1), logprobs
    if top_logprobs:
        return (*result, [[top[b] for top in tops[:n]] for b, n in enumerate(lengths(tokens, checked.stops))])
    return result if return_logprobs else result[0]


def stream(model: GPT, ids: Ids, max_new_tokens: int = 40, **rules: Any) -> Iterator[Any]:
    """Yield each token as it is chosen: an int for one sequence, ids (T,) or (1, T), and (B,) ints for a batch.

    `rules` are those of `generate`, with the same defaults. So are the errors; those about arguments are raised at the
    call, not at the first token.
    """
    chosen = steps(model, [ids] if is_flat(ids) else ids, max_new_tokens, make_rules(rules))
    one = is_flat(ids) or len(ids) == 1
    return (int(tokens[0]) if one else tokens for tokens, _ in chosen)


def steps(
    model: GPT,
    ids: Ids,
    max_new_tokens: int,
    rules: Rules,
    first_row: int = 0,
    watch: Callable[[NDArray[Any]], None] | None = None,
) -> Iterator[Step]:
    """Yield (tokens, logprobs), (B,) ints and (B,) float64, once per new token; `generate` says what they mean.

    rules: a `Rules`. first_row: the number of the first row, for its seed, if a long list of texts is worked on in
    parts. watch: called with the logits (B, V) of each step, before any rule. All arguments are checked here, at the
    call, and not again.
    """
    n = check_number(max_new_tokens, "max_new_tokens", low=0, whole=True, note="0 adds nothing")
    batch = read_prompts(model, ids)
    check_rules(model, rules)
    return choose_tokens(model, batch, int(n), rules, rules.generators(len(batch.ids), first_row), watch)


def choose_tokens(
    model: GPT,
    batch: Batch,
    max_new_tokens: int,
    rules: Rules,
    rngs: list[np.random.Generator],
    watch: Callable[[NDArray[Any]], None] | None,
) -> Iterator[Step]:
    """The loop itself: yield what `steps` yields, and add each token to `batch`."""
    cache, ended = None, np.zeros(len(rngs), bool)
    for n_new in range(max_new_tokens):
        logits, cache = prefill(model, batch.ids, batch.lengths) if cache is None else decode(model, batch, cache)
        check_finite(logits)
        logits[:, model.n_tokens :] = -math.inf  # ids that the tokenizer does not have
        if watch is not None:
            watch(logits)
        rows = [row[:0] if over else row for row, over in zip(batch.rows, ended, strict=True)]  # the end may repeat
        tokens = choose(logits, rows, rules, rngs, n_new)
        tokens = np.where(ended, batch.ids[:, -1], tokens)
        logprobs = np.where(ended, 0.0, log_probabilities(logits, tokens))
        ended = np.isin(tokens, rules.stops)
        batch.append(tokens)
        yield tokens, logprobs
        if ended.all():
            return


def prefill(model: GPT, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[Any], KVCache]:
    """Read the last lengths[b] ids, at most n_ctx, of each row b of ids, (B, T); those before them are padding.

    Returns the logits (B, V) for the next token, and the KVCache. Rows that are all equal are read once.
    """
    B = len(ids)
    if B > 1 and min(lengths) == max(lengths) and (ids == ids[0]).all():
        logits, one = prefill(model, ids[:1], lengths[:1])
        cache = KVCache(model, B)
        for source, copies in zip(one.layers, cache.layers, strict=True):
            copies.extend(source.keys[:, :, : one.length], source.values[:, :, : one.length])
        return np.repeat(logits, B, axis=0), cache
    cache = KVCache(model, B, lengths)
    return model.next_logits(ids, cache), cache


def decode(model: GPT, batch: Batch, cache: KVCache) -> tuple[NDArray[Any], KVCache]:
    """Read the last id of every row; `cache` holds those before it. Returns the next logits (B, V), and the cache.

    If the cache is full, windows slide as `generate` says, and the cache returned is a new one.
    """
    n_ctx = model.config.n_ctx
    if cache.length < n_ctx:
        return model.next_logits(batch.ids[:, -1:], cache), cache
    padding = np.zeros(len(batch.ids), int) if cache.start is None else cache.start
    windows = np.where(padding == 0, max(1, n_ctx // 2), n_ctx + 1 - padding)
    return prefill(model, batch.ids[:, -max(windows) :], windows)


def check_finite(logits: NDArray[Any]) -> None:
    """Raise InputError unless all logits are finite numbers."""
    if not np.isfinite(logits).all():
        raise InputError(
            "the model's logits are not finite numbers: its weights are damaged or overflow (NaN or infinity); "
            "load it again, or train with a smaller learning rate"
        )


def as_lists(ids: Ids, tokens: NDArray[np.int64], logprobs: NDArray[np.float64], stops: NDArray[np.int64]) -> Any:
    """What `generate` returns for prompts of different lengths: a row ends with the first of `stops` that it chose."""
    rows, row_logprobs = [], []
    for prompt, new, p, n in zip(ids, tokens, logprobs, lengths(tokens, stops), strict=True):
        rows.append(np.asarray(prompt).tolist() + new[:n].tolist())
        row_logprobs.append(p[:n].tolist())
    return rows, row_logprobs


def lengths(tokens: NDArray[np.int64], stops: NDArray[np.int64]) -> list[int]:
    """How many of the new tokens, (B, n), each row has up to and including the first of `stops`."""
    found = (np.flatnonzero(np.isin(row, stops)) for row in tokens)
    return [int(places[0]) + 1 if len(places) else tokens.shape[1] for places in found]
