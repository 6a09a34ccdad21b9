"""The rules of sampling against definitions written in another way, and the draws against the probabilities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt import InputError
from numgpt.generation import sampling
from numgpt.generation.rules import Rules

LOGITS = np.array([2.0, 1.1, -0.4, 0.9, 3.1, -2.0, 0.1, 1.9, -1.2, 2.6, 0.6, -0.9])
N_DRAWS = 20000
slow_machine = settings(deadline=None)


def survivors(row):
    return set(np.flatnonzero(row > -np.inf).tolist())


def defined_distribution(logits, temperature, top_k=None, top_p=None, min_p=None):
    """The probabilities that the rules' definitions give, in plain Python: a dict token -> probability."""

    def normalise(weights):
        total = math.fsum(weights.values())
        return {token: weight / total for token, weight in weights.items()}

    p = normalise({token: math.exp(logit / temperature) for token, logit in enumerate(logits)})
    if top_k is not None:
        p = normalise(dict(sorted(p.items(), key=lambda item: -item[1])[:top_k]))
    if top_p is not None:
        nucleus, mass = {}, 0.0
        for token, share in sorted(p.items(), key=lambda item: -item[1]):
            if mass >= top_p:
                break
            nucleus[token] = share
            mass += share
        p = normalise(nucleus)
    if min_p is not None:
        least = min_p * max(p.values())
        p = normalise({token: share for token, share in p.items() if share >= least})
    return p


def chi_square_tail(x, degrees):
    """P(X >= x) for a chi-square variable: the regularised upper incomplete gamma function by its recurrence."""
    half = x / 2
    if degrees % 2:
        tail, term, a = math.erfc(math.sqrt(half)), math.sqrt(half / math.pi) * 2 * math.exp(-half), 1.5
    else:
        tail, term, a = math.exp(-half), half * math.exp(-half), 2.0
    while a <= degrees / 2:
        tail += term
        term *= half / a
        a += 1
    return tail


def test_chi_square_tail_is_that_of_the_tables():
    for x, degrees in [(3.841459, 1), (5.991465, 2), (7.814728, 3), (9.487729, 4), (19.67514, 11)]:
        assert chi_square_tail(x, degrees) == pytest.approx(0.05, rel=1e-5)


def check_distribution(rngs, expected, rules):
    """Draw once with each of `rngs` and compare how often each token comes with its probability."""
    n = len(rngs)
    tokens = sampling.choose(np.broadcast_to(LOGITS, (n, len(LOGITS))), [[]] * n, rules, rngs)
    counts = np.bincount(tokens, minlength=len(LOGITS))
    assert set(np.flatnonzero(counts).tolist()) <= set(expected)
    chi_square = sum((counts[token] - n * p) ** 2 / (n * p) for token, p in expected.items())
    assert chi_square_tail(chi_square, len(expected) - 1) > 1e-4


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7])
@pytest.mark.parametrize(
    "rules",
    [{}, {"top_k": 5}, {"top_p": 0.8}, {"min_p": 0.1}, {"top_k": 7, "top_p": 0.9, "min_p": 0.2}],
    ids=lambda rules: "+".join(rules) or "none",
)
def test_draws_have_the_distribution_of_the_definition(temperature, rules):
    expected = defined_distribution(LOGITS, temperature, **rules)
    check_distribution([np.random.default_rng([7, 0])] * N_DRAWS, expected, Rules(temperature, **rules))


def test_first_draws_of_the_rows_of_a_batch_have_it_too():
    rngs = [np.random.default_rng([7, row]) for row in range(N_DRAWS)]
    check_distribution(rngs, defined_distribution(LOGITS, 0.8, top_k=6), Rules(0.8, top_k=6))


scores = st.lists(st.integers(-40, 40), min_size=1, max_size=60).map(lambda values: np.array([values]) / 4)


@slow_machine
@given(scores, st.integers(1, 70))
def test_top_k_keeps_the_k_largest_and_what_equals_the_last(row, k):
    kth = sorted(row[0], reverse=True)[:k][-1]
    assert survivors(sampling.keep_top_k(row, k)[0]) == {i for i, score in enumerate(row[0]) if score >= kth}


@slow_machine
@given(scores, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_whose_probability_reaches_p(row, p):
    kept = survivors(sampling.keep_top_p(row, p)[0])
    probability = np.exp(row[0] - row.max())
    probability /= probability.sum()
    mass = math.fsum(probability[list(kept)])
    assert mass >= p - 1e-12
    assert mass - min(probability[list(kept)]) < p + 1e-12, "one fewer would have done"
    assert min(probability[list(kept)]) >= max(np.delete(probability, list(kept)), default=0)


def test_top_p_of_equals_takes_the_lower_ids_and_only_as_many_as_it_needs():
    assert survivors(sampling.keep_top_p(np.zeros((1, 8)), 0.5)[0]) == {0, 1, 2, 3}
    assert survivors(sampling.keep_top_p(np.array([[0.0, 0.0, 1.0, 0.0, 0.0]]), 0.5)[0]) == {0, 2}


def test_top_p_of_1_keeps_what_rounding_would_lose():
    assert survivors(sampling.keep_top_p(np.array([[0.0, -50.0, -800.0]]), 1)[0]) == {0, 1, 2}


@slow_machine
@given(scores, st.floats(0, 1))
def test_min_p_keeps_what_has_that_share_of_the_largest(row, min_p):
    ratio = np.exp(row[0] - row.max())
    kept = survivors(sampling.keep_min_p(row, min_p)[0])
    assert {i for i, r in enumerate(ratio) if r >= min_p * (1 + 1e-12)} <= kept
    assert kept <= {i for i, r in enumerate(ratio) if r >= min_p * (1 - 1e-12)}


def test_min_p_of_1_keeps_the_likeliest():
    assert survivors(sampling.keep_min_p(np.array([[0.0, 2.0, 1.0, 2.0]]), 1)[0]) == {1, 3}


def test_probabilities_are_of_what_has_not_been_ruled_out_however_large_the_scores():
    ids, probability = sampling.softmax_of_possible(np.array([800.0, -np.inf, 800.0, -800.0]))
    assert ids.tolist() == [0, 2, 3]
    assert probability.tolist() == [0.5, 0.5, 0.0]


def test_rules_do_not_write_to_their_arguments():
    row = np.array([LOGITS, -LOGITS])
    before = row.copy()
    sampling.choose(row, [[1, 2], [3]], Rules(0.5, 3, 0.5, 0.1, 1.3), [np.random.default_rng(b) for b in range(2)])
    sampling.penalise_repetition(row, [[1, 2], [3]], 1.3)
    sampling.log_probabilities(row, np.array([1, 2]))
    assert np.array_equal(row, before)


def test_repetition_penalty_divides_above_zero_and_multiplies_below():
    out = sampling.penalise_repetition(np.array([[4.0, -4.0, 2.0, -2.0, 0.0, 0.5]]), [[0, 1, 1, 4, 5]], 2.0)
    assert out.tolist() == [[2.0, -8.0, 2.0, -2.0, 0.0, 0.25]]


@pytest.mark.parametrize("penalty", [1e-320, 1e-300, 1e308])
def test_a_ridiculous_repetition_penalty_still_draws(penalty):
    rules = Rules(repetition_penalty=penalty)
    token = sampling.choose(np.array([[1e3, -1e3, 5.0]]), [[0, 1]], rules, [np.random.default_rng(0)])
    assert 0 <= token[0] < 3


@pytest.mark.parametrize("temperature", [5e-324, 1e-40, 1e-3])
def test_a_tiny_temperature_is_greedy(temperature):
    logits = LOGITS[None].astype(np.float32)
    assert sampling.choose(logits, [[]], Rules(temperature), [np.random.default_rng(0)])[0] == LOGITS.argmax()


def test_greedy_sees_the_repetition_penalty():
    assert sampling.choose(LOGITS[None], [[4]], Rules(0.0, repetition_penalty=3.0), [None])[0] == 9


@slow_machine
@given(scores)
def test_log_probabilities_are_those_of_the_whole_vocabulary(row):
    p = np.array([math.exp(score - row.max()) for score in row[0]])
    expected = np.log(p / math.fsum(p))
    tokens = np.arange(row.shape[1])
    got = sampling.log_probabilities(np.repeat(row, row.shape[1], 0).astype(np.float32), tokens)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("temperature", [-0.1, math.nan, math.inf, "hot", None, True]),
        ("top_k", [-1, 2.0, math.nan, "5", True]),
        ("top_p", [0, -0.1, 1.01, math.nan, "1", True]),
        ("min_p", [-0.1, 1.01, math.nan, "0"]),
        ("repetition_penalty", [0, -1, math.nan, math.inf, "1"]),
    ],
)
def test_settings_outside_their_range_are_refused_by_name(setting, values):
    for value in values:
        with pytest.raises(InputError, match=rf"^{setting} must be .*{value!r}$"):
            Rules(**{setting: value})


def test_numpy_numbers_are_numbers():
    Rules(np.float32(0.5), np.int64(3), np.float64(0.9), np.float32(0.1), np.float64(1.1))


def test_a_bias_comes_before_all_other_rules():
    scores = LOGITS[None]
    biased = sampling.add_bias(scores, {4: -100.0, 5: 7.5})
    assert (biased - scores)[0].nonzero()[0].tolist() == [4, 5]
    assert (biased[0, 4], biased[0, 5]) == (3.1 - 100, 5.5)
    assert scores[0, 4] == 3.1  # what is given is not written to
    assert sampling.choose(scores, [[]], Rules(temperature=0, logit_bias={5: 7.5}), []) == [5]
    # 5.5 of the bias is halved by the penalty, to below 3.1: were the penalty first, -2.0 would be doubled, to 3.5
    penalised = Rules(temperature=0, logit_bias={5: 7.5}, repetition_penalty=2.0)
    assert sampling.choose(scores, [[5]], penalised, []) == [4]


@pytest.mark.parametrize("bias", [3, [1], "1=2", {"a": 1}, {1: "x"}, {1: math.inf}, {-1: 1}, {1.5: 1}, {1: 10**400}])
def test_a_bias_that_is_none(bias):
    with pytest.raises(InputError, match="logit_bias"):
        Rules(logit_bias=bias)
