"""The rules against those of the transformers library, rule by rule and in its order."""

import numpy as np
import pytest

from numgpt.generation import sampling

torch = pytest.importorskip("torch")
process = pytest.importorskip("transformers.generation.logits_process")

ROWS = [[3, 3, 17, 0], [5]]


def rules_and_warpers():
    ours, theirs = sampling, process
    return {
        "repetition_penalty": (
            lambda scores: ours.penalise_repetition(scores, ROWS, 1.3),
            theirs.RepetitionPenaltyLogitsProcessor(1.3),
        ),
        "temperature": (lambda scores: ours.temper(scores, 0.7), theirs.TemperatureLogitsWarper(0.7)),
        "top_k": (lambda scores: ours.keep_top_k(scores, 9), theirs.TopKLogitsWarper(9)),
        "top_p": (lambda scores: ours.keep_top_p(scores, 0.8), theirs.TopPLogitsWarper(0.8)),
        "min_p": (lambda scores: ours.keep_min_p(scores, 0.15), theirs.MinPLogitsWarper(0.15)),
    }


def probabilities(scores):
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def compare(scores, names):
    """Apply the named rules one after the other on both sides, to (2, V) scores."""
    mine, other = scores, torch.tensor(scores)
    for name in names:
        rule, warper = rules_and_warpers()[name]
        mine = rule(mine)
        ids = [torch.tensor([row]) for row in ROWS]  # one row at a time: theirs takes no ragged batch
        other = torch.cat([warper(ids[b], other[b : b + 1]) for b in range(2)])
    assert np.array_equal(np.isinf(mine), np.isinf(other.numpy()))
    np.testing.assert_allclose(probabilities(mine), probabilities(other.numpy()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", rules_and_warpers())
@pytest.mark.parametrize("seed", range(5))
def test_each_rule_alone(name, seed):
    compare(np.random.default_rng(seed).standard_normal((2, 40)) * 2, [name])


@pytest.mark.parametrize("seed", range(10))
def test_all_rules_in_order(seed):
    compare(np.random.default_rng(seed).standard_normal((2, 40)) * 2, list(rules_and_warpers()))


def test_top_k_keeps_ties_as_theirs_does():
    compare(np.array([[1.0, 2.0] * 20, [3.0] * 40]), ["top_k"])
