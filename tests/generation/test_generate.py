"""Generation from ids: against a loop without a cache, alone and in a batch, at the edges of the context."""

from dataclasses import fields

import numpy as np
import pytest

import numgpt
from numgpt import InputError
from numgpt.generation import steps
from numgpt.generation.batch import Batch
from numgpt.generation.loop import decode, prefill
from numgpt.generation.rules import Rules

CONFIG = numgpt.GPTConfig(n_vocab=37, n_ctx=12, n_embd=12, n_head=3, n_layer=2)
RAGGED = [[1, 2, 3], [4, 5, 6, 7, 8, 9], [10], [11, 12, 13, 14]]


def make_model(config=CONFIG, dtype="float64"):
    model = numgpt.GPT(config, seed=3, dtype=dtype)
    model.values *= 12  # far from uniform, so that an error shows
    return model


@pytest.fixture(scope="module")
def model():
    return make_model()


def window(ids, n_prompt, n_ctx):
    """The ids that are read for the token after `ids`, as `generate` documents it, counted token by token."""
    size = n_prompt
    for _ in range(len(ids) - n_prompt):
        size = max(1, n_ctx // 2) if size == n_ctx else size + 1
    return ids[-size:]


def uncached_logits(model, ids, n_prompt):
    return model.forward(np.array([window(ids, n_prompt, model.config.n_ctx)]))[0, -1]


def greedy_without_cache(model, prompt, n):
    ids = list(prompt)
    for _ in range(n):
        ids.append(int(uncached_logits(model, ids, len(prompt)).argmax()))
    return ids


@pytest.mark.parametrize("n_ctx", [1, 2, 3, 12])
def test_greedy_is_the_argmax_of_a_loop_without_a_cache(n_ctx):
    model = make_model(numgpt.GPTConfig(n_vocab=37, n_ctx=n_ctx, n_embd=12, n_head=3, n_layer=2))
    prompt = list(range(5, 5 + max(1, n_ctx // 2)))
    out = numgpt.generate(model, [prompt], 30, temperature=0)
    assert out.shape == (1, len(prompt) + 30)
    assert out.dtype == np.int64
    assert out[0].tolist() == greedy_without_cache(model, prompt, 30)


@pytest.mark.parametrize("prompts", [[[1, 2, 3]], [[1, 2], [3, 4]], RAGGED, [[7, 8, 9]] * 3, [list(range(12)), [5]]])
def test_cached_logits_are_the_uncached_ones_while_sliding_too(model, prompts):
    batch = Batch(prompts)
    rng = np.random.default_rng(0)
    logits, cache = prefill(model, batch.ids, batch.lengths)
    for _ in range(40):
        expected = [uncached_logits(model, row, len(p)) for row, p in zip(batch.rows, prompts, strict=True)]
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-10)
        batch.append(rng.integers(37, size=len(prompts)))
        logits, cache = decode(model, batch, cache)


def test_a_batch_holds_its_texts_however_long_they_grow():
    batch, texts = Batch(RAGGED), [list(row) for row in RAGGED]
    for n in range(50):
        assert [row.tolist() for row in batch.rows] == texts
        assert batch.ids.shape == (4, 6 + n)
        assert batch.lengths.tolist() == [len(text) for text in texts]
        batch.append([n, 1, 2, 3])
        for text, token in zip(texts, [n, 1, 2, 3], strict=True):
            text.append(token)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 1.2, "top_k": 10}])
def test_a_prompt_in_a_ragged_batch_gets_what_it_gets_alone(model, settings):
    out, logprobs = numgpt.generate(model, RAGGED, 40, seed=5, return_logprobs=True, **settings)
    for b, prompt in enumerate(RAGGED):
        # alone, but as row b: equal rows in front of it keep its generator default_rng([seed, b])
        alone, alone_logprobs = numgpt.generate(model, [prompt] * (b + 1), 40, seed=5, return_logprobs=True, **settings)
        assert out[b] == alone[b].tolist()
        np.testing.assert_allclose(logprobs[b], alone_logprobs[b], rtol=0, atol=1e-10)


def test_same_seed_same_text_and_other_rows_do_not_matter(model):
    first = numgpt.generate(model, [[1, 2, 3], [4, 5, 6]], 20, seed=1)
    assert np.array_equal(first, numgpt.generate(model, [[1, 2, 3], [4, 5, 6]], 20, seed=1))
    assert np.array_equal(first[:1], numgpt.generate(model, [[1, 2, 3]], 20, seed=1))
    assert np.array_equal(first[1], numgpt.generate(model, [[9, 9, 9], [4, 5, 6]], 20, seed=1)[1])
    assert not np.array_equal(first, numgpt.generate(model, [[1, 2, 3], [4, 5, 6]], 20, seed=2))


def test_without_a_seed_every_call_draws_its_own(model):
    assert len({tuple(numgpt.generate(model, [[1]], 30)[0].tolist()) for _ in range(4)}) > 1


def test_rows_with_the_same_prompt_differ(model):
    assert len({tuple(row) for row in numgpt.generate(model, [[1, 2]] * 4, 20, seed=0).tolist()}) == 4


def test_log_probabilities_are_the_models_own_before_any_rule(model):
    out, logprobs = numgpt.generate(
        model, [[1, 2, 3]], 8, temperature=0.3, top_k=3, repetition_penalty=1.5, seed=0, return_logprobs=True
    )
    for n in range(8):
        logits = model.forward(out[:, : 3 + n])[0, -1]
        expected = logits[out[0, 3 + n]] - np.log(np.exp(logits).sum())
        assert logprobs[0, n] == pytest.approx(expected, abs=1e-10)


def test_repetition_penalty_counts_the_prompt_and_what_slid_out(model):
    """With an enormous penalty no token comes twice while there are others, though the window holds but 12."""
    prompt = [1, 2, 3]
    model = make_model()
    model.wte.weight[:] = np.abs(model.wte.weight)  # with ln_f's bias below, every logit is above 0, where ...
    model.ln_f.bias[:] = 50
    out = numgpt.generate(model, [prompt], 34, temperature=0, repetition_penalty=1e12)[0].tolist()
    assert sorted(out) == list(range(37))


def test_stop_ids_end_a_row_and_are_repeated_to_the_end(model):
    free = numgpt.generate(model, [[1, 2, 3], [4, 5, 6]], 25, seed=1)
    stops = {int(free[0, 8]), int(free[1, 20])}
    out, logprobs = numgpt.generate(model, [[1, 2, 3], [4, 5, 6]], 25, seed=1, stop_ids=stops, return_logprobs=True)
    ends = []
    for row, free_row, p in zip(out.tolist(), free.tolist(), logprobs, strict=True):
        end = next(i for i, token in enumerate(free_row) if i >= 3 and token in stops)
        ends.append(end)
        assert row[: end + 1] == free_row[: end + 1]
        assert set(row[end:]) == {row[end]}
        assert (p[: end - 2] < 0).all()
        assert not p[end - 2 :].any()
    assert ends[0] != ends[1]
    assert out.shape == (2, max(ends) + 1)
    assert logprobs.shape == (2, max(ends) - 2)


def test_a_ragged_row_ends_in_its_stop_id(model):
    free = numgpt.generate(model, RAGGED, 25, seed=2)
    stop = free[1][10]
    out, logprobs = numgpt.generate(model, RAGGED, 25, seed=2, stop_ids=[stop], return_logprobs=True)
    for row, free_row, prompt, p in zip(out, free, RAGGED, logprobs, strict=True):
        new = free_row[len(prompt) :]
        n = new.index(stop) + 1 if stop in new else 25
        assert row == prompt + new[:n]
        assert len(p) == n
    assert len(out[1]) < len(free[1])


def test_a_stop_id_in_the_prompt_stops_nothing(model):
    assert numgpt.generate(model, [[1, 2, 3]], 5, seed=0, stop_ids=3).shape[1] >= 4


def test_stream_yields_what_generate_returns(model):
    out = numgpt.generate(model, [[1, 2, 3]], 20, seed=4, top_k=9)
    for ids in ([1, 2, 3], np.array([1, 2, 3]), [[1, 2, 3]], np.array([[1, 2, 3]], np.uint16)):
        tokens = list(numgpt.stream(model, ids, max_new_tokens=20, seed=4, top_k=9))
        assert tokens == out[0, 3:].tolist()
        assert {type(token) for token in tokens} == {int}
    batch = list(numgpt.stream(model, [[1, 2, 3], [4, 5, 6]], 5, seed=4))
    assert np.array_equal(np.stack(batch, 1), numgpt.generate(model, [[1, 2, 3], [4, 5, 6]], 5, seed=4)[:, 3:])


def test_stream_computes_no_more_than_is_asked_of_it(model, monkeypatch):
    calls = []
    next_logits = model.next_logits
    monkeypatch.setattr(model, "next_logits", lambda *args: calls.append(1) or next_logits(*args), raising=False)
    tokens = numgpt.stream(model, [1, 2], 3)
    assert not calls
    for n, _ in enumerate(tokens, 1):
        assert len(calls) == n
    assert len(calls) == 3


def test_equal_prompts_are_read_once(model, monkeypatch):
    batches = []
    next_logits = model.next_logits
    monkeypatch.setattr(
        model, "next_logits", lambda ids, cache: batches.append(ids.shape) or next_logits(ids, cache), raising=False
    )
    numgpt.generate(model, [[1, 2, 3]] * 4, 2)
    assert batches == [(1, 3), (4, 1)]


def test_no_new_tokens_give_the_prompt_back(model):
    out, logprobs = numgpt.generate(model, [[1, 2], [3, 4]], 0, return_logprobs=True)
    assert out.tolist() == [[1, 2], [3, 4]]
    assert logprobs.shape == (2, 0)
    assert numgpt.generate(model, [[1], [2, 3]], 0) == [[1], [2, 3]]


def test_the_callers_ids_and_the_model_stay_as_they_were(model):
    prompts, before = [[1, 2], [3]], model.values.copy()
    numgpt.generate(model, prompts, 5)
    list(steps(model, prompts, 5, Rules()))
    assert prompts == [[1, 2], [3]]
    assert np.array_equal(model.values, before)


def test_a_pending_backward_survives_generation():
    model = make_model()
    ids = np.array([[1, 2, 3, 4]])
    model.loss(ids, ids)
    model.backward()
    alone = model.grads.copy()
    model.zero_grad()
    model.loss(ids, ids)
    numgpt.generate(model, [[5, 6]], 3)
    model.backward()
    assert np.array_equal(model.grads, alone)


def test_float32_stays_float32():
    model = make_model(dtype="float32")
    batch = Batch([[1, 2], [3]])
    logits, cache = prefill(model, batch.ids, batch.lengths)
    assert logits.dtype == np.float32
    batch.append([4, 4])
    assert decode(model, batch, cache)[0].dtype == np.float32


BAD_IDS = {
    "empty batch": ([], "at least one token"),
    "empty prompt": ([[]], "at least one token"),
    "empty prompt in a ragged batch": ([[1], []], r"^prompt 1 of 2: .*at least one token"),
    "longer than the context": ([list(range(13))], "13 tokens do not fit"),
    "one of them longer than the context": ([[1], list(range(13))], "^prompt 1 of 2: 13 tokens do not fit"),
    "too large": ([[1, 37]], r"\[0, 1\] is 37, but the vocabulary has only 0 to 36"),
    "negative": ([[1], [2, -1]], "^prompt 1 of 2: .*is -1"),
    "not whole": ([[1.5]], "whole numbers"),
    "text": (["abc"], "whole numbers"),
    "ragged text": (["abc", "ab"], "whole numbers"),
    "one sequence": ([1, 2], r"\(B, T\)"),
    "a number": (5, r"\(B, T\)"),
    "nested too deep": ([[[1]]], r"\(B, T\)"),
    "ragged and nested too deep": ([[1, 2], [3, [4]]], "."),
    "nothing": (None, "."),
}


@pytest.mark.parametrize("case", BAD_IDS)
def test_bad_ids_are_refused(model, case):
    ids, message = BAD_IDS[case]
    with pytest.raises(InputError, match=message) as caught:
        numgpt.generate(model, ids)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("max_new_tokens", [-1, 1.5, "5", None, True]),
        ("seed", [-1, 1.5, "1", True]),
        ("stop_ids", [[37], -1, [1.5], ["a"], "a", 0.5]),
        ("temperature", [-1, float("nan")]),
        ("top_k", [-1]),
        ("top_p", [0, 1.5]),
        ("min_p", [-0.5]),
        ("repetition_penalty", [0]),
    ],
)
def test_bad_settings_are_refused_at_the_call(model, setting, values):
    for value in values:
        for function in (numgpt.generate, numgpt.stream):
            with pytest.raises(InputError, match=setting):
                function(model, [[1, 2]], **{setting: value})


@pytest.mark.parametrize("function", [numgpt.generate, numgpt.stream])
def test_an_unknown_keyword_is_named_and_those_that_there_are(model, function):
    with pytest.raises(
        TypeError, match="^'temprature' is not a rule of generation; the rules are temperature, top_k, .*"
    ):
        function(model, [[1, 2]], temprature=1)
    with pytest.raises(TypeError, match="'return_logprobs' is not"):
        numgpt.stream(model, [[1, 2]], return_logprobs=True)


def test_help_tells_every_rule_and_its_default():
    for field in fields(Rules):
        assert f"\n        {field.name}={field.default} " in numgpt.generate.__doc__


def test_ids_are_checked_at_the_door_alone(model, monkeypatch):
    """Once as a prompt; `next_logits` is not this test's matter."""
    calls = []
    check_ids = type(model).check_ids
    monkeypatch.setattr(model, "next_logits", lambda ids, cache: np.eye(37)[:1], raising=False)
    monkeypatch.setattr(model, "check_ids", lambda ids: calls.append(1) or check_ids(model, ids), raising=False)
    numgpt.generate(model, [[1, 2]], 5)
    assert len(calls) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_damaged_weights_are_named(value):
    model = make_model()
    model.h[1].mlp.c_fc.weight[0, 0] = value
    with pytest.raises(InputError, match="not finite"), np.errstate(all="ignore"):
        numgpt.generate(model, [[1, 2]], 3)


def test_the_shared_models_greedy_continuations(shared):
    import json

    loading = pytest.importorskip("numgpt.loading")
    folder = shared / "oracles" / "mini-gpt2"
    model, _ = loading.load(folder / "hf")
    cases = json.loads((folder / "expected.json").read_text("utf-8"))["greedy"]
    outs = numgpt.generate(model, [case["prompt_ids"] for case in cases], 40, temperature=0)
    for case, out in zip(cases, outs, strict=True):
        assert out == case["prompt_ids"] + case["continuation_ids"]
