"""How many processes a run gets that does not say it: measured for a new one, as before for one that continues."""

from types import SimpleNamespace

import numpy as np
import pytest

from numgpt import GPT, GPTConfig
from numgpt.errors import InputError
from numgpt.training.parallel import start
from numgpt.training.parallel.start import AUTO, processes_of, read_processes
from numgpt.training.settings import Settings
from numgpt.training.trainer import Trainer
from numgpt.training.windows import Windows


@pytest.fixture
def chosen(monkeypatch):
    """chosen(together, apart, ...): the number where a batch takes so many seconds on two cores, and a part on one."""
    monkeypatch.setattr(start, "Processes", lambda n: SimpleNamespace(size=n))
    monkeypatch.setattr(start, "n_cores", lambda: 2)
    monkeypatch.setattr("sys.argv", ["/usr/bin/numgpt"])

    def choose(together, apart, steps=1000, before=None, processes=AUTO):
        monkeypatch.setattr(start, "seconds", lambda _, n: together if n == 1 else apart)
        trainer = SimpleNamespace(settings=Settings(max_steps=steps), steps=0)
        return processes_of(SimpleNamespace(trainer=trainer, processes=before), processes).size

    return choose


def test_small_products_get_a_process_a_core(chosen, capsys):
    assert chosen(0.1, 0.06) == 2
    assert "processes: 2 (gradients of a batch take 0.100 s on 2 cores, 0.060 s dealt" in capsys.readouterr().err


def test_a_small_gain_is_no_reason(chosen):
    assert chosen(0.1, 0.09) == 1


def test_long_products_have_threads(chosen, capsys):
    assert chosen(3.0, 0.1) == 1
    assert "enough work for threads" in capsys.readouterr().err


def test_a_short_run_starts_nothing(chosen, capsys):
    assert chosen(0.1, 0.01, steps=100) == 1
    assert not capsys.readouterr().err


def test_a_run_continues_with_as_many_as_it_had(chosen):
    assert chosen(0.1, 0.01, before=1) == 1
    assert chosen(0.1, 0.1, before=2) == 2
    assert chosen(0.1, 0.1, before=8) == 2  # of another machine


def test_who_says_a_number_gets_it(chosen):
    assert chosen(0.1, 0.01, processes=1) == 1
    assert chosen(0.1, 0.1, before=1, processes=2) == 2


def test_another_program_is_not_run_twice(chosen, monkeypatch):
    monkeypatch.setattr("sys.argv", ["mine.py"])
    assert chosen(0.1, 0.01) == 1


def test_measuring_changes_nothing():
    def trainer():
        model = GPT(GPTConfig(n_vocab=7, n_ctx=4, n_embd=4, n_layer=1, n_head=1, dropout=0.5), seed=1)
        part = SimpleNamespace(ids=np.arange(40) % 7)
        return Trainer(model, Windows(part, 4, 4, np.random.default_rng(0)), Settings(max_steps=3))

    one, other = trainer(), trainer()
    start.seconds(one, 2)
    assert [one.step() for _ in range(3)] == [other.step() for _ in range(3)]


def test_a_gpu_works_alone():
    assert read_processes(AUTO, "cuda") == 1
    with pytest.raises(InputError, match="CPU only"):
        read_processes("2", "cuda")
