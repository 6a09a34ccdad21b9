"""What a trace holds against numbers that PyTorch computed, against the model itself, and against its own parts."""

import numpy as np
import pytest

import numgpt
from numgpt import GPT, GPTConfig, InputError, gradcheck
from numgpt.tracing import ablate, names_of, trace

CONFIG = GPTConfig(n_vocab=11, n_ctx=7, n_embd=12, n_head=3, n_layer=2)


@pytest.fixture(params=["plain", "fast"])
def kind(request):
    with numgpt.use_kernels(request.param):
        yield request.param


@pytest.fixture
def model():
    return gradcheck.with_random_weights(GPT(CONFIG, dtype="float64"), np.random.default_rng(0))


@pytest.fixture
def batch():
    ids, targets = np.random.default_rng(1).integers(0, CONFIG.n_vocab, (2, 2, 5))
    targets[0, 1] = -1
    return ids, targets


def close(found, expected, tolerance=1e-10):
    assert found.shape == expected.shape
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(found), finite)
    error = np.linalg.norm(found[finite] - expected[finite])
    return error <= tolerance * max(np.linalg.norm(expected[finite]), 1e-12)


def side_by_side(found, block):
    """c_attn's output or its gradient, from q, k and v."""
    parts = [found[f"{block}.attn.{name}"][0].swapaxes(0, 1) for name in "qkv"]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], -1)


@pytest.mark.parametrize(
    "names", [None, ["embed", "h.?", "h.*.ln_?", "h.*.mlp*", "h.*.attn", "h.*.attn.[qkvo]", "ln_f"]]
)
def test_every_name_of_the_oracle(shared, kind, names):
    folder = shared / "oracles/mini-gpt2"
    model, _ = numgpt.load(folder / "hf", dtype="float64")
    expected = np.load(folder / "trace.npz")
    found = trace(model, expected["ids"][None], expected["targets"][None], names)
    for key in expected.files:
        kind_of, _, name = key.partition("/")
        if kind_of not in ("out", "dout"):
            continue
        values = found.values if kind_of == "out" else found.gradients
        name = {"drop": "embed"}.get(name, name)
        value = side_by_side(values, name[:4].rstrip(".")) if name.endswith("c_attn") else values[name][0]
        assert close(value, expected[key]), key
    for i in range(model.config.n_layer if names is None else 0):
        assert close(found.values[f"h.{i}.attn.p"][0], expected[f"attention/h.{i}"])
        assert close(found.gradients[f"h.{i}.attn.p"][0], expected[f"dattention/h.{i}"])
    assert found.loss == pytest.approx(float(expected["loss"]), rel=1e-12)
    assert close(found.nll[0], expected["nll"])
    assert close(found.attribution()[0][0], expected["gradient_times_input_per_token"])
    lens = found.lens(top=5)
    assert np.array_equal(lens.tokens[:, 0], expected["lens_top5_ids"])
    assert close(np.log(lens.probabilities[:, 0]), expected["lens_top5_logprobs"])


def test_it_is_the_model_s_own_way(model, batch, kind):
    model.zero_grad()
    loss = model.loss(*batch)
    model.backward()
    gradients = model.grads.copy()
    model.zero_grad()
    found = trace(model, *batch)
    assert found.loss == pytest.approx(loss, rel=1e-14)
    assert close(model.grads, gradients, 1e-13)
    assert close(found.values["logits"], model.forward(batch[0]), 1e-13)
    assert list(found.values) == names_of(model)
    assert set(found.gradients) == set(names_of(model))
    assert np.nanmean(found.nll) == pytest.approx(loss, rel=1e-13)


PLACES = [
    *(
        "embed",
        "h.0.ln_1",
        "h.1.attn.q",
        "h.0.attn.k",
        "h.1.attn.v",
        "h.0.attn.s",
        "h.1.attn.p",
        "h.0.attn.o",
        "h.1.attn",
    ),
    *("h.0.mid", "h.1.ln_2", "h.0.mlp.c_fc", "h.1.mlp.act", "h.0.mlp", "h.1", "ln_f", "logits"),
]


@pytest.mark.parametrize("name", PLACES)
def test_a_gradient_is_the_slope_of_the_loss_at_that_value(model, batch, name):
    found = trace(model, *batch)
    value = found.values[name]
    direction = np.random.default_rng(2).standard_normal(value.shape)
    h = 1e-5

    def loss(step):
        return trace(model, *batch, names=["ln_f"], replace={name: value + step * direction}).loss

    expected = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    seen = np.isfinite(value)  # a masked score has no gradient
    assert (found.gradients[name] * direction)[seen].sum() == pytest.approx(expected, rel=1e-7, abs=1e-10)


def test_the_same_value_changes_nothing(model, batch, kind):
    plain = trace(model, *batch)
    for name in names_of(model):
        again = trace(model, *batch, replace={name: plain.values[name]})
        assert again.loss == plain.loss
        assert all(np.array_equal(again.values[key], plain.values[key]) for key in plain.values)
        assert all(np.array_equal(again.gradients[key], plain.gradients[key]) for key in plain.gradients)


def test_past_and_through_are_the_whole(model, batch, kind):
    found = trace(model, *batch)
    for i, above in ((0, "h.0"), (1, "h.1")):
        mid, below = found.gradients[f"h.{i}.mid"], found.gradients["embed" if i == 0 else f"h.{i - 1}"]
        assert close(found.gradients[above] + found.through[f"h.{i}.mlp"], mid, 1e-13)
        assert close(mid + found.through[f"h.{i}.attn"], below, 1e-13)


def test_heads_and_the_bias_are_what_attention_writes(model, batch):
    found = trace(model, *batch)
    for i, block in enumerate(model.h):
        heads = found.heads(i)
        assert heads.shape == (2, 3, 5, 12)
        assert close(heads.sum(1) + block.attn.c_proj.bias, found.values[f"h.{i}.attn"], 1e-13)


def test_ablation_is_a_model_with_zeroed_weights(model, batch):
    parts = ["h.0.attn.2", "h.1.attn", "h.0.mlp.7", "h.1.mlp", "h.0"]
    model.grads[...] = 3
    found = {row.what: row for row in ablate(model, *batch, parts)}
    assert (model.grads == 3).all()
    attn, mlp = model.h[0].attn.c_proj, model.h[0].mlp.c_proj
    zeroed = {
        "h.0.attn.2": [attn.weight[8:12]],
        "h.1.attn": [model.h[1].attn.c_proj.weight, model.h[1].attn.c_proj.bias],
        "h.0.mlp.7": [mlp.weight[7]],
        "h.1.mlp": [model.h[1].mlp.c_proj.weight, model.h[1].mlp.c_proj.bias],
        "h.0": [attn.weight, attn.bias, mlp.weight, mlp.bias],
    }
    loss = model.loss(*batch)
    for part, arrays in zeroed.items():
        before = [array.copy() for array in arrays]
        for array in arrays:
            array[...] = 0
        assert found[part].without == pytest.approx(model.loss(*batch), rel=1e-12)
        assert found[part].change == pytest.approx(model.loss(*batch) - loss, abs=1e-12)
        for array, values in zip(arrays, before, strict=True):
            array[...] = values


def test_the_estimate_is_the_first_order(model, batch):
    """Scaled down to nearly nothing, a head's ablation is linear."""
    model.h[1].attn.c_proj.weight[4:8] *= 1e-5
    (row,) = ablate(model, *batch, "h.1.attn.1")
    assert row.change == pytest.approx(row.estimate, rel=1e-3)


def test_only_what_is_asked_for_is_kept(model, batch):
    found = trace(model, *batch, names=["h.1.attn.p", "embed"])
    assert set(found.values) == set(found.gradients) == {"h.1.attn.p", "embed"}
    assert trace(model, batch[0]).gradients == {}
    assert all(layer.kept is None for _, layer in model.named_layers())


def test_it_is_saved_by_name(model, batch, tmp_path):
    found = trace(model, *batch, names=["h.0.mlp"])
    found.save(tmp_path / "trace.npz")
    read = np.load(tmp_path / "trace.npz")
    assert np.array_equal(read["value/h.0.mlp"], found.values["h.0.mlp"])
    assert np.array_equal(read["gradient/h.0.mlp"], found.gradients["h.0.mlp"])
    assert np.array_equal(read["through/h.0.mlp"], found.through["h.0.mlp"])
    assert float(read["loss"]) == found.loss


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda m, i, t: trace(m, i, t, names=["h.9.attn"]), "'h.9.attn' matches no value"),
        (lambda m, i, t: trace(m, i, t, replace={"h.0.nothing": 1}), "no value 'h.0.nothing'"),
        (lambda m, i, t: trace(m, i, t, replace={"h.0": np.zeros((2, 2))}), r"h.0 has shape \(2, 5, 12\)"),
        (lambda m, i, t: trace(m, i, t[:, :2]), "targets have shape"),
        (lambda m, i, t: trace(m, i).nll, "no targets"),
        (lambda m, i, t: trace(m, i, t, names=["ln_f"]).attribution(), "no value 'embed'"),
        (lambda m, i, t: trace(m, i).lens(top=0), "from 1 to 11"),
        (lambda m, i, t: ablate(m, i, t, "h.0.attn.3"), "heads 0 to 2"),
        (lambda m, i, t: ablate(m, i, t, "h.2"), "blocks 0 to 1"),
        (lambda m, i, t: ablate(m, i, t, "wte"), "is not a part"),
    ],
)
def test_mistakes(model, batch, wrong, message):
    with pytest.raises(InputError, match=message):
        wrong(model, *batch)
