"""Training on the device: the same run as on the CPU, from the text file to the checkpoint."""

import json

import numpy as np
import pytest

from numgpt import InputError
from numgpt.cli import main
from numgpt.kernels import plain, set_precision
from numgpt.training import session
from numgpt.training.loop import train
from numgpt.training.settings import Settings

TINY = Settings(
    tokenizer="char",
    n_layer=2,
    n_head=2,
    n_embd=8,
    context=8,
    batch_size=3,
    accumulate=2,
    dropout=0.0,
    max_steps=12,
    warmup=2,
    lr=1e-2,
    eval_every=6,
    eval_batches=2,
    save_every=6,
    ema=0.9,
    dtype="float64",
)


class Silent:
    def step(self, record):
        pass

    def evaluated(self, record):
        pass

    def sample(self, model):
        pass


def diary(run):
    """The numbers in metrics.jsonl, without the times."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "tokens_per_second"} for line in lines]


def assert_alike(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        assert list(a.values()) == pytest.approx(list(b.values()), abs=1e-9)


def test_character_training(fake, kind, tmp_path, text_file):
    for device in "cpu", "cuda":
        begun = session.begin(tmp_path / device, text_file, TINY, device=device)
        assert begun.trainer.model.device == device
        train(begun, Silent())
    assert_alike(*(diary(tmp_path / device) for device in ("cpu", "cuda")))


@pytest.mark.parametrize(("first", "then"), [("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")])
def test_a_run_goes_on_elsewhere(fake, tmp_path, text_file, first, then):
    train(session.begin(tmp_path / "straight", text_file, TINY), Silent())
    begun = session.begin(tmp_path / "run", text_file, TINY, device=first)
    asked = iter(range(6))
    train(begun, Silent(), lambda: next(asked) == 5)
    resumed = session.resume(tmp_path / "run", {}, device=then)
    assert resumed.trainer.steps == 6
    assert resumed.trainer.model.device == then
    train(resumed, Silent())
    assert_alike(diary(tmp_path / "straight"), diary(tmp_path / "run"))


def test_the_command_line(fake, tmp_path, text_file, capsys):
    words = [
        f"--{name.replace('_', '-')}={getattr(TINY, name)}" for name in ("tokenizer", "n_layer", "n_head", "n_embd")
    ]
    words += ["--context=8", "--max-steps=2", "--dropout=0.2", "--device=cuda"]
    words += [f"--precision={'float32' if plain() else 'bf16'}"]
    try:
        assert main(["train", "--data", str(text_file), "--out", str(tmp_path / "run"), *words]) == 0
    finally:
        set_precision("float32", "cuda")
    capsys.readouterr()
    for device in "cpu", "cuda":
        words = ["--model", str(tmp_path / "run"), "--device", device, "--seed", "1", "--max-new-tokens", "5", "times"]
        assert main(["generate", *words]) == 0
    one, other = capsys.readouterr().out.splitlines()
    assert one == other
    assert main(["loss", str(text_file), "--model", str(tmp_path / "run"), "--device", "cuda", "--json"]) == 0
    assert np.isfinite(json.loads(capsys.readouterr().out)["trained"]["nats_per_token"])
    assert main(["gradcheck", "--layer", "linear", "--device", "cuda"]) == 0
    assert main(["info"]) == 0
    assert "a GPU that is played by NumPy" in capsys.readouterr().out


def test_fast_products_need_a_gpu(tmp_path, text_file):
    with pytest.raises(InputError, match="'bf16' needs device 'cuda'"):
        session.begin(tmp_path / "run", text_file, TINY, precision="bf16")
    assert not (tmp_path / "run").exists()
