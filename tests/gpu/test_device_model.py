"""A whole model on the device, by kernels and by definitions, beside the same model on the CPU, in float64."""

import sys

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, InputError, generate, gradcheck, load, use_kernels
from numgpt.evaluation.shared_context import score_units
from numgpt.evaluation.unit import Unit
from numgpt.evaluation.windows import Window
from numgpt.generation import beam_search, stream
from numgpt.kernels import set_precision
from numgpt.training import AdamW
from numgpt.training.evaluate import HeldOut, token_losses
from numgpt.training.optimizer import clip_gradients
from numgpt.training.part import Part

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)


@pytest.fixture
def pair(fake, kind):
    """The same model of weights of order one, here and on the device; both run the code of one kind."""
    here, there = (GPT(CONFIG, dtype="float64", device=device) for device in ("cpu", "cuda"))
    gradcheck.with_random_weights(here, np.random.default_rng(3))
    there.values[...] = fake.asarray(here.values)
    return here, there


@pytest.fixture
def batch():
    rng = np.random.default_rng(4)
    ids, targets = rng.integers(0, 11, (2, 3, 7))
    targets[1, 2] = -1
    return ids, targets


def test_a_seed_gives_the_same_weights(fake):
    for dtype in "float32", "float64":
        here, there = (GPT(CONFIG, seed=5, dtype=dtype, device=device) for device in ("cpu", "cuda"))
        assert np.array_equal(here.values, there.values.get())
        assert there.device == "cuda"
        assert there.dtype == here.dtype


def test_forward_backward_and_steps(pair, batch):
    here, there = pair
    ids, targets = batch
    assert np.allclose(here.forward(ids), there.forward(ids).get(), rtol=0, atol=1e-9)
    optimizers = [AdamW(model, lr=1e-2, weight_decay=0.1) for model in pair]
    for _ in range(3):
        for model in pair:
            model.zero_grad()
            model.loss(ids, targets)
            model.backward()
            model.loss(ids, targets)
            model.backward()
        assert here.loss(ids, targets) == pytest.approx(there.loss(ids, targets), abs=1e-9)
        for (name, _, expected), (_, _, found) in zip(here.named_parameters(), there.named_parameters(), strict=True):
            assert np.allclose(expected, found.get(), rtol=1e-9, atol=1e-9), name
        norms = [clip_gradients(model, 0.5) for model in pair]
        assert norms[0] == pytest.approx(norms[1], rel=1e-9)
        for optimizer in optimizers:
            optimizer.step()
        assert np.allclose(here.values, there.values.get(), rtol=0, atol=1e-9)


def test_a_step_waits_for_the_gpu_twice(fake, pair, batch):
    """For the loss and for the gradient's norm; whatever waits for more leaves the GPU without work."""
    _, there = pair
    optimizer = AdamW(there)
    fake.SYNCS.clear()
    there.zero_grad()
    there.loss(*batch)
    there.backward()
    clip_gradients(there, 1.0)
    optimizer.step()
    assert len(fake.SYNCS) == 2


@pytest.mark.parametrize("name", [name for name in gradcheck.CHECKS if not name.startswith(("model", "block"))])
def test_gradients(fake, kernels_run, name):
    rows = list(gradcheck.check(name, seed=11, device="cuda"))
    assert rows
    assert all(row.ok for row in rows), "\n".join(map(str, rows))


def test_gradients_of_a_model_along_a_random_direction(fake, kind, batch):
    """With dropout, whose masks are drawn on the device."""
    config = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2, dropout=0.3)
    model = gradcheck.with_random_weights(GPT(config, dtype="float64"), np.random.default_rng(3))
    model.allocate("float64", "cuda").train()
    state = model.rng.bit_generator.state

    def loss():
        model.rng.bit_generator.state = state
        return model.loss(*batch)

    direction = fake.asarray(np.random.default_rng(6).standard_normal(model.values.size))
    loss()
    model.backward()
    slope = float((model.grads * direction).sum())
    weights, losses = model.values.copy(), []
    for h in 1e-5, -1e-5:
        model.values[...] = weights + h * direction
        losses.append(loss())
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0},
        {"temperature": 0, "repetition_penalty": 1.3},
        {"seed": 1},
        {"seed": 2, "top_k": 3},
        {"seed": 3, "top_p": 0.7, "min_p": 0.05, "temperature": 0.8},
    ],
    ids=str,
)
@pytest.mark.parametrize("ids", [[[1, 2, 3]], [[1, 2], [1, 2]], [[4], [5, 6, 7], [1, 2]]], ids=str)
def test_generation_past_the_context(pair, ids, settings):
    (expected, probabilities), (found, on_device) = (
        generate(model, ids, 15, return_logprobs=True, **settings) for model in pair
    )
    assert np.array_equal(np.array(expected, object), np.array(found, object))
    assert np.allclose(np.concatenate(probabilities), np.concatenate(on_device), rtol=0, atol=1e-9)
    one, other = (list(stream(model, ids[:1], 5, **settings)) for model in pair)
    assert one == other


def test_evaluation(pair):
    tokens = np.random.default_rng(0).integers(0, 11, 50)
    losses = [HeldOut(Part(tokens), 8, 3, 0, None).loss(model).nats for model in pair]
    assert losses[0] == pytest.approx(losses[1], abs=1e-9)
    here, there = (token_losses(model, tokens, 8) for model in pair)
    assert np.allclose(here, there, rtol=0, atol=1e-9)


def test_scores(pair):
    """Windows of several lengths, and endings after a context that is read once."""
    units = [
        Unit([Window([1, 2, 3, 4], 2)]),
        Unit([Window([5, 6, 7, 8, 9, 1], 5)]),
        Unit([Window([1, 2, 3, 4], 1), Window([1, 2, 3, 5, 6], 2)], shared=2),
        Unit([Window([7, 8, 9, 1, 2], 1), Window([7, 8, 9, 1, 4], 1)], shared=3),
    ]
    here, there = (score_units(model, units, 4) for model in pair)
    for ours, theirs in zip(here, there, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert np.allclose(mine.logprobs, other.logprobs, rtol=0, atol=1e-9)
            assert np.array_equal(mine.greedy, other.greedy)


def test_plain_and_fast_are_the_same_on_the_device(fake, kernels_run, batch):
    gradients = []
    for kind in "plain", "fast":
        model = gradcheck.with_random_weights(GPT(CONFIG, dtype="float64"), np.random.default_rng(3))
        model.allocate("float64", "cuda")
        with use_kernels(kind):
            model.loss(*batch)
            model.backward()
        gradients.append(model.grads.get())
    assert np.allclose(*gradients, rtol=0, atol=1e-10)


def test_no_kernel_is_imported_where_definitions_run(fake, batch):
    with use_kernels("plain"):
        model = GPT(CONFIG, device="cuda")
        model.loss(*batch)
        model.backward()
        AdamW(model).step()
        set_precision("float32", "cuda")
    assert not [name for name in sys.modules if name.startswith("numgpt.kernels.gpu")]


def test_a_checkpoint_is_the_same_whatever_device_wrote_it(fake, tmp_path):
    here, there = (GPT(CONFIG, seed=5, device=device) for device in ("cpu", "cuda"))
    for model in here, there:
        model.save(tmp_path / model.device)
    for name in "model.safetensors", "config.json":
        assert (tmp_path / "cpu" / name).read_bytes() == (tmp_path / "cuda" / name).read_bytes()
    loaded, _ = load(tmp_path / "cpu", device="cuda")
    assert loaded.device == "cuda"
    assert np.array_equal(loaded.values.get(), here.values)


def test_ids_are_checked_before_the_gpu_would_wrap_them(pair):
    _, there = pair
    for ids in [[11]], [[-1]]:
        with pytest.raises(InputError, match="vocabulary"):
            there.forward(ids)


def test_the_stand_in_is_as_strict_as_cupy(fake):
    import cupy

    x, here = cupy.asarray(np.arange(6.0).reshape(2, 3)), np.ones(3)
    for forbidden in (
        lambda: np.asarray(x),
        lambda: x + here,
        lambda: here + x,
        lambda: np.add(x, 1, where=here > 0),
        lambda: np.concatenate([x, here[None]]),
        lambda: x[np.array([0, 1])],
        lambda: x.__setitem__(0, here),
        lambda: float(x),
        lambda: iter(x.sum()),
        lambda: [1, 2, 3][x.sum()],
        lambda: np.add(here, here, out=x),
        lambda: np.where(here > 0, x, 0),
        lambda: np.asarray(here, like=x) + here,
        lambda: np.concatenate([np.zeros_like(x), here[None]]),
    ):
        with pytest.raises(TypeError):
            forbidden()
    assert isinstance(x.sum(), cupy.ndarray)
    for made in np.asarray(here, like=x), np.arange(3, like=x), np.zeros_like(x, shape=3), np.ones_like(x, dtype=bool):
        assert isinstance(made, cupy.ndarray)
    assert np.isnan(np.empty_like(x).get()).all()
    assert x.sum().shape == x[0, 0].shape == ()
    assert x[cupy.asarray(np.array([5, -1]))].get().tolist() == [[3, 4, 5], [3, 4, 5]]
    view = x[0, 0]
    x[0, 0] = 9
    assert float(view) == 9


def test_without_cupy_the_cpu_goes_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match=r"CuPy is not installed: pip install 'numgpt\[cuda12\]'"):
        GPT(CONFIG, device="cuda")
    GPT(CONFIG).forward([[1, 2]])


def test_what_cannot_be_compiled_is_told_in_a_line(fake, monkeypatch):
    import cupy

    def no_headers(*_):
        raise fake.CompileException('a.cu(3): error: cannot open source file "cuda_fp16.h"\n\n1 error detected')

    monkeypatch.setattr(cupy, "add", no_headers, raising=False)
    with pytest.raises(InputError, match=r'CUDA.*: cannot open source file "cuda_fp16.h"\): pip install'):
        GPT(CONFIG, device="cuda")
    GPT(CONFIG).forward([[1, 2]])


def test_beams_and_the_likeliest_tokens_on_the_device(pair):
    settings = {"max_new_tokens": 12, "stop_ids": [3, 5], "no_repeat_ngram_size": 3, "min_new_tokens": 2}
    prompts = [[1, 2, 3], [4], [5, 6]]
    here, there = (beam_search(model, prompts, 4, **settings) for model in pair)
    assert [[beam.ids for beam in row] for row in here] == [[beam.ids for beam in row] for row in there]
    here, there = (generate(model, prompts, 5, temperature=0, top_logprobs=3)[2] for model in pair)
    np.testing.assert_allclose(np.array(here), np.array(there), rtol=0, atol=1e-10)
