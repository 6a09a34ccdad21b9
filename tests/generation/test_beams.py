"""Beam search: against all texts there are, against transformers', and against itself without a cache."""

import json
import math
from itertools import product

import numpy as np
import pytest

import numgpt
from numgpt import InputError
from numgpt.generation.batch import Batch
from numgpt.generation.beams import in_order
from numgpt.generation.loop import prefill
from numgpt.generation.search import search

STOP = 3


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def make_model(seed, n_vocab=4, n_ctx=8):
    model = numgpt.GPT(numgpt.GPTConfig(n_vocab, n_ctx, n_embd=8, n_head=2, n_layer=1), seed=seed, dtype="float64")
    model.values *= 15  # far from uniform
    return model


def all_texts(n_vocab, stop_ids, longest):
    """Every text that can be added: up to its first stop id, or `longest` tokens."""
    for n in range(1, longest + 1):
        for ids in product(range(n_vocab), repeat=n):
            inside = not set(ids[:-1]) & set(stop_ids)
            if inside and (ids[-1] in stop_ids or n == longest):
                yield list(ids)


def exhaustive(model, prompt, stop_ids, longest, penalty):
    """(score, ids) of every text, the best first, by reading each whole."""
    found = []
    for ids in all_texts(model.config.n_vocab, stop_ids, longest):
        logprobs = log_softmax(model.forward([prompt + ids[:-1]])[0])
        total = math.fsum(logprobs[len(prompt) - 1 + i, token] for i, token in enumerate(ids))
        found.append((total / len(ids) ** penalty, ids))
    return sorted(found, key=lambda pair: -pair[0])


@pytest.mark.parametrize("seed", range(100))
def test_with_beams_enough_it_finds_what_trying_all_texts_finds(seed):
    rng = np.random.default_rng(seed)
    model = make_model(seed)
    prompt = rng.integers(0, 4, rng.integers(1, 4)).tolist()
    stop_ids = [[STOP], [], [1, STOP]][seed % 3]
    penalty = [1.0, 0.0, -0.7, 2.0][seed % 4]
    longest = 3
    expected = exhaustive(model, prompt, stop_ids, longest, penalty)
    (beams,) = numgpt.beam_search(
        model, [prompt], len(expected), longest, length_penalty=penalty, stop_ids=stop_ids or None
    )
    assert [beam.ids for beam in beams] == [ids for _, ids in expected]
    np.testing.assert_allclose([beam.score for beam in beams], [score for score, _ in expected], rtol=0, atol=1e-10)


def test_few_beams_can_miss_the_best_that_more_find():
    """Or else the test above would say nothing: on some seeds one beam loses."""
    lost = 0
    for seed in range(30):
        model = make_model(seed)
        few, many = (
            numgpt.beam_search(model, [[1]], n, 3, length_penalty=0, stop_ids=STOP)[0][0].score for n in (1, 64)
        )
        assert few <= many + 1e-12
        lost += few < many
    assert lost > 0


def check(found, expected, rel=1e-5):
    """Beams against transformers' [ids, score], whose scores are float32."""
    assert [beam.ids for beam in found] == [ids for ids, _ in expected]
    assert [beam.score for beam in found] == pytest.approx([score for _, score in expected], rel=rel)


def test_transformers_golden_searches(golden):
    model, _ = numgpt.load(golden / "tiny-gpt2" / "hf", dtype="float64")
    cases = json.loads((golden / "generation" / "beams.json").read_text("utf-8"))
    for case in cases:
        prompts, expected = case.pop("prompts"), case.pop("found")
        for found, row in zip(numgpt.beam_search(model, prompts, **case), expected, strict=True):  # all in one batch
            check(found, row)


SEARCHES = [
    {"n_beams": 4, "max_new_tokens": 20},
    {"n_beams": 3, "max_new_tokens": 20, "stop_ids": [13], "length_penalty": 0.0},
    {"n_beams": 5, "max_new_tokens": 20, "stop_ids": [13, 198], "length_penalty": 1.5, "min_new_tokens": 4},
    {"n_beams": 4, "max_new_tokens": 20, "stop_ids": [198], "length_penalty": -0.5, "no_repeat_ngram_size": 2},
]


@pytest.mark.parametrize("settings", SEARCHES, ids=range(len(SEARCHES)))
def test_transformers_on_the_shared_model(settings, shared):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = shared / "oracles" / "mini-gpt2"
    model, _ = numgpt.load(folder / "hf", dtype="float64")
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder / "hf").double().eval()
    greedy = json.loads((folder / "expected.json").read_text("utf-8"))["greedy"]
    prompts = [case["prompt_ids"] for case in greedy[:3]]
    asked = dict(settings)
    n, stop_ids = asked.pop("n_beams"), asked.pop("stop_ids", None)
    for prompt, found in zip(prompts, numgpt.beam_search(model, prompts, **settings), strict=True):
        out = theirs.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            num_beams=n,
            num_return_sequences=n,
            eos_token_id=stop_ids,
            pad_token_id=0,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            **asked,
        )
        rows = [until(row[len(prompt) :].tolist(), stop_ids or []) for row in out.sequences]
        penalty = settings.get("length_penalty", 1.0)
        check(found, [(row, score_in_float64(theirs, prompt, row, penalty)) for row in rows], rel=1e-9)


def score_in_float64(theirs, prompt, ids, penalty):
    """The score by their model, but not in the float32 of their search, which has 4e-6 of a logit around 60."""
    logprobs = theirs(input_ids=theirs.dummy_inputs["input_ids"].new_tensor([prompt + ids])).logits[0].log_softmax(-1)
    return sum(logprobs[len(prompt) - 1 + i, token].item() for i, token in enumerate(ids)) / len(ids) ** penalty


def until(ids, stop_ids):
    """ids up to the first that ends the text, which what follows only pads."""
    ends = [i for i, token in enumerate(ids) if token in stop_ids]
    return ids[: ends[0] + 1] if ends else ids


def uncached(model, prompts, n_beams, longest, stop_ids):
    """The same search, each text read again at every step: its window as `generate` documents it."""
    n_ctx = model.config.n_ctx
    rows = [(list(prompt), len(prompt)) for prompt in prompts]  # ids, how many are read

    def read():
        return np.array([log_softmax(model.forward([ids[-size:]])[0, -1]) for ids, size in rows])

    def advance(parents, tokens):
        rows[:] = [
            ([*rows[p][0], token], rows[p][1] + 1 if rows[p][1] < n_ctx else max(1, n_ctx // 2))
            for p, token in zip(parents.tolist(), tokens.tolist(), strict=True)
        ]
        return read()

    return search(read(), advance, n_beams, longest, 1.0, stop_ids)


@pytest.mark.parametrize("seed", range(6))
def test_the_cache_follows_the_beams_while_texts_end_and_windows_slide(seed):
    rng = np.random.default_rng(seed)
    model = make_model(seed, n_vocab=13, n_ctx=6)
    prompts = [rng.integers(0, 13, n).tolist() for n in (2, 6, 1, 4)]
    expected = uncached(model, prompts, 3, 15, [STOP])
    found = numgpt.beam_search(model, prompts, 3, 15, stop_ids=STOP)
    for ours, theirs in zip(found, expected, strict=True):
        assert [beam.ids for beam in ours] == [beam.ids for beam in theirs]
        np.testing.assert_allclose([b.score for b in ours], [b.score for b in theirs], rtol=0, atol=1e-10)


@pytest.mark.parametrize("rows", [[0, 1, 2], [1, 1, 2], [2, 1, 0], [1], [2, 2], [0, 0, 1, 1, 2, 2], [1, 2, 1, 2]])
def test_a_cache_in_another_order_remembers_those_rows(rows):
    model = make_model(1, n_vocab=13)
    prompts = [[1, 2, 3], [4], [5, 6]]
    batch = Batch(prompts)
    _, cache = prefill(model, batch.ids, batch.lengths)
    ordered = in_order(cache, model, np.array(rows))
    found = model.next_logits([[7]] * len(rows), ordered)
    np.testing.assert_allclose(found, [model.forward([[*prompts[r], 7]])[0, -1] for r in rows], rtol=0, atol=1e-10)


def test_enough_continuations_are_looked_at_for_all_beams_to_go_on():
    """Of the four likeliest tokens three end the text; both beams go on nevertheless, and only one text ends."""
    first, asked = np.log([[0.4, 0.2, 0.15, 0.12, 0.08, 0.05]]), []

    def advance(parents, tokens):
        asked.append((parents.tolist(), tokens.tolist()))
        return first[parents * 0]

    (beams,) = search(first, advance, 2, 2, 0.0, [1, 2, 3])
    assert asked == [([0, 0], [0, 4])]
    assert [beam.ids for beam in beams] == [[1], [0, 0]]


def test_a_prompt_gets_alone_what_it_gets_in_a_batch():
    model = make_model(2, n_vocab=13)
    prompts = [[1, 2, 3, 4], [5], [6, 7]]
    together = numgpt.beam_search(model, prompts, 4, 6, stop_ids=[STOP, 5])
    alone = [numgpt.beam_search(model, [prompt], 4, 6, stop_ids=[STOP, 5])[0] for prompt in prompts]
    assert [[beam.ids for beam in row] for row in together] == [[beam.ids for beam in row] for row in alone]


def test_one_beam_is_greedy():
    model = make_model(4, n_vocab=13)
    out = numgpt.generate(model, [[1, 2]], 9, temperature=0, stop_ids=STOP)[0, 2:].tolist()
    assert numgpt.beam_search(model, [[1, 2]], 1, 9, stop_ids=STOP)[0][0].ids == out


def test_scores_are_means_that_generate_would_report():
    model = make_model(1, n_vocab=13)
    (beams,) = numgpt.beam_search(model, [[1, 2]], 3, 5)
    logprobs = log_softmax(model.forward([[1, 2, *beams[0].ids[:-1]]])[0])
    total = sum(logprobs[1 + i, token] for i, token in enumerate(beams[0].ids))
    assert beams[0].logprob == pytest.approx(total, abs=1e-10)
    assert beams[0].score == pytest.approx(total / 5, abs=1e-10)


def test_rows_beyond_the_tokenizer_are_never_chosen_and_have_no_share():
    model = make_model(1, n_vocab=13)
    model.n_tokens = 7
    (beams,) = numgpt.beam_search(model, [[1, 2]], 4, 1)
    logprobs = log_softmax(model.forward([[1, 2]])[0, -1, :7])
    assert [beam.ids[0] for beam in beams] == np.argsort(-logprobs)[:4].tolist()
    assert beams[0].logprob == pytest.approx(logprobs.max(), abs=1e-10)


def test_more_beams_than_texts_gives_all_of_them():
    (beams,) = numgpt.beam_search(make_model(1), [[1]], 50, 1)
    assert sorted(beam.ids for beam in beams) == [[0], [1], [2], [3]]


def test_rules_that_leave_no_token():
    assert len(numgpt.beam_search(make_model(1), [[1]], 3, 3, no_repeat_ngram_size=1)[0]) == 3
    with pytest.raises(InputError, match="no token is left to choose"):
        numgpt.beam_search(make_model(1), [[1]], 3, 4, no_repeat_ngram_size=1)


def test_no_new_tokens():
    assert numgpt.beam_search(make_model(1), [[1], [2, 3]], 2, 0) == [[([], 0.0, 0.0)]] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_beams": 0}, "n_beams must be at least 1"),
        ({"n_beams": 1.5}, "n_beams must be a whole number"),
        ({"max_new_tokens": -1}, "max_new_tokens must be"),
        ({"length_penalty": math.nan}, "length_penalty must be"),
        ({"length_penalty": 11}, "length_penalty must be at least -10 and at most 10"),
        ({"stop_ids": 99}, "stop_ids"),
        ({"ids": [[]]}, "at least one token"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(InputError, match=message):
        numgpt.beam_search(**{"model": make_model(1), "ids": [[1]]} | arguments)


def test_rules_of_drawing_are_none_of_its():
    with pytest.raises(TypeError, match="'temperature' is not a rule of beam search; the rules are logit_bias"):
        numgpt.beam_search(make_model(1), [[1]], temperature=1)
