"""The rules that forbid tokens, and the likeliest tokens of every place."""

import json
import math

import numpy as np
import pytest

import numgpt
from numgpt import InputError
from numgpt.generation import sampling
from numgpt.generation.rules import Rules

CONFIG = numgpt.GPTConfig(n_vocab=11, n_ctx=12, n_embd=12, n_head=3, n_layer=2)


@pytest.fixture(scope="module")
def model():
    model = numgpt.GPT(CONFIG, seed=3, dtype="float64")
    model.values *= 12
    return model


def test_transformers_golden_scores(golden):
    found = np.load(golden / "generation" / "rules.npz")
    cases = json.loads((golden / "generation" / "rules.json").read_text("utf-8"))
    for name, case in cases.items():
        if "rows" in case:
            scores = sampling.forbid_repeated_ngrams(found["scores"], case["rows"], case["n"])
        else:
            rules = Rules(min_new_tokens=case["min_new_tokens"], stop_ids=case["stop_ids"])
            scores = sampling.adjust(found["scores"], [[]] * 4, rules, case["n_new"])
        assert np.array_equal(scores, found[name]), name
    assert len(cases) == 8


@pytest.mark.parametrize("seed", range(20))
def test_transformers_processors_on_random_scores(seed):
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers.generation.logits_process")
    rng = np.random.default_rng(seed)
    scores, n, length = rng.standard_normal((3, 8)), int(rng.integers(1, 5)), int(rng.integers(1, 15))
    rows, stops = rng.integers(0, 4, (3, length)), [1, 5]
    n_prompt, least = int(rng.integers(0, length + 1)), int(rng.integers(0, 12))
    theirs = process.NoRepeatNGramLogitsProcessor(n)(torch.tensor(rows), torch.tensor(scores))
    assert np.array_equal(sampling.forbid_repeated_ngrams(scores, rows, n), theirs.numpy())
    theirs = process.MinNewTokensLengthLogitsProcessor(n_prompt, least, stops, "cpu")(torch.tensor(rows), theirs)
    rules = Rules(no_repeat_ngram_size=n, min_new_tokens=least, stop_ids=stops)
    assert np.array_equal(sampling.adjust(scores, rows, rules, length - n_prompt), theirs.numpy())


def ngrams(ids, n):
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]


@pytest.mark.parametrize("temperature", [0, 1.5])
@pytest.mark.parametrize("n", [2, 3])
def test_no_n_tokens_come_twice(model, temperature, n):
    prompts = [[1, 2, 3], [4], [5, 6]]
    settings = {"temperature": temperature, "seed": 1}
    free = numgpt.generate(model, prompts, 30, **settings)
    rows = numgpt.generate(model, prompts, 30, no_repeat_ngram_size=n, **settings)
    assert any(len(set(ngrams(row, n))) < len(ngrams(row, n)) for row in free)
    assert all(len(set(ngrams(row, n))) == len(ngrams(row, n)) for row in rows)


def test_of_single_tokens_each_comes_once_and_then_none_is_left(model):
    row = numgpt.generate(model, [[1, 2]], 9, no_repeat_ngram_size=1, temperature=0)[0]
    assert sorted(row.tolist()) == list(range(11))
    with pytest.raises(InputError, match="no token is left to choose"):
        numgpt.generate(model, [[1, 2]], 10, no_repeat_ngram_size=1)


def test_a_row_that_has_ended_may_repeat_its_end(model):
    order = numgpt.generate(model, [[1, 2]], 9, no_repeat_ngram_size=1, temperature=0)[0].tolist()
    settings = {"no_repeat_ngram_size": 1, "temperature": 0, "stop_ids": order[-1]}
    alone = numgpt.generate(model, [[1, 2]], 12, **settings)[0].tolist()
    assert alone == order  # its end is the last token there was
    rows = numgpt.generate(model, [order[:10], [7]], 5, **settings)
    assert rows[0] == order


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_text_does_not_end_before_min_new_tokens(model, temperature):
    stops = list(range(8))
    settings = {"temperature": temperature, "seed": 2, "stop_ids": stops}
    prompts = [[1], [2, 3], [4]]
    for least in 0, 1, 5:
        rows = numgpt.generate(model, prompts, 30, min_new_tokens=least, **settings)
        for prompt, row in zip(prompts, rows, strict=True):
            new = row[len(prompt) :]
            assert len(new) > least
            assert not set(new[:least]) & set(stops)
    short = numgpt.generate(model, prompts, 30, **settings)
    assert min(len(row) for row in short) <= 3, "else the rule would do nothing"


def test_min_new_tokens_does_not_change_the_probabilities_that_are_told(model):
    settings = {"temperature": 0, "return_logprobs": True, "stop_ids": [0, 1, 2, 3, 4, 5]}
    out, logprobs = numgpt.generate(model, [[1]], 1, min_new_tokens=1, **settings)
    logits = model.forward([[1]])[:, -1]
    assert out[0, 1] > 5
    assert logprobs[0, 0] == pytest.approx(sampling.log_probabilities(logits, out[:, 1])[0], abs=1e-12)


def test_greedy_minds_every_rule():
    scores = np.array([[0.0, 3.0, 1.0, 2.0]])
    assert sampling.choose(scores, [[1, 1]], Rules(0, no_repeat_ngram_size=2), []) == [3]
    held = Rules(0, min_new_tokens=2, stop_ids=[1, 3])
    assert [int(sampling.choose(scores, [[]], held, [], n)[0]) for n in (0, 1, 2)] == [2, 2, 1]


def test_rules_do_not_write_to_their_arguments():
    scores = np.zeros((1, 4))
    sampling.choose(scores, [[1, 1]], Rules(0, no_repeat_ngram_size=2, min_new_tokens=1, stop_ids=2), [])
    assert not scores.any()


@pytest.mark.parametrize("name", ["no_repeat_ngram_size", "min_new_tokens"])
@pytest.mark.parametrize("value", [-1, 1.5, math.nan, "2", True])
def test_settings_outside_their_range(name, value):
    with pytest.raises(InputError, match=f"^{name} must be"):
        Rules(**{name: value})


def test_the_likeliest_are_the_first_of_the_sorted_distribution(model):
    prompts = [[1, 2, 3], [4]]
    out, logprobs, top = numgpt.generate(model, prompts, 4, temperature=0, top_logprobs=3)
    for row, p, tops in zip(out, logprobs, top, strict=True):
        n = len(row) - 4
        for i in range(4):
            logits = model.forward([row[: n + i]])[0, -1]
            expected = logits - logits.max()
            expected -= np.log(np.exp(expected).sum())
            assert [token for token, _ in tops[i]] == np.argsort(-expected)[:3].tolist()
            np.testing.assert_allclose([q for _, q in tops[i]], np.sort(expected)[::-1][:3], rtol=0, atol=1e-10)
            assert tops[i][0] == (row[n + i], pytest.approx(p[i], abs=1e-12))  # greedy takes the first


def test_the_likeliest_of_equals_are_those_with_the_lower_ids():
    assert [i for i, _ in sampling.likeliest(np.array([[1.0, 2.0, 2.0, 1.0, 2.0]]), 4)[0]] == [1, 2, 4, 0]


def test_the_likeliest_end_where_a_row_ends(model):
    prompts = [[1], [2, 3]]
    rows, _, top = numgpt.generate(model, prompts, 9, temperature=0, stop_ids=[0, 1, 2, 3], top_logprobs=2)
    assert [len(tops) for tops in top] == [len(row) - len(p) for row, p in zip(rows, prompts, strict=True)]


def test_the_likeliest_are_none_that_the_tokenizer_does_not_know():
    model = numgpt.GPT(CONFIG, seed=3)
    model.n_tokens = 5
    *_, top = numgpt.generate(model, [[1]], 1, top_logprobs=5)
    assert {i for i, _ in top[0][0]} == set(range(5))
    assert math.fsum(math.exp(p) for _, p in top[0][0]) == pytest.approx(1)


@pytest.mark.parametrize("k", [-1, 12, 1.5, "3"])
def test_another_number_of_likeliest(model, k):
    with pytest.raises(InputError, match="top_logprobs must be"):
        numgpt.generate(model, [[1]], 1, top_logprobs=k)


def test_the_place_of_the_first_row_decides_its_seed(model):
    prompts, settings = [[1, 2], [3, 4], [5, 6]], Rules(seed=7)
    together = [tokens for tokens, _ in numgpt.generation.steps(model, prompts, 6, settings)]
    for place, prompt in enumerate(prompts):
        alone = [tokens for tokens, _ in numgpt.generation.steps(model, [prompt], 6, settings, first_row=place)]
        assert np.array_equal(np.array(alone)[:, 0], np.array(together)[:, place])
