"""What a model promises to those who call it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt import GPT, GPTConfig, InputError, gradcheck
from numgpt.config import OFFICIAL_SIZES
from numgpt.model import KVCache

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)


@pytest.fixture
def model():
    return gradcheck.with_random_weights(GPT(CONFIG, dtype="float64"), np.random.default_rng(0))


@pytest.fixture
def batch():
    return np.random.default_rng(1).integers(0, CONFIG.n_vocab, (2, 3, 6))


def gradients(model):
    return {name: grad.copy() for name, _, grad in model.named_parameters()}


def test_logits_equal_the_plain_model(plain_model_agrees):
    assert plain_model_agrees()


def test_parameters_have_the_published_names_and_shapes():
    model = GPT(CONFIG)
    shapes = {name: value.shape for name, value, _ in model.named_parameters()}
    block = {
        "ln_1.weight": (12,),
        "ln_1.bias": (12,),
        "attn.c_attn.weight": (12, 36),
        "attn.c_attn.bias": (36,),
        "attn.c_proj.weight": (12, 12),
        "attn.c_proj.bias": (12,),
        "ln_2.weight": (12,),
        "ln_2.bias": (12,),
        "mlp.c_fc.weight": (12, 48),
        "mlp.c_fc.bias": (48,),
        "mlp.c_proj.weight": (48, 12),
        "mlp.c_proj.bias": (12,),
    }
    blocks = {f"h.{i}.{name}": shape for i in range(2) for name, shape in block.items()}
    assert shapes == {"wte.weight": (11, 12), "wpe.weight": (8, 12), **blocks, "ln_f.weight": (12,), "ln_f.bias": (12,)}


def test_the_official_sizes_have_the_published_numbers_of_parameters():
    counts = {"124M": 124_439_808, "355M": 354_823_168, "774M": 774_030_080, "1558M": 1_557_611_200}
    for name, count in counts.items():
        assert GPT(OFFICIAL_SIZES[name], seed=None).values.size == count


def test_values_and_gradients_are_live_views_of_two_flat_buffers(model, batch):
    for _, value, grad in model.named_parameters():
        assert np.shares_memory(value, model.values)
        assert np.shares_memory(grad, model.grads)
        assert value.shape == grad.shape
    before = model.forward(batch[0])
    model.h[0].mlp.c_fc.weight *= 2
    assert not np.allclose(model.forward(batch[0]), before)
    matrices = {name for name, value, _ in model.named_parameters() if value.ndim == 2}
    model.values[: model.n_matrix_elements] = 7
    assert {name for name, value, _ in model.named_parameters() if (value == 7).all()} == matrices


def test_same_seed_same_weights_in_either_precision():
    one, same, other = GPT(CONFIG, seed=3), GPT(CONFIG, seed=3, dtype=np.float64), GPT(CONFIG, seed=4)
    assert one.dtype == np.float32
    assert np.allclose(one.values, same.values, rtol=1e-6, atol=0)
    assert not np.allclose(one.values, other.values)


def test_an_untrained_model_knows_nothing():
    config = GPTConfig(n_vocab=1000, n_ctx=32, n_embd=32, n_head=4, n_layer=2)
    ids, targets = np.random.default_rng(0).integers(0, 1000, (2, 4, 32))
    assert GPT(config).loss(ids, targets) == pytest.approx(np.log(1000), abs=0.05)


def test_float32_stays_float32(batch):
    model = GPT(CONFIG)
    assert model.forward(batch[0]).dtype == np.float32
    model.loss(*batch)
    model.backward()
    assert model.grads.dtype == np.float32


def test_forward_keeps_nothing_and_leaves_what_loss_kept(model, batch):
    model.forward(batch[0])
    with pytest.raises(RuntimeError, match="loss"):
        model.backward()
    model.loss(*batch)
    model.backward()
    expected = gradients(model)
    model.zero_grad()
    model.loss(*batch)
    model.forward(batch[1])
    model.next_logits(batch[1], KVCache(model, 3))
    model.backward()
    assert all(np.array_equal(grad, expected[name]) for name, _, grad in model.named_parameters())
    with pytest.raises(RuntimeError):
        model.backward()


def test_a_second_loss_replaces_what_the_first_kept(model, batch):
    model.loss(*batch)
    model.backward()
    expected = gradients(model)
    model.zero_grad()
    model.loss(batch[1], batch[0])
    model.loss(*batch)
    model.backward()
    assert all(np.array_equal(grad, expected[name]) for name, _, grad in model.named_parameters())


def test_gradients_add_up_until_they_are_zeroed(model, batch):
    model.loss(*batch)
    model.backward()
    once = gradients(model)
    model.loss(*batch)
    model.backward()
    assert all(np.allclose(grad, 2 * once[name], rtol=1e-12) for name, _, grad in model.named_parameters())
    model.zero_grad()
    assert not model.grads.any()


def test_the_callers_arrays_are_left_alone(model, batch):
    ids, targets = batch.copy()
    logits = model.forward(ids)
    kept = logits.copy()
    model.forward(targets)
    model.loss(ids, targets)
    model.backward()
    assert np.array_equal(logits, kept)
    assert np.array_equal(ids, batch[0])
    assert np.array_equal(targets, batch[1])


def test_ignored_targets_do_not_count(model, batch):
    ids, targets = batch
    targets = targets.copy()
    targets[:, 3:] = -1
    masked = model.loss(ids, targets)
    assert masked == pytest.approx(model.loss(ids[:, :3], targets[:, :3]), rel=1e-12)


def test_no_position_sees_what_comes_after_it(model, batch):
    ids = batch[0]
    changed = ids.copy()
    changed[:, 4:] = (changed[:, 4:] + 1) % CONFIG.n_vocab
    assert np.array_equal(model.forward(ids)[:, :4], model.forward(changed)[:, :4])


def test_dropout_only_in_training_and_only_where_asked_for(batch):
    model = GPT(GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2, dropout=0.5), dtype="float64")
    quiet = model.loss(*batch)
    assert model.loss(*batch) == quiet
    model.train()
    assert model.loss(*batch) != model.loss(*batch)
    model.eval()
    assert model.loss(*batch) == quiet
    assert all(row.ok for row in gradcheck.check_checkpoint(model, batch[0][:1, :4]))


def test_dropout_keeps_the_mean():
    from numgpt.layers import Dropout

    layer = Dropout(0.3, np.random.default_rng(0)).train()
    y = layer.forward(np.ones((1000, 200)))
    assert set(np.unique(y)) == {0.0, 1 / 0.7}
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_cached_logits_equal_uncached_ones_however_the_text_is_cut(cuts, seed):
    cuts = cuts if sum(cuts) <= CONFIG.n_ctx else cuts[:2]
    rng = np.random.default_rng(seed)
    model = gradcheck.with_random_weights(GPT(CONFIG, dtype="float64"), rng)
    ids = rng.integers(0, CONFIG.n_vocab, (2, sum(cuts)))
    cache, start = KVCache(model, 2), 0
    for cut in cuts:
        logits = model.next_logits(ids[:, start : start + cut], cache)
        start += cut
        assert np.abs(logits - model.forward(ids[:, :start])[:, -1]).max() < 1e-12


def test_rows_of_different_lengths_are_as_they_would_be_alone(model):
    rng = np.random.default_rng(2)
    lengths = [5, 2, 4]
    rows = [rng.integers(0, CONFIG.n_vocab, n) for n in lengths]
    padded = np.zeros((3, 5), int)
    for i, row in enumerate(rows):
        padded[i, 5 - len(row) :] = row
    cache, new = KVCache(model, 3, lengths), padded
    for _ in range(3):
        logits = model.next_logits(new, cache)
        for i, row in enumerate(rows):
            assert np.abs(logits[i] - model.forward(row[None])[0, -1]).max() < 1e-12
        new = logits.argmax(-1)[:, None]
        rows = [np.append(row, token) for row, token in zip(rows, new[:, 0], strict=True)]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1, 11]], "ids[0, 1] is 11, but the vocabulary has only 0 to 10"),
        ([[-1, 2]], "ids[0, 0] is -1"),
        ([[1.0, 2.0]], "whole numbers"),
        ([["a"]], "whole numbers"),
        ([[True]], "whole numbers"),
        ([1, 2], "(B, T)"),
        ([[]], "at least one token"),
        ([[0] * 9], "9 tokens do not fit the context of 8"),
        ([[1, 2], [3]], "different lengths"),
    ],
)
def test_bad_ids_are_refused(model, ids, message):
    with pytest.raises(InputError) as error:
        model.forward(ids)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_targets_are_refused(model):
    with pytest.raises(InputError, match="shape"):
        model.loss([[1, 2]], [[1]])
    with pytest.raises(InputError, match=r"targets\[0, 0\] is -2"):
        model.loss([[1, 2]], [[-2, 1]])
    with pytest.raises(InputError, match="every one is -1"):
        model.loss([[1, 2]], [[-1, -1]])


@pytest.mark.parametrize("dtype", ["float16", "int32", "nonsense", None, complex])
def test_only_two_precisions(dtype):
    with pytest.raises(InputError, match="float32 or float64"):
        GPT(CONFIG, dtype=dtype)


def test_unknown_device():
    with pytest.raises(InputError, match="tpu"):
        GPT(CONFIG, device="tpu")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_embd": 10, "n_head": 3}, "divisible"),
        ({"n_layer": 0}, "n_layer"),
        ({"n_vocab": 2.5}, "n_vocab"),
        ({"n_ctx": True}, "n_ctx"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"dropout": "0.1"}, "dropout"),
    ],
)
def test_impossible_sizes(fields, message):
    with pytest.raises(InputError, match=message):
        GPTConfig(**fields)
