"""Ids, documents and what is learnt of them; windows that stay within one; the loss that comes of it."""

import numpy as np
import pytest

from numgpt import GPT, GPTConfig
from numgpt.tokenizer.bpe import END_OF_TEXT
from numgpt.tokenizer.trainer import train_bpe
from numgpt.training.documents import Document
from numgpt.training.evaluate import HeldOut
from numgpt.training.language import batches_of
from numgpt.training.part import Part, part_of_documents, part_of_tokens, spans_between
from numgpt.training.settings import Settings
from numgpt.training.trainer import Trainer
from numgpt.training.windows import DocumentWindows, Windows, windows_of

CONFIG = GPTConfig(n_vocab=40, n_ctx=8, n_embd=12, n_head=3, n_layer=2)
END = 39
# Three prompts (ids from 0, 10, 20 on) with completions, each after END and with one at its end.
PAIRS = Part(
    np.array([END, 0, 1, 2, 3, END, 10, 11, 12, 13, 14, 15, END, 20, 21, END]),
    np.array([[0, 6], [5, 13], [12, 16]]),
    np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1], np.uint8),
)


def settings(**changed):
    return Settings(**{"context": 6, "batch_size": 4, "warmup": 0, "lr": 1e-2, "min_lr": 1e-2, "clip": 0.0, **changed})


def trainer_of(model, part, settings):
    return Trainer(model, batches_of(part, settings), settings)


def hand_made_loss(model, ids, first):
    """-log p of ids[first:], each after those before it, in nats: the formula, row by row, without targets or masks."""
    logits = model.forward(np.array([ids[:-1]]))[0][first - 1 :]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return [-np.log(row[token]) for row, token in zip(p, ids[first:], strict=True)]


PROMPTS = [([END, 0, 1, 2, 3, END], 3), ([END, 10, 11, 12, 13, 14, 15, END], 4), ([END, 20, 21, END], 2)]


def test_the_loss_on_completions_alone():
    """That of a held-out part, and of a batch, is the mean of -log p over the completions, computed by hand."""
    model = GPT(CONFIG, seed=3, dtype="float64")
    model.values *= 8
    losses = [loss for ids, first in PROMPTS for loss in hand_made_loss(model, ids, first)]
    assert len(losses) == 3 + 4 + 2 == PAIRS.n_targets
    found = HeldOut(PAIRS, 8, 2, 0, None).loss(model)
    assert found.tokens == 9
    assert found.nats == pytest.approx(sum(losses), abs=1e-12)
    ids, targets = PAIRS.rows(PAIRS.documents)
    assert model.loss(ids, targets) == pytest.approx(np.mean(losses), abs=1e-13)


def test_the_gradient_of_completions_alone():
    """It is the difference quotient of the loss that is computed by hand, along random directions."""
    model = GPT(CONFIG, seed=3, dtype="float64")
    model.values *= 8
    model.zero_grad()
    model.loss(*PAIRS.rows(PAIRS.documents))
    model.backward()
    rng = np.random.default_rng(0)
    start = model.values.copy()
    for _ in range(3):
        direction, h, sides = rng.normal(size=start.size), 1e-5, []
        direction /= np.linalg.norm(direction)
        for sign in 1, -1:
            model.values[...] = start + sign * h * direction
            sides.append(np.mean([loss for ids, first in PROMPTS for loss in hand_made_loss(model, ids, first)]))
        quotient = (sides[0] - sides[1]) / (2 * h)
        assert quotient == pytest.approx(model.grads @ direction, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("part", [PAIRS, PAIRS._replace(counts=None)], ids=["pairs", "texts"])
@pytest.mark.parametrize("context", [1, 3, 6, 8])
def test_nothing_is_predicted_from_another_document(part, context):
    """Whatever another document holds, no loss of a window changes; and each id that is learnt comes as a target."""
    windows = DocumentWindows(part, 5, context, np.random.default_rng(0))
    of_document = {token: d for d, (begin, end) in enumerate(part.documents) for token in part.ids[begin + 1 : end - 1]}
    seen = set()
    for _ in range(100):
        for ids, targets in zip(*windows.draw(), strict=True):
            last = np.flatnonzero(targets != -1)[-1]
            here = {of_document[token] for token in [*ids[: last + 1], *targets[: last + 1]] if token in of_document}
            assert len(here) == 1
            assert END not in ids[1 : last + 1]
            assert ids.shape[0] <= context
            read = [*ids[: last + 1], targets[last]]
            begins = [i for i in range(len(part.ids)) if part.ids[i : i + len(read)].tolist() == read]
            assert len(begins) == 1
            places = begins[0] + 1 + np.flatnonzero(targets != -1)
            assert part.ids[places].tolist() == targets[targets != -1].tolist()
            seen |= set(places.tolist())
    assert seen == {i for i in range(1, 16) if part.counts is None or part.counts[i]}


def test_a_document_that_fits_is_read_from_its_beginning():
    windows = DocumentWindows(PAIRS, 50, 8, np.random.default_rng(1))
    assert windows.shape == (50, 7)
    ids, targets = windows.draw()
    assert ids.shape == (50, 7)
    assert (ids[:, 0] == END).all()
    assert {tuple(row[row != -1].tolist()) for row in targets} == {(2, 3, END), (13, 14, 15, END), (21, END)}


def test_a_long_document_is_read_evenly():
    """Windows of 4 in a document of 40: no place is a target half as often, or half again as often, as most."""
    part = Part(np.concatenate([np.arange(40), [50, 51]]), np.array([[0, 40], [40, 42]]))
    windows = DocumentWindows(part, 4000, 4, np.random.default_rng(2))
    n = np.bincount(windows.draw()[1].ravel() + 1, minlength=52)[2:41]
    assert n.min() > 0.5 * np.median(n)
    assert n.max() < 1.5 * np.median(n)


def test_one_text_is_drawn_as_ever():
    text = Part(np.arange(100))
    assert type(windows_of(text, 3, 8, None)) is Windows
    starts = np.random.default_rng(7).integers(0, 92, 3)
    ids, targets = windows_of(text, 3, 8, np.random.default_rng(7)).draw()
    assert np.array_equal(ids, starts[:, None] + np.arange(8))
    assert np.array_equal(targets, ids + 1)


def test_accumulated_batches_weigh_what_is_learnt_in_them():
    """Batches of different numbers of targets make the step of the one large batch that holds them all."""
    one = trainer_of(GPT(CONFIG, dtype="float64"), PAIRS, settings(accumulate=4, batch_size=1, seed=1))
    large = trainer_of(GPT(CONFIG, dtype="float64"), PAIRS, settings())
    draws = [one.batches.draw() for _ in range(4)]
    n = [int((targets != -1).sum()) for _, targets in draws]
    assert len(set(n)) > 1
    assert n[0] != n[-1]
    width = max(ids.shape[1] for ids, _ in draws)
    ids, targets = (
        np.concatenate([np.pad(d[k], ((0, 0), (0, width - d[k].shape[1])), constant_values=-k) for d in draws])
        for k in (0, 1)
    )
    large.batches.draw = lambda: (ids, targets)
    one.batches.draw = iter(draws).__next__
    loss, expected = one.accumulate_gradients(), large.accumulate_gradients()
    assert abs(loss - expected) < 1e-14
    np.testing.assert_allclose(one.model.grads, large.model.grads, rtol=0, atol=1e-15)
    assert one.tokens_read == sum(ids.size for ids, _ in draws)


@pytest.mark.parametrize(("context", "batch_size", "max_batches"), [(8, 2, 0), (3, 2, 0), (1, 4, 0), (3, 1, 2)])
@pytest.mark.parametrize("part", [PAIRS, PAIRS._replace(counts=None)], ids=["pairs", "texts"])
def test_each_held_out_id_is_predicted_once(part, context, batch_size, max_batches):
    held_out = HeldOut(part, context, batch_size, max_batches, None)
    found = [pair for ids, targets in held_out.windows() for pair in zip(ids.ravel(), targets.ravel(), strict=True)]
    found = sorted((int(i), int(t)) for i, t in found if t != -1)
    every = sorted(
        (int(part.ids[t - 1]), int(part.ids[t]))
        for begin, end in part.documents
        for t in range(begin + 1, end)
        if part.counts is None or part.counts[t]
    )
    assert held_out.n_tokens == len(found)
    assert found == every if not max_batches else set(found) < set(every)


def test_characters_of_what_is_learnt():
    tokenizer = train_bpe("a", 257)
    documents = [Document("\u00e4b", "prompt"), Document("cde", "\u00f6"), Document("f")]
    part = part_of_documents(documents, tokenizer.encode, tokenizer.end_of_text, True, True)
    for context in 2, 16:
        assert HeldOut(part, context, 2, 0, tokenizer).n_characters == 6


def encoded(documents, is_apart=True, is_lines=False, end=True):
    """The Part of texts whose tokens are bytes, END_OF_TEXT being 256."""
    tokenizer = train_bpe("a", 257)
    raw = [tokenizer.encode(chr(i))[0] for i in range(128)]

    def encode(text):
        ids = tokenizer.encode(text, allowed_special={END_OF_TEXT} if end else set())
        return [raw.index(i) if i in raw else i for i in ids]

    documents = [Document(*document) if isinstance(document, tuple) else Document(document) for document in documents]
    return part_of_documents(documents, encode, 256 if end else None, is_apart, is_lines)


def test_documents_lie_between_ends_of_text():
    part = encoded(["ab", "c"])
    assert part.ids.tolist() == [256, 97, 98, 256, 99, 256]
    assert part.documents.tolist() == [[0, 4], [3, 6]]
    assert part.counts is None
    assert part.n_targets == 5


def test_documents_without_an_end_of_text():
    part = encoded(["ab", "c", "de"], end=False)
    assert part.ids.tolist() == [97, 98, 99, 100, 101]
    assert part.documents.tolist() == [[0, 2], [2, 3], [3, 5]]
    assert part.n_targets == 2
    seen = {row.tobytes() for row in DocumentWindows(part, 50, 4, np.random.default_rng(0)).draw()[1]}
    assert seen == {np.array([98]).tobytes(), np.array([101]).tobytes()}


def test_prompts_are_not_learnt():
    part = encoded([("b", "a"), ("de", "")], is_lines=True)
    assert part.ids.tolist() == [256, 97, 98, 256, 100, 101, 256]
    assert part.counts.tolist() == [0, 0, 1, 1, 1, 1, 1]
    part = encoded([("b", "a"), ("de", "c"), ("fg", "")], is_lines=True, end=False)
    assert part.ids.tolist() == [97, 98, 99, 100, 101, 102, 103]
    assert part.counts.tolist() == [0, 1, 0, 1, 1, 0, 1]
    assert part.documents.tolist() == [[0, 2], [2, 5], [5, 7]]


def test_an_end_of_text_within_a_document():
    text = f"ab{END_OF_TEXT}c"
    assert encoded([text], is_apart=False).documents.tolist() == [[0, 3], [2, 4]]
    assert encoded([text, "d"]).documents.tolist() == [[0, 4], [3, 6], [5, 8]]
    lines = encoded([text, f"d{END_OF_TEXT}"], is_lines=True)
    assert lines.ids.tolist() == [256, 97, 98, 256, 99, 256, 100, 256]
    assert lines.documents.tolist() == [[0, 6], [5, 8]]


def test_one_text_is_no_documents():
    for text in "abc", f"abc{END_OF_TEXT}":
        assert encoded([text], is_apart=False).documents is None
    assert part_of_tokens(np.arange(9), None).documents is None
    assert spans_between(np.array([256, 256, 1, 256, 256]), 256).tolist() == [[0, 2], [1, 4], [3, 5]]


def test_joined():
    assert PAIRS._replace(counts=None).joined() == (PAIRS.ids, None, None)
    joined = PAIRS.joined()
    assert joined.documents.tolist() == [[0, 16]]
    targets = DocumentWindows(joined, 200, 6, np.random.default_rng(0)).draw()[1]
    assert set(targets[targets != -1].tolist()) == {2, 3, END, 13, 14, 15, 21}
    assert any({15, 21} <= set(row) for row in targets.tolist())
