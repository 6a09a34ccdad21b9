"""The step, and the loop around it."""

import json
import math
import sys

import numpy as np
import pytest

from numgpt import GPT, GPTConfig
from numgpt.errors import InputError
from numgpt.files import newest_checkpoint
from numgpt.training import metrics, plot, session
from numgpt.training.evaluate import HeldOut, token_losses
from numgpt.training.language import batches_of
from numgpt.training.loop import train
from numgpt.training.part import Part
from numgpt.training.presets import PRESETS, choose
from numgpt.training.settings import Settings
from numgpt.training.trainer import Diverged, Trainer

CONFIG = GPTConfig(n_vocab=13, n_ctx=8, n_embd=12, n_head=3, n_layer=2)
TOKENS = np.random.default_rng(0).integers(0, 13, 200)


def settings(**changed):
    return Settings(**{"context": 6, "batch_size": 4, "warmup": 0, "lr": 1e-2, "min_lr": 1e-2, "clip": 0.0, **changed})


def trainer_of(model, part, settings):
    return Trainer(model, batches_of(part, settings), settings)


def test_accumulated_batches_are_one_large_batch():
    one = trainer_of(GPT(CONFIG, dtype="float64"), Part(TOKENS), settings(accumulate=3))
    large = trainer_of(GPT(CONFIG, dtype="float64"), Part(TOKENS), settings())
    draws = [large.batches.draw() for _ in range(3)]
    large.batches.draw = lambda: tuple(np.concatenate(parts) for parts in zip(*draws, strict=True))
    for _ in range(2):  # the second time, gradients are there already
        loss, expected = one.accumulate_gradients(), large.accumulate_gradients()
        assert abs(loss - expected) < 1e-14
        np.testing.assert_allclose(one.model.grads, large.model.grads, rtol=0, atol=1e-15)
        one.batches.rng = np.random.default_rng([0, 1])
    one.step(), large.step()
    np.testing.assert_allclose(one.model.values, large.model.values, rtol=0, atol=1e-9)


def test_a_step_is_what_its_parts_say():
    """Gradient, clipping to length 0.1, AdamW with decay on matrices alone, as the papers have them."""
    trainer = trainer_of(GPT(CONFIG, dtype="float64"), Part(TOKENS), settings(clip=0.1, weight_decay=0.5, lr=0.02))
    twin = GPT(CONFIG, dtype="float64")
    loss = twin.loss(*trainer_of(twin, Part(TOKENS), settings()).batches.draw())
    twin.backward()
    norm = np.linalg.norm(twin.grads)
    g = twin.grads * 0.1 / norm
    decay = np.where(np.arange(g.size) < twin.n_matrix_elements, 0.5, 0)
    expected = twin.values - 0.02 * (g / (np.abs(g) + 1e-8) + decay * twin.values)
    step = trainer.step()
    assert (step.step, step.lr) == (1, 0.02)
    np.testing.assert_allclose((step.loss, step.norm), (loss, norm), rtol=1e-12)
    np.testing.assert_allclose(trainer.model.values, expected, rtol=0, atol=1e-9)


def test_the_learning_rate_follows_the_schedule():
    trainer = trainer_of(GPT(CONFIG), Part(TOKENS), settings(warmup=2, max_steps=4, min_lr=1e-3))
    np.testing.assert_allclose([trainer.step().lr for _ in range(4)], [5e-3, 1e-2, 1e-2, 1e-3])


def test_the_average_of_the_weights():
    trainer = trainer_of(GPT(CONFIG, dtype="float64"), Part(TOKENS), settings(ema=0.3))
    average = trainer.model.values.copy()
    for t in range(1, 6):
        trainer.step()
        decay = min(0.3, (1 + t) / (10 + t))
        average = decay * average + (1 - decay) * trainer.model.values
    np.testing.assert_allclose(trainer.average, average, rtol=0, atol=1e-15)
    raw = trainer.model.values.copy()
    with trainer.weights_to_keep() as model:
        assert not model.training
        assert np.array_equal(model.values, trainer.average)
    assert trainer.model.training
    assert np.array_equal(trainer.model.values, raw)


def test_held_out_loss_is_that_of_every_token():
    model = GPT(CONFIG, dtype="float64")
    expected = token_losses(model, TOKENS, 6)
    assert expected.shape == (199,)
    found = HeldOut(Part(TOKENS), 6, 4, 0, None).loss(model)
    assert found.tokens == 199
    assert abs(found.nats - expected.sum()) < 1e-10
    assert abs(found.per_token - math.log(13)) < 0.1
    logits = model.forward(TOKENS[None, 6:12])[0]
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(expected[6:12], -logs[np.arange(6), TOKENS[7:13]], rtol=1e-12)


def test_held_out_loss_is_without_dropout(begin):
    model = begin().trainer.model
    held_out = HeldOut(Part(np.arange(100)), 8, 3, 0, None)
    found = [held_out.loss(mode()).nats for mode in (model.train, model.train, model.eval)]
    assert found[0] == found[1] == found[2]
    assert not model.training
    assert held_out.loss(model.train()).nats == found[0]
    assert model.training


def test_loss_per_character(begin):
    begun = begin(eval_batches=0)
    text = begun.tokenizer.decode(begun.held_out.part.ids.tolist())
    loss = begun.held_out.loss(begun.trainer.model)
    assert loss.characters == len(text) - 1
    assert loss.per_character == loss.nats / loss.characters


def test_a_text_is_learnt_by_heart(tmp_path, settings, byte_folder, quiet):
    path = tmp_path / "text.txt"
    path.write_text("the same line, over and over;\n" * 40)
    begun = session.begin(
        tmp_path / "run",
        path,
        settings(n_embd=32, dropout=0.0, ema=0.0, accumulate=1, max_steps=250, eval_every=250, save_every=250),
    )
    train(begun, quiet)
    first, last = quiet.evaluations[0]["val_loss"], quiet.evaluations[-1]["val_loss"]
    assert abs(first - math.log(256)) < 0.1
    assert last < 0.3


def test_what_a_run_reports_and_writes_down(begin, quiet):
    begun = begin()
    assert train(begun, quiet)
    records = metrics.read(begun.run)
    assert [record["step"] for record in records] == list(range(21))
    assert records[1:] == quiet.steps
    evaluated = [record for record in records if "val_loss" in record]
    assert evaluated == quiet.evaluations[:1] + [r for r in quiet.steps if r["step"] % 5 == 0]
    assert set(records[0]) == {"step", "val_loss", "val_loss_per_character"}
    assert set(records[1]) == {"step", "loss", "lr", "norm", "tokens_per_second"}
    assert all(math.isfinite(value) for record in records for value in record.values())


def test_the_last_step_is_evaluated_and_saved(begin, quiet):
    begun = begin(max_steps=7)
    train(begun, quiet)
    assert [record["step"] for record in quiet.evaluations] == [0, 5, 7]
    assert newest_checkpoint(begun.run).name == "step-00000007"


def test_a_loss_that_is_no_number_ends_the_run(begin, quiet):
    begun = begin(lr=1e30, warmup=0, save_every=1, clip=0.0, dtype="float32")
    with pytest.raises(InputError, match="diverged; .*step-0000000. is intact: .* a smaller --lr"):
        train(begun, quiet)
    good = newest_checkpoint(begun.run)
    assert good is not None
    assert not (begun.run / (good.name + ".tmp")).exists()
    assert np.isfinite(session.resume(begun.run, {}).trainer.model.values).all()


def test_nothing_is_updated_with_what_is_no_number():
    trainer = trainer_of(GPT(CONFIG), Part(TOKENS), settings())
    trainer.step()
    before = trainer.model.values.copy()
    trainer.model.loss = lambda *_: math.nan
    trainer.model.backward = lambda: None
    with pytest.raises(Diverged, match="step 2: the loss is nan"):
        trainer.step()
    assert np.array_equal(trainer.model.values, before)
    assert trainer.steps == 1


def test_presets():
    assert choose(None, {}) == choose("small", {}) == Settings()
    tuned = choose(None, {"init": "x"}, GPTConfig(n_ctx=512, dropout=0.25))
    assert (tuned.context, tuned.batch_size, tuned.dropout, tuned.lr) == (512, 2, 0.25, 3e-5)
    tuned = choose("char-large", {"init": "x", "dropout": 0.5}, GPTConfig(n_ctx=128))
    assert (tuned.context, tuned.batch_size, tuned.dropout) == (128, 64, 0.5)
    char = choose("char-small", {})
    assert (char.n_layer, char.n_head, char.n_embd, char.context, char.batch_size) == (4, 4, 128, 64, 12)
    assert (char.dropout, char.max_steps, char.lr, char.min_lr, char.warmup) == (0, 2000, 1e-3, 1e-4, 100)
    assert (char.beta2, char.clip, char.tokenizer) == (0.99, 1, "char")
    large = choose("char-large", {"dropout": 0.1})
    assert (large.n_layer, large.n_head, large.n_embd, large.context, large.batch_size) == (6, 6, 384, 256, 64)
    assert (large.dropout, large.max_steps) == (0.1, 5000)
    with pytest.raises(InputError, match="no preset 'large': choose from small, char-small, char-large"):
        choose("large", {})
    for name in PRESETS:
        choose(name, {})


def test_rates_follow_what_is_named():
    assert choose(None, {"lr": 1e-4}).min_lr == 1e-5
    assert choose(None, {"lr": 1e-4, "min_lr": 0.0}).min_lr == 0
    assert choose(None, {"max_steps": 50}).warmup == 5
    assert choose(None, {"max_steps": 50, "warmup": 40}).warmup == 40


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n_embd": 65}, "n_embd .65. must be divisible by n_head .4."),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
        ({"lr": 0.0}, "--lr must be above 0, not 0.0"),
        ({"lr": math.nan}, "--lr must be a number, not nan"),
        ({"lr": "fast"}, "--lr must be a number, not 'fast'"),
        ({"batch_size": 0}, "--batch-size must be at least 1, not 0"),
        ({"batch_size": 1.5}, "--batch-size must be a whole number"),
        ({"dropout": 1.0}, "--dropout must be at least 0 and below 1, not 1.0"),
        ({"val_fraction": 1.0}, "--val-fraction must be above 0 and below 1, not 1.0"),
        ({"vocab_size": 100}, "--vocab-size must be at least 257, not 100"),
        ({"tokenizer": ""}, "--tokenizer must be a non-empty string"),
        (
            {"init": "124M", "n_layer": 3, "tokenizer": "char"},
            "--tokenizer and --n-layer cannot be chosen",
        ),
    ],
)
def test_settings_that_cannot_be(options, reason):
    with pytest.raises(InputError, match=reason):
        choose(None, options)


def test_the_curve(begin, quiet):
    pytest.importorskip("matplotlib")
    begun = begin(max_steps=5)
    train(begun, quiet)
    assert plot.draw_losses(begun.run) is None
    drawn = (begun.run / "loss.svg").read_text("utf-8")
    assert drawn.startswith("<?xml")
    assert "</svg>" in drawn


def test_the_curve_without_matplotlib(begin, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    begun = begin()
    assert "pip install 'numgpt[plot]'" in plot.draw_losses(begun.run)
    assert not (begun.run / "loss.svg").exists()


def test_lines_of_the_diary_that_are_none(tmp_path):
    good = {"step": 3, "loss": 1.5}
    lines = [json.dumps(good), '{"step": 4, "lo', "[1]", '{"loss": 2}', "", json.dumps({"step": 5})]
    (tmp_path / metrics.NAME).write_text("\n".join(lines))
    with metrics.Metrics(tmp_path, 4) as diary:
        diary.append({"step": 4})
    assert metrics.read(tmp_path) == [good, {"step": 4}]
