"""The folder of a run with something wrong in one of its files: InputError, in one line, or no harm done."""

import json
import random
import shutil

import pytest

from damage import CASES, answer, damage
from numgpt.files import newest_checkpoint
from numgpt.loading import load
from numgpt.training import metrics, plot, session, state
from numgpt.training.loop import train


@pytest.fixture
def run(begin, quiet, stop_after):
    """The folder of a run that stopped after three steps."""
    begun = begin(max_steps=6, save_every=3, eval_every=3, keep=1, ema=0.0)
    train(begun, quiet, stop_after(3))
    return begun.run


def resumed(run):
    return answer(lambda: session.resume(run, {}))


DEEP = "[" * 100_000
HUGE = "9" * 400


@pytest.mark.parametrize(
    "value", [DEEP, '{"a":' * 100_000, HUGE, "-" + HUGE, "1e999", "NaN", "-1", "true", '"x"', "0.5"]
)
@pytest.mark.parametrize(
    "name", ["step", "format", "batches", "settings", "data", "max_steps", "has_uint32", "state", "seed"]
)
def test_a_value_of_the_state(run, name, value):
    path = newest_checkpoint(run) / state.STATE
    text = path.read_text()
    begin = text.index(f'"{name}": ') + len(name) + 4
    value_there = json.JSONDecoder().raw_decode(text[begin:])[1]
    path.write_text(text[:begin] + value + text[begin + value_there :])
    assert resumed(run) is None
    model, _ = load(run)
    assert model is not None


def test_values_of_every_length(run):
    path = newest_checkpoint(run) / state.STATE
    whole = json.loads(path.read_text())
    for section, name in [("settings", "tokenizer"), ("settings", "dtype"), ("data", "file"), ("data", "sha256")]:
        for value in "x" * 10_000, ["x"] * 10_000, {"x": "y" * 10_000}, "a\nb" * 2000:
            path.write_text(json.dumps({**whole, section: {**whole[section], name: value}}))
            answer(lambda: session.resume(run, {}, run / "metrics.jsonl"))
    for section in "settings", "data":
        path.write_text(json.dumps({**whole, section: {**whole[section], "x" * 10_000: 1}}))
        assert resumed(run) is None


LINES = [
    *(DEEP, '{"a": ' * 10_000, "\0", f'{{"step": {HUGE}}}', '{"step": true}', '{"step": -5}'),
    *(f'{{"step": 1, "loss": {HUGE}}}', '{"step": 2, "loss": "x"}', '{"step": 2, "loss": NaN}'),
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_diary(run, quiet, line):
    """A line that is none of ours is passed over, and gone once the run continues."""
    with open(run / metrics.NAME, "a") as file:
        file.write(line + "\n")
    assert [record["step"] for record in metrics.read(run)] == [0, 1, 2, 3]
    answer(lambda: plot.draw_losses(run))
    assert train(session.resume(run, {}), quiet)
    assert [record["step"] for record in metrics.read(run)] == [*range(7)]


def test_any_damage_is_an_input_error_or_does_no_harm(run, tmp_path):
    rng = random.Random(2)
    checkpoint = newest_checkpoint(run)
    files = [path for path in run.rglob("*") if path.is_file()]
    whole = {path: path.read_bytes() for path in files}
    n_resumed = n_loaded = 0
    for _ in range(CASES):
        path = rng.choice(files if rng.random() < 0.5 else [checkpoint / state.STATE, run / metrics.NAME])
        path.write_bytes(damage(whole[path], rng))
        if rng.random() < 0.05:
            path.unlink()
        n_loaded += answer(lambda: load(run)) is not None
        begun = resumed(run)
        if begun is not None:
            assert 0 <= begun.trainer.steps <= begun.settings.max_steps
            metrics.Metrics(run, begun.trainer.steps).__exit__()
            n_resumed += 1
        for path, data in whole.items():
            if not path.exists() or path.read_bytes() != data:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
    shutil.rmtree(run)
    assert 0 < n_resumed < n_loaded < CASES
