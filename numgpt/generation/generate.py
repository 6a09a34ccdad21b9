"""From ids to more ids: read the prompt, then go on token by token."""

import numpy as np

from numgpt.errors import InputError
from numgpt.generation.rules import Rules, check_whole
from numgpt.generation.sampling import choose, log_probabilities
from numgpt.model import KVCache
from numgpt.model.gpt import check_integers


def generate(
    model,
    ids,
    max_new_tokens=40,
    *,
    temperature=1.0,
    top_k=None,
    top_p=None,
    min_p=None,
    repetition_penalty=None,
    seed=None,
    stop_ids=None,
    return_logprobs=False,
):
    """The prompts with what the model adds to them.

    ids, (B, T) ints, become (B, T + n) int64, n <= max_new_tokens. A row ends with the first of `stop_ids` (an id
    or several) that it chooses, included; the rest of it repeats that id until every row has ended. Without
    stop_ids n = max_new_tokens. B lists of different lengths become B lists, each ending where it ended, and each
    the same as if it were alone, to rounding.

    The rules (`numgpt.generation.sampling`) apply in this order: repetition_penalty, over all the row's tokens;
    temperature, of which 0 is greedy; top_k; top_p; min_p. Row b draws from np.random.default_rng([seed, b]): the same
    seed gives the same text whatever stands in the other rows; seed None draws a fresh one. A model in train
    mode drops out here too.

    With return_logprobs the result is (out, logprobs): for each new token its log-probability in nats, under the
    model's own distribution, softmax of the logits before any rule, with which texts can be compared whatever
    rules chose them; (B, n) float64, 0 where an ended row repeats its last id, or B lists of floats.

    When the context is full, the window slides. A prompt has at most n_ctx tokens. Once a row's window has n_ctx
    tokens and another one has been chosen, the last max(1, n_ctx // 2) of the row's tokens, the new one among them,
    are read again at positions 0, 1, ..., as if the text began there, and the window grows from there to n_ctx again.
    A row slides by its own length; rows beside it that are not full are read again whole, which changes them by
    rounding only.

    Raises InputError for a setting outside its range, for ids that are not whole numbers in [0, V), for an empty
    prompt or one longer than n_ctx, and when the model's logits are not finite.
    """
    rows, ragged = check_prompts(model, ids)
    chosen = list(
        steps(
            model,
            rows,
            max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            stop_ids=stop_ids,
        )
    )
    tokens = np.array([t for t, _ in chosen], np.int64).reshape(-1, len(rows)).T
    logprobs = np.array([p for _, p in chosen], np.float64).reshape(-1, len(rows)).T
    if not ragged:
        out = np.concatenate([rows, tokens], axis=1)
    else:
        stops = check_stop_ids(model, stop_ids)
        lengths = [length_with_stop(new, stops) for new in tokens.tolist()]
        out = [row + new[:n].tolist() for row, new, n in zip(rows, tokens, lengths, strict=True)]
        logprobs = [row[:n].tolist() for row, n in zip(logprobs, lengths, strict=True)]
    return (out, logprobs) if return_logprobs else out


def stream(model, ids, max_new_tokens=40, **settings):
    """Yield each token as it is chosen: an int for one sequence, ids (T,) or (1, T), and (B,) ints for a batch.

    `settings` are the keywords of `generate`, return_logprobs excepted, with the same defaults; so are the
    errors, which come at the call and not at the first token.
    """
    rows, _ = check_prompts(model, [ids] if is_flat(ids) else ids)
    chosen = steps(model, rows, max_new_tokens, **settings)
    return (int(tokens[0]) if len(rows) == 1 else tokens for tokens, _ in chosen)


def steps(
    model,
    ids,
    max_new_tokens=40,
    *,
    temperature=1.0,
    top_k=None,
    top_p=None,
    min_p=None,
    repetition_penalty=None,
    seed=None,
    stop_ids=None,
):
    """Yield (tokens, logprobs), (B,) ints and (B,) float64, once per new token; `generate` says what they mean."""
    rows, _ = check_prompts(model, ids)
    rules = Rules(temperature, top_k, top_p, min_p, repetition_penalty)
    check_whole(max_new_tokens, "max_new_tokens", "0 adds nothing")
    if seed is None:
        seed = np.random.SeedSequence().entropy
    check_whole(seed, "seed", "None draws a fresh one")
    rngs = [np.random.default_rng([seed, b]) for b in range(len(rows))]
    return _steps(model, rows, max_new_tokens, rules, rngs, check_stop_ids(model, stop_ids))


def _steps(model, rows, max_new_tokens, rules, rngs, stops):
    cache = None
    ended = np.zeros(len(rows), bool)
    for _ in range(max_new_tokens):
        logits, cache = prefill(model, rows) if cache is None else decode(model, rows, cache)
        check_finite(logits)
        tokens = choose(logits, rows, rules, rngs)
        logprobs = log_probabilities(logits, tokens)
        for b in np.flatnonzero(ended):
            tokens[b], logprobs[b] = rows[b][-1], 0
        for b, token in enumerate(tokens.tolist()):
            rows[b].append(token)
            ended[b] = token in stops
        yield tokens, logprobs
        if ended.all():
            return


def prefill(model, rows):
    """Read whole rows, lists of 1 to n_ctx ids: the logits (B, V) for what comes next, and the KVCache that remembers.

    Shorter rows are padded on the left. Rows that are all the same are read once.
    """
    B, lengths = len(rows), [len(row) for row in rows]
    if B > 1 and all(row == rows[0] for row in rows):
        logits, one = prefill(model, rows[:1])
        cache = KVCache(model, B)
        for source, copies in zip(one.layers, cache.layers, strict=True):
            copies.extend(source.keys[:, :, : one.length], source.values[:, :, : one.length])
        return np.repeat(logits, B, axis=0), cache
    T = max(lengths)
    padded = np.array([[0] * (T - len(row)) + row for row in rows])
    cache = KVCache(model, B, lengths)
    return model.next_logits(padded, cache), cache


def decode(model, rows, cache):
    """Read the last id of every row, those before it being in `cache`: the logits (B, V) for the next, and the cache.

    Where the cache is full, windows slide as `generate` says, and the cache returned is a new one.
    """
    n_ctx = model.config.n_ctx
    if cache.length < n_ctx:
        return model.next_logits(np.array([row[-1:] for row in rows]), cache), cache
    padding = np.zeros(len(rows), int) if cache.start is None else cache.start
    windows = [max(1, n_ctx // 2) if start == 0 else n_ctx - start + 1 for start in padding.tolist()]
    return prefill(model, [row[-n:] for row, n in zip(rows, windows, strict=True)])


def check_prompts(model, ids):
    """The prompts as B lists of ints, and whether their lengths differ; raises InputError as `generate` does."""
    if not is_ragged(ids):
        return model.check_ids(ids).tolist(), False
    rows = []
    for b, row in enumerate(ids):
        try:
            rows.append(model.check_ids([row])[0].tolist())
        except InputError as error:
            raise InputError(f"prompt {b} of {len(ids)}: {error}") from None
    return rows, True


def is_flat(ids):
    """Whether `ids` is one sequence and not a batch of them."""
    return not is_ragged(ids) and np.ndim(ids) == 1


def is_ragged(ids):
    """Whether `ids` is a list of sequences of different lengths, of which NumPy cannot make one array."""
    try:
        np.asarray(ids)
    except ValueError:
        return True
    return False


def check_stop_ids(model, stop_ids):
    """`stop_ids`, None, an id or several, as a set; raises InputError for one outside the vocabulary."""
    if stop_ids is None:
        return set()
    stops = [stop_ids] if np.isscalar(stop_ids) else list(stop_ids)
    return set(check_integers(stops, "stop_ids", 0, model.config.n_vocab).tolist())


def check_finite(logits):
    """Raise InputError unless all logits are finite numbers."""
    if not np.isfinite(logits).all():
        raise InputError(
            "the model's logits are not finite numbers: its weights are damaged or overflow (NaN or infinity); "
            "load it again, or train with a smaller learning rate"
        )


def length_with_stop(tokens, stops):
    """How many of `tokens` there are up to the first that is in `stops`, included; all when none is."""
    return next((n for n, token in enumerate(tokens, 1) if token in stops), len(tokens))
