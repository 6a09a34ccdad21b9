"""The first Transformer: against PyTorch's layers, its caches, and what it refuses."""

import numpy as np
import pytest

import translation
from numgpt import InputError, Transformer, TransformerConfig, kernels, use_kernels
from numgpt.model import TransformerCache

CONFIG = TransformerConfig(vocab=17, d_model=12, heads=3, d_ff=10, layers=2, dropout=0.2)
SRC = np.array([[5, 3, 9, 4], [7, 6, 0, 0], [8, 0, 0, 0]])
TGT = np.array([[1, 4, 5, 2], [1, 9, 8, 2], [1, 3, 2, 0]])


@pytest.mark.parametrize("kind", kernels.KINDS)
@pytest.mark.parametrize("where", ["golden", "shared"])
@pytest.mark.parametrize("name", translation.NAMES)
def test_as_pytorch_computes_it(request, where, name, kind):
    if kernels.plain() and kind == "fast":
        pytest.skip("NUMGPT_KERNELS=plain: no kernel runs")
    folder = request.getfixturevalue(where)
    with use_kernels(kind):
        translation.check(folder / ("transformer" if where == "golden" else "oracles/transformer") / name)


@pytest.mark.parametrize("name", translation.NAMES)
def test_names_of_pytorch_there_and_back(golden, name):
    model, expected = translation.read(golden / "transformer" / name)
    found = model.to_pytorch()
    assert {f"weights/{name}" for name in found} == {name for name in expected if name.startswith("weights/")}
    assert all(np.array_equal(value, expected[f"weights/{name}"]) for name, value in found.items())
    assert sum(value.size for value in found.values()) == model.values.size == model.config.n_parameters


def test_weights_that_are_not_the_models(golden):
    model, _ = translation.read(golden / "transformer" / "pre-norm")
    weights = model.to_pytorch()
    for changed, message in [
        (weights | {"encoder.norm.bias": np.ones(5)}, r"encoder.norm.bias has shape \(5,\), but should have \(12,\)"),
        ({name: w for name, w in weights.items() if name != "table"}, "there is no weight 'table'"),
        (weights | {"more": np.ones(1)}, "'more' is not a weight of this configuration"),
    ]:
        with pytest.raises(InputError, match=message):
            Transformer.from_pytorch(model.config, changed, "float64")


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoding_with_caches_is_decoding_without(norm_first):
    """For texts of different lengths, one token at a time and several, and after rows were chosen."""
    config = TransformerConfig(17, 12, 3, 10, 2, norm_first=norm_first, final_norm=norm_first)
    model = Transformer(config, dtype="float64")
    ids = np.random.default_rng(0).integers(3, 17, (3, 6))
    cache = TransformerCache(model, SRC)
    assert np.allclose(model.decode(ids[:, :2], cache), model.forward(SRC, ids[:, :2])[:, -1], atol=1e-12)
    assert np.allclose(model.decode(ids[:, 2:3], cache), model.forward(SRC, ids[:, :3])[:, -1], atol=1e-12)
    rows = [2, 0, 0, 1]
    cache.choose(rows)
    ids = np.concatenate([ids[rows, :3], [[4], [5], [6], [7]]], axis=1)
    assert np.allclose(model.decode(ids[:, 3:], cache), model.forward(SRC[rows], ids)[:, -1], atol=1e-12)
    assert cache.length == 4


def test_a_text_does_not_depend_on_its_batch():
    model = Transformer(CONFIG, dtype="float64")
    together = model.forward(SRC, TGT)
    for b, n in enumerate([4, 2, 1]):
        assert np.allclose(model.forward(SRC[b : b + 1, :n], TGT[b : b + 1]), together[b : b + 1], atol=1e-12)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_a_text_of_padding_alone_gives_numbers(label_smoothing):
    model = Transformer(CONFIG, dtype="float64").train()
    src = SRC.copy()
    src[1] = 0
    assert np.isfinite(model.loss(src, TGT, label_smoothing))
    model.backward()
    assert np.isfinite(model.grads).all()


def test_it_learns_to_turn_texts_round():
    """A task that asks for attention to the other text: what is written is what was read, backwards."""
    from numgpt import AdamW

    config = TransformerConfig(vocab=8, d_model=32, heads=4, d_ff=64, layers=1, norm_first=True, final_norm=True)
    model = Transformer(config)
    optimizer, rng = AdamW(model, lr=3e-3), np.random.default_rng(0)

    def batch(n):
        words = rng.integers(3, 8, (n, 5))
        return words, np.concatenate([np.full((n, 1), 1), words[:, ::-1], np.full((n, 1), 2)], axis=1)

    for _ in range(400):
        model.zero_grad()
        model.loss(*batch(32))
        model.backward()
        optimizer.step()
    src, tgt = batch(50)
    assert (translation.written(model, src, 7) == tgt).all(-1).mean() > 0.9


@pytest.mark.parametrize(
    ("src", "tgt", "message"),
    [
        ([[17]], [[1, 2]], r"src\[0, 0\] is 17, but the vocabulary has only 0 to 16"),
        ([[3]], [[1, -1]], r"tgt\[0, 1\] is -1"),
        ([3], [[1, 2]], "src must be a batch of texts"),
        ([[3]], [[]], "tgt must be a batch of texts of at least one token"),
        ([[3], [4]], [[1, 2]], "src holds 2 texts, but tgt 1"),
        ([[3]], [[1]], "tgt must have a token after its begin mark"),
        ([[3]], [[1, 0]], "there is no target to learn from"),
    ],
)
def test_texts_that_cannot_be_are_refused(src, tgt, message):
    with pytest.raises(InputError, match=message):
        Transformer(CONFIG).loss(src, tgt)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 5}, r"d_model \(12\) must be divisible by heads \(5\)"),
        ({"layers": 0}, "layers must be"),
        ({"activation": "tanh"}, "activation must be one of"),
        ({"norm_first": 1}, "norm_first must be True or False"),
        ({"eps": 0}, "eps must be"),
        ({"dropout": 1}, "dropout must be"),
    ],
)
def test_configurations_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        TransformerConfig(**({"vocab": 9, "d_model": 12, "heads": 3} | wrong))
    with pytest.raises(InputError, match="config must be a TransformerConfig"):
        Transformer(None)
