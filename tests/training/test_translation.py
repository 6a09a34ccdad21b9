"""A Transformer's run: pairs, batches, evaluation, and that a run which stops goes on bit for bit."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from numgpt.errors import InputError
from numgpt.files import newest_checkpoint
from numgpt.loading import load_transformer
from numgpt.training import metrics, session, state
from numgpt.training.loop import train
from numgpt.training.pair_batches import PairBatches, PairPart
from numgpt.training.pairs import read_pairs
from numgpt.training.presets import choose
from numgpt.training.schedule import inverse_root
from numgpt.training.translation import part_of_pairs
from translation import TINY_RUN

TINY = {**TINY_RUN, "task": "translate"}
PAIRS = [([5 + n % 7] * (1 + n % 9), [3 + n % 5] * (1 + n % 11)) for n in range(200)]


@pytest.fixture
def tsv(tmp_path):
    """Sixty sources, every third with two targets."""
    path = tmp_path / "pairs.tsv"
    lines = [f"{n} and {n}\t{n} et {n}{'!' * again}\tby me\n" for n in range(60) for again in range(1 + (n % 3 == 0))]
    path.write_text("".join(lines), "utf-8")
    return path


@pytest.fixture
def begin_pairs(tmp_path, tsv):
    """A function: a new Session in the folder `name`."""
    return lambda name="run", **changed: session.begin(tmp_path / name, tsv, choose(None, {**TINY, **changed}))


def test_no_source_is_learnt_and_held_out(tsv):
    source = read_pairs(tsv)
    learnt, held_out = source.split(0.1)
    assert sorted(learnt + held_out) == sorted(source.pairs)
    assert len({pair[0] for pair in held_out}) == 6
    assert not {pair[0] for pair in learnt} & {pair[0] for pair in held_out}
    assert source.notices == ("pairs.tsv has more than two columns in 80 lines: only source and target are read.",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "pairs.tsv is empty"),
        (b"\n \n", "pairs.tsv is empty: there is no source"),
        (b"a\tb\nc\n", "pairs.tsv, line 2: only one column, 'c': a line is a source, a TAB and a target"),
        (b"a\tb\n\tc\n", "pairs.tsv, line 2: the source is empty"),
        (b"a\t \n", "pairs.tsv, line 1: the target is empty"),
        (b"a\tb\nd\xe9j\xe0\tc\n", "pairs.tsv, line 2: not UTF-8: byte 0xe9"),
        ("a\tb\n".encode("utf-16-le"), "holds NUL bytes"),
        (b"a\tb\na\tc\n", "one source, so none can be held out"),
    ],
)
def test_files_that_hold_no_pairs(tsv, begin_pairs, content, reason, tmp_path):
    tsv.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        begin_pairs()
    assert not (tmp_path / "run").exists()


def test_a_file_from_another_system(tsv):
    tsv.write_bytes("\ufeffGo.\tVa !\r\nRun!\tCours\u202f!\r\n".encode())
    assert read_pairs(tsv).pairs == [("Go.", "Va !"), ("Run!", "Cours\u202f!")]


def test_pairs_that_are_too_long(begin_pairs):
    assert "Left out: " in begin_pairs("a", context=4).notice
    with pytest.raises(InputError, match="no pair to train on is short enough"):
        begin_pairs("b", context=1)


def test_sources_of_another_file(tmp_path, tsv):
    (tmp_path / "val.tsv").write_text("1 and 1\tx\nnew\ty\n")
    found = read_pairs(tsv, tmp_path / "val.tsv")
    assert found.split(0.5)[1] == [("1 and 1", "x"), ("new", "y")]
    assert "val.tsv shares 1 source with pairs.tsv" in found.notices[-1]


def batches_of(seed=0, budget=40):
    return PairBatches(PairPart(part_of_pairs(PAIRS, 20)), budget, 0.1, np.random.default_rng(seed))


def test_an_epoch_has_every_pair_once():
    batches = batches_of()
    for _ in range(2):
        seen = []
        while batches.drawn < len(batches.epoch) or not seen:
            src, tgt, smoothing = batches.draw()
            assert src.size <= 40
            assert tgt[:, 1:].size <= 40
            assert smoothing == 0.1
            assert batches.count(src, tgt, smoothing)[0] == ((tgt != 0).sum(-1) - 1).sum()
            for s, t in zip(src.tolist(), tgt.tolist(), strict=True):
                t = [i for i in t if i]
                assert (t[0], t[-1]) == (1, 2)
                seen.append(([i for i in s if i], t[1:-1]))
        assert sorted(seen) == sorted(PAIRS)


def test_batches_go_on_where_they_were():
    one = batches_of()
    for n in (0, 7, len(one.epoch) - 7, 5):
        for _ in range(n):
            one.draw()
        other = batches_of(seed=9)
        kept = json.loads(json.dumps(one.state()))
        other.set_state(kept)
        for _ in range(60):
            assert all(np.array_equal(a, b) for a, b in zip(one.draw(), other.draw(), strict=True))
        one.set_state(kept)
    for drawn in None, -1, 10**6, 1.5:
        with pytest.raises(InputError, match="batches drawn of an epoch must be"):
            one.set_state({**kept, "drawn": drawn})


@pytest.mark.parametrize("changed", [{}, {"ema": 0.0, "accumulate": 1, "schedule": "inverse-root"}])
def test_a_run_that_stops_is_the_run_that_does_not(begin_pairs, finish, newest, quiet, stop_after, changed):
    straight = finish(begin_pairs("straight", **changed))
    here = begin_pairs("often", **changed)
    while not train(here, quiet, stop_after(5)):
        here = session.resume(here.run, {})
    assert newest(here.run) == straight
    _, tokenizer = load_transformer(here.run)
    assert tokenizer.n_vocab == here.n_choices


def test_the_loss_on_what_is_held_out(begin_pairs):
    """Without smoothing and dropout, by hand: -log p of every target, each pair by itself."""
    begun = begin_pairs(dtype="float64")
    model, part = begun.trainer.model, begun.held_out.part
    found = begun.held_out.loss(model)
    assert model.training
    nats, n = 0.0, 0
    model.eval()
    for pair in range(len(part.spans)):
        src, tgt = np.array([part.text(pair, 0)]), np.array([[1, *part.text(pair, 1), 2]])
        logits = model.forward(src, tgt[:, :-1])[0]
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        nats -= np.log(p[np.arange(len(p)), tgt[0, 1:]]).sum()
        n += len(p)
    assert found.tokens == n
    assert found.nats == pytest.approx(nats, abs=1e-10)
    assert found.characters == sum(len(begun.tokenizer.decode(part.text(i, 1))) for i in range(len(part.spans)))


def test_bleu_where_it_can_be_had(begin_pairs, monkeypatch, quiet, stop_after):
    """Every source once, against all its targets; without sacrebleu there is the loss alone."""
    asked = []

    def corpus_bleu(found, references):
        asked.append((found, references))
        return 12.5, "signature"

    monkeypatch.setattr("numgpt.training.held_out_pairs.corpus_bleu", corpus_bleu)
    monkeypatch.setitem(sys.modules, "sacrebleu", SimpleNamespace())
    begun = begin_pairs()
    train(begun, quiet, stop_after(5))
    found, references = asked[-1]
    assert len(found) == 6
    assert sum(map(len, references)) == len(begun.held_out.part.spans)
    assert metrics.read(begun.run)[5]["bleu"] == 12.5
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert "bleu" not in begun.held_out.loss(begun.trainer.model).figures()


def test_fine_tuning(begin_pairs, finish, tmp_path):
    finish(begin_pairs("first", ema=0.0))
    changed = {name: TINY[name] for name in ("task", "batch_tokens", "max_steps", "val_fraction")}
    init = str(tmp_path / "first")
    settings = choose(None, {**changed, "init": init}, session.start_config(init, "translate"))
    tuned = session.begin(tmp_path / "tuned", tmp_path / "pairs.tsv", settings)
    assert np.array_equal(tuned.trainer.model.values, load_transformer(tmp_path / "first")[0].values)
    assert (tuned.settings.n_layer, tuned.settings.n_embd) == (1, 8)
    finish(tuned)


def test_damaged_states(begin_pairs, quiet, stop_after):
    begun = begin_pairs()
    train(begun, quiet, stop_after(1))
    path = newest_checkpoint(begun.run) / state.STATE
    fields = json.loads(path.read_text())
    fields["batches"].pop("drawn")
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match="batches drawn of an epoch must be a whole number"):
        session.resume(begun.run, {})


def test_options_of_the_other_task():
    with pytest.raises(InputError, match="--batch-size is not for --task translate: leave it out"):
        choose(None, {"task": "translate", "batch_size": 3})
    with pytest.raises(InputError, match="--label-smoothing is not for --task text"):
        choose(None, {"label_smoothing": 0.2})
    assert choose("translate", {}) == choose(None, {"task": "translate"})


def test_the_schedule_of_2017():
    d_model, warmup = 512, 4000
    for step in 1, 100, 4000, 4001, 100000:
        expected = d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert inverse_root(step - 1, (d_model * warmup) ** -0.5, warmup) == pytest.approx(expected, rel=1e-12)
