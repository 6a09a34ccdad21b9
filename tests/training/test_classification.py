"""A Classifier's run: labelled lines, batches, accuracy, and that a run which stops goes on bit for bit."""

import numpy as np
import pytest

from numgpt.errors import InputError
from numgpt.generation.classification import classify
from numgpt.loading import load_classifier
from numgpt.training import metrics, session
from numgpt.training.labelled_batches import HeldOutTexts, LabelledBatches, LabelledPart
from numgpt.training.loop import train
from numgpt.training.presets import choose
from numgpt.training.translation import part_of_pairs
from translation import TINY_RUN

TINY = {**TINY_RUN, "task": "classify"}
TEXTS = [([5 + n % 7] * (1 + n % 9), [n % 2]) for n in range(200)]
WORDS = ["the", "a", "and", "so", "then", "but", "still", "here", "there", "now", "very", "quite"]


@pytest.fixture
def tsv(tmp_path):
    """Sixty texts, every third on two lines."""
    path = tmp_path / "labelled.tsv"
    lines = [f"{n} and {n}\t{'even' if n % 2 == 0 else 'odd'}\n" * (1 + (n % 3 == 0)) for n in range(60)]
    path.write_text("".join(lines), "utf-8")
    return path


@pytest.fixture
def begin_labelled(tmp_path, tsv):
    """A function: a new Session in the folder `name`."""

    def begin(name="run", val_data=None, **changed):
        return session.begin(tmp_path / name, tsv, choose(None, {**TINY, **changed}), val_data=val_data)

    return begin


def order_task(rng, n, seen=()):
    """2 n lines, in pairs: a text with both salt and sugar in it, and the same with the two exchanged.

    The label is which of them comes first. No text of a pair is in `seen`.
    """
    lines = []
    while len(lines) < 2 * n:
        words = rng.choice(WORDS, rng.integers(4, 9)).tolist()
        first, second = sorted(rng.choice(len(words), 2, replace=False))
        for label, other in ("salt", "sugar"), ("sugar", "salt"):
            words[first], words[second] = label, other
            lines.append((" ".join(words), f"{label} first"))
        if set(seen) & set(lines[-2:]):
            del lines[-2:]
    return lines


def test_order_is_learnt_which_a_bag_of_words_does_not_show(tmp_path, quiet):
    """Of each pair both texts are the same bag, and only one has the label that is given for it: a bag is at chance."""
    rng = np.random.default_rng(0)
    learnt = order_task(rng, 400)
    held_out = order_task(rng, 100, learnt)
    for one, other in zip(held_out[::2], held_out[1::2], strict=True):
        assert sorted(one[0].split()) == sorted(other[0].split())
        assert one[1] != other[1]
    for name, lines in ("train", learnt), ("val", held_out):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in lines))
    sizes = {"n_layer": 2, "n_head": 4, "n_embd": 32, "vocab_size": 320, "batch_tokens": 600, "dropout": 0.0}
    settings = choose(None, {"task": "classify", **sizes, "max_steps": 150, "eval_every": 50, "lr": 3e-3})
    begun = session.begin(tmp_path / "run", tmp_path / "train.tsv", settings, val_data=tmp_path / "val.tsv")
    train(begun, quiet)
    last = quiet.evaluations[-1]
    assert last["val_texts"] == 200
    assert last["accuracy"] >= 0.95
    model, tokenizer = load_classifier(tmp_path / "run")
    found = classify(model, [tokenizer.encode(text) for text, _ in held_out])
    right = [model.labels[int(np.argmax(p))] == label for p, (_, label) in zip(found, held_out, strict=True)]
    assert np.mean(right) >= 0.95
    assert np.allclose(np.sum(found, axis=1), 1)


def test_no_text_is_learnt_and_held_out(begin_labelled):
    begun = begin_labelled()
    parts = begun.trainer.batches.part, begun.held_out.part
    texts = [{tuple(part.text(i, 0)) for i in range(len(part.spans))} for part in parts]
    assert not texts[0] & texts[1]
    assert [len(found) for found in texts] == [54, 6]
    assert sum(len(part.spans) for part in parts) == 80
    assert begun.notice == "Labels: 'even' 40, 'odd' 40."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "labelled.tsv is empty"),
        (b"\n \n", "labelled.tsv is empty: there is no text in it"),
        (b"a\tb\nc\n", "labelled.tsv, line 2: only one column, 'c': a line is a text, a TAB and a label"),
        (b"a\tb\n\tc\n", "labelled.tsv, line 2: the text is empty"),
        (b"a\t \n", "labelled.tsv, line 1: the label is empty"),
        (b"a\tb\nd\xe9j\xe0\tc\n", "labelled.tsv, line 2: not UTF-8: byte 0xe9"),
        ("a\tb\n".encode("utf-16-le"), "holds NUL bytes"),
        (b"a\tb\na\tc\n", "one text, so none can be held out"),
        (
            b"a\tx\nb\tx\nc\tx\nd\tx\n",
            "labelled.tsv has only one label to train on, 'x': there is nothing to tell apart",
        ),
        (
            b"x\ta\ny\tb\nx\tc\ny\td\nz\te\n",
            "labels for . texts to train on, .* a text, a TAB and its label, in this ord",
        ),
    ],
)
def test_files_that_hold_no_labelled_texts(tsv, begin_labelled, content, reason, tmp_path):
    tsv.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        begin_labelled()
    assert not (tmp_path / "run").exists()


def test_a_label_that_is_held_out_alone(begin_labelled, tmp_path):
    (tmp_path / "val.tsv").write_text("new\todd\nnewer\tneither\n")
    with pytest.raises(InputError, match="no text to train on has the label 'neither', the label of 'newer'"):
        begin_labelled(val_data=tmp_path / "val.tsv")


def test_texts_that_are_too_long(begin_labelled, tsv):
    tsv.write_text(tsv.read_text() + f"{'x y z ' * 50}\todd\n")
    assert "Left out: 1 text with more than --context 90 tokens." in begin_labelled("a", context=90).notice
    with pytest.raises(InputError, match="no text to train on is short enough"):
        begin_labelled("b", context=1)


def batches_of(budget=40):
    return LabelledBatches(LabelledPart(part_of_pairs(TEXTS, 20)), budget, np.random.default_rng(0))


def test_an_epoch_has_every_text_once():
    batches, seen = batches_of(), []
    while batches.drawn < len(batches.epoch) or not seen:
        ids, labels = batches.draw()
        assert ids.size <= 40
        assert batches.count(ids, labels) == (len(ids), np.count_nonzero(ids))
        seen += [([i for i in row if i], [label]) for row, label in zip(ids.tolist(), labels.tolist(), strict=True)]
    assert sorted(seen) == sorted(TEXTS)


@pytest.mark.parametrize("changed", [{}, {"ema": 0.0, "accumulate": 1, "schedule": "inverse-root"}])
def test_a_run_that_stops_is_the_run_that_does_not(begin_labelled, finish, newest, quiet, stop_after, changed):
    straight = finish(begin_labelled("straight", **changed))
    here = begin_labelled("often", **changed)
    while not train(here, quiet, stop_after(5)):
        here = session.resume(here.run, {})
    assert newest(here.run) == straight
    assert here.n_choices == 2
    assert metrics.read(here.run)[-1].keys() >= {"val_loss", "accuracy", "val_texts"}


def test_the_loss_on_what_is_held_out(begin_labelled):
    """Without dropout, by hand, each text by itself."""
    begun = begin_labelled(dtype="float64")
    model, part = begun.trainer.model, begun.held_out.part
    found = begun.held_out.loss(model)
    assert model.training
    model.eval()
    nats, right = 0.0, 0
    for i in range(len(part.spans)):
        logits, label = model.forward([part.text(i, 0)])[0], part.text(i, 1)[0]
        nats -= np.log(np.exp(logits[label]) / np.exp(logits).sum())
        right += logits.argmax() == label
    assert found.nats == pytest.approx(nats, abs=1e-10)
    assert (found.tokens, found.accuracy) == (len(part.spans), right / len(part.spans))
    assert "val_loss_per_character" not in found.figures()


def test_some_of_what_is_held_out(begin_labelled):
    begun = begin_labelled()
    part = LabelledPart(part_of_pairs(TEXTS, 20))
    few = HeldOutTexts(part, 40, 3, begun.tokenizer)
    assert len(few.batches) == 3
    assert few.loss(begun.trainer.model).tokens == few.n_texts < len(TEXTS)


def test_fine_tuning(begin_labelled, finish, tmp_path, tsv):
    finish(begin_labelled("first", ema=0.0))
    changed = {name: TINY[name] for name in ("task", "batch_tokens", "max_steps", "val_fraction")}
    init = str(tmp_path / "first")
    settings = choose(None, {**changed, "init": init}, session.start_config(init, "classify"))
    tuned = session.begin(tmp_path / "tuned", tsv, settings)
    assert np.array_equal(tuned.trainer.model.values, load_classifier(tmp_path / "first")[0].values)
    assert tuned.trainer.model.labels == ("even", "odd")
    finish(tuned)
    tsv.write_text("a\todd\nb\teven\nc\tneither\nd\todd\n")
    with pytest.raises(InputError, match="first has no label 'neither', the label of 'c'"):
        session.begin(tmp_path / "third", tsv, settings)


def test_options_of_the_other_tasks():
    with pytest.raises(InputError, match="--label-smoothing is not for --task classify: leave it out"):
        choose(None, {"task": "classify", "label_smoothing": 0.2})
    with pytest.raises(InputError, match="--batch-tokens is not for --task text"):
        choose(None, {"batch_tokens": 200})
    assert choose("classify", {}) == choose(None, {"task": "classify"})
    assert choose(None, {"task": "translate", "batch_tokens": 200}).batch_tokens == 200
