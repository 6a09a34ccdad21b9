"""Beams of a Transformer: against all translations there are, greedy ones, no cache, and other batches."""

import math
from itertools import product

import numpy as np
import pytest

from numgpt import InputError, Transformer, TransformerConfig, translate, translate_beams
from numgpt.generation import translation_beams
from numgpt.generation.search import search
from numgpt.generation.translation import longest
from numgpt.model.transformer import BEGIN, END, TransformerCache

SOURCES = [[5, 3, 9, 4], [7], [6, 6], [8, 3, 4, 5, 9, 12, 3], [16]]


def make_model(seed, vocab=17, norm_first=True):
    config = TransformerConfig(vocab, 12, 3, 10, 2, norm_first, final_norm=norm_first)
    model = Transformer(config, seed, "float64")
    model.values *= 2  # some texts end, others are cut off
    return model


def logprobs_of(model, source, written):
    """(tokens, V): log p of what follows each beginning of `written`, everything computed anew."""
    logits = model.forward([source], [[BEGIN, *written]])[0]
    logits[:, [0, 1]] = -np.inf
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def exhaustive(model, source, limit, penalty):
    """(score, ids without marks) of every translation, the best first, by reading each whole."""
    found = []
    for n in range(1, limit + 1):
        for ids in product(range(END, model.config.vocab), repeat=n):
            if END not in ids[:-1] and (ids[-1] == END or n == limit):
                logprobs = logprobs_of(model, source, ids[:-1])
                total = math.fsum(logprobs[i, token] for i, token in enumerate(ids))
                found.append((total / n**penalty, [i for i in ids if i != END]))
    return sorted(found, key=lambda pair: -pair[0])


@pytest.mark.parametrize("seed", range(100))
def test_with_beams_enough_it_finds_what_trying_all_translations_finds(seed, monkeypatch):
    """Two sources in a batch, of different lengths and with different limits."""
    monkeypatch.setattr(translation_beams, "longest", lambda n: 1 + n)
    rng = np.random.default_rng(seed)
    model = make_model(seed, vocab=6, norm_first=seed % 2 == 0)
    sources = [rng.integers(3, 6, n).tolist() for n in (2, 1)]
    penalty = [1.0, 0.0, -0.7, 2.0][seed % 4]
    expected = [exhaustive(model, source, 1 + len(source), penalty) for source in sources]
    found = translate_beams(model, sources, max(map(len, expected)), penalty)
    for beams, texts in zip(found, expected, strict=True):
        assert [beam.ids for beam in beams] == [ids for _, ids in texts]
        np.testing.assert_allclose([beam.score for beam in beams], [score for score, _ in texts], rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_the_cache_follows_the_beams_of_ragged_texts(seed):
    """The same search, each text read by itself again at every step."""
    model = make_model(seed)
    for source, beams in zip(SOURCES, translate_beams(model, SOURCES, 3, 0.8), strict=True):
        rows = [[]]

        def read(source, rows):
            return np.array([logprobs_of(model, source, ids)[-1] for ids in rows])

        def advance(parents, tokens, source=source, rows=rows):
            rows[:] = [[*rows[p], t] for p, t in zip(parents.tolist(), tokens.tolist(), strict=True)]
            return read(source, rows)

        (expected,) = search(read(source, rows), advance, 3, longest(len(source)), 0.8, [END])
        assert [beam.ids for beam in beams] == [[i for i in beam.ids if i != END] for beam in expected]
        np.testing.assert_allclose([b.score for b in beams], [b.score for b in expected], rtol=0, atol=1e-12)
        np.testing.assert_allclose([b.logprob for b in beams], [b.logprob for b in expected], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_a_text_gets_alone_and_in_any_batch_the_same(seed, monkeypatch):
    model = make_model(seed)
    expected = [translate_beams(model, [source], 4)[0] for source in SOURCES]
    for most in 1, 12, 40, 4000:
        monkeypatch.setattr(translation_beams, "BATCH_TOKENS", most)
        for order in range(5), [3, 0, 4, 2, 1], [2, 2, 3]:
            found = translate_beams(model, [SOURCES[i] for i in order], 4)
            for beams, i in zip(found, order, strict=True):
                assert [beam.ids for beam in beams] == [beam.ids for beam in expected[i]]
                np.testing.assert_allclose([b.score for b in beams], [b.score for b in expected[i]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_one_beam_is_greedy(seed):
    model = make_model(seed)
    for (beam,), (ids, logprobs) in zip(translate_beams(model, SOURCES, 1), translate(model, SOURCES), strict=True):
        assert beam.ids == ids
        assert beam.logprob == pytest.approx(sum(logprobs), abs=1e-12)
        assert beam.score == pytest.approx(sum(logprobs) / len(logprobs), abs=1e-12)


def test_more_beams_find_what_is_likelier():
    gains = []
    for seed in range(10):
        model = make_model(seed)
        few, many = ([b[0].score for b in translate_beams(model, SOURCES, n, 0.0)] for n in (1, 8))
        gains += np.subtract(many, few).tolist()
    assert min(gains) > -1e-12
    assert max(gains) > 0.1


@pytest.mark.parametrize("rows", [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 1, 2], [1], [0, 0, 1, 1, 2, 2], [2, 2, 0]])
def test_a_cache_in_another_order_remembers_both_texts_of_those_rows(rows):
    """As many rows as before do not mean that they read the same texts."""
    model = make_model(1)
    sources, written = [[5, 3, 9], [7, 0, 0], [6, 6, 0]], [[4, 8], [9, 3], [12, 5]]
    cache = TransformerCache(model, sources)
    model.decode([[BEGIN, *ids] for ids in written], cache)
    for order in rows, range(len(rows)), range(len(rows))[::-1]:
        cache.choose(list(order))
    chosen = rows[::-1]
    found = model.decode([[7]] * len(chosen), cache)
    expected = [model.forward([[i for i in sources[r] if i]], [[BEGIN, *written[r], 7]])[0, -1] for r in chosen]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_nothing_to_translate():
    assert translate_beams(make_model(0), [], 4) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_beams": 0}, "n_beams must be at least 1"),
        ({"n_beams": 1.5}, "n_beams must be a whole number"),
        ({"n_beams": 10**12}, "a search with 1000000000000 beams takes"),
        ({"length_penalty": math.inf}, "length_penalty must be"),
        ({"sources": [[5], []]}, "a source must have at least one token"),
        ({"sources": [[5], [17]]}, "src"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(InputError, match=message):
        translate_beams(**{"model": make_model(0), "sources": SOURCES} | arguments)
