"""The classifier on the first Transformer's encoder: against PyTorch, what it learns, its folder, what it refuses."""

import json

import numpy as np
import pytest

import classification
from numgpt import (
    GPT,
    AdamW,
    Classifier,
    GPTConfig,
    InputError,
    Transformer,
    TransformerConfig,
    kernels,
    load,
    use_kernels,
)
from numgpt.checkpoint.weights import WEIGHTS
from numgpt.layers import MaskedMean
from numgpt.loading import load_classifier, load_transformer
from numgpt.tokenizer.marks import train_bpe_with_marks

CONFIG = TransformerConfig(vocab=17, d_model=12, heads=3, d_ff=10, layers=2, dropout=0.2)
LABELS = ["no", "yes", "perhaps"]
IDS = np.array([[5, 3, 9, 4], [7, 6, 0, 0], [8, 0, 0, 0]])


@pytest.mark.parametrize("kind", kernels.KINDS)
@pytest.mark.parametrize("name", classification.NAMES)
def test_as_pytorch_computes_it(golden, name, kind):
    if kernels.plain() and kind == "fast":
        pytest.skip("NUMGPT_KERNELS=plain: no kernel runs")
    with use_kernels(kind):
        classification.check(golden / "classifier" / name)


@pytest.mark.parametrize("name", classification.NAMES)
def test_names_of_pytorch_there_and_back(golden, name):
    model, expected = classification.read(golden / "classifier" / name)
    found = model.to_pytorch()
    assert {f"weights/{name}" for name in found} == {name for name in expected if name.startswith("weights/")}
    assert all(np.array_equal(value, expected[f"weights/{name}"]) for name, value in found.items())
    assert model.values.size == model.config.n_classifier_parameters(len(model.labels))


def test_a_text_does_not_depend_on_its_batch():
    model = Classifier(CONFIG, LABELS, dtype="float64")
    together = model.forward(IDS)
    for b, n in enumerate([4, 2, 1]):
        assert np.allclose(model.forward(IDS[b : b + 1, :n]), together[b : b + 1], atol=1e-12)


def test_a_text_of_padding_alone_gives_numbers():
    model = Classifier(CONFIG, LABELS, dtype="float64").train()
    assert np.isfinite(model.loss([[0, 0], [3, 4]], [0, 1]))
    model.backward()
    assert np.isfinite(model.grads).all()


def test_the_mean_of_what_is_no_padding():
    x = np.array([[[1.0, 2], [3, 4], [99, 99]], [[5, 6], [99, 99], [99, 99]], [[99, 99]] * 3])
    padding = np.array([[False, False, True], [False, True, True], [True, True, True]])
    layer = MaskedMean()
    assert layer.forward(x, padding).tolist() == [[2, 3], [5, 6], [0, 0]]
    dx = layer.backward(np.array([[2.0, 4], [6, 8], [1, 1]]))
    assert dx.tolist() == [[[1, 2], [1, 2], [0, 0]], [[6, 8], [0, 0], [0, 0]], [[0, 0]] * 3]
    for wrong, message in [
        ((x[0], padding[0]), r"x must be \(B, S, C\)"),
        ((x, padding[:, :2]), r"padding must be bools of shape \(3, 3\)"),
        ((x, padding.astype(int)), "padding must be bools"),
    ]:
        with pytest.raises(InputError, match=message):
            layer.forward(*wrong)


def order_task(rng, n):
    """n texts, and as many more with two of their words swapped; the label is which of the two, 3 or 4, comes first."""
    ids = rng.integers(5, 17, (n, 8))
    ids[:, 6:] = np.where(rng.random((n, 1)) < 0.5, 0, ids[:, 6:])  # half of the texts are shorter
    first, second = np.sort(rng.permuted(np.tile(np.arange(6), (n, 1)), axis=1)[:, :2], axis=1).T
    rows = np.arange(n)
    ids[rows, first], ids[rows, second] = 3, 4
    swapped = ids.copy()
    swapped[rows, first], swapped[rows, second] = 4, 3
    return np.concatenate([ids, swapped]), np.repeat([0, 1], n)


def test_it_learns_what_a_bag_of_words_cannot():
    """Both texts of a pair are the same bag, and have different labels: whatever a bag is given for, half is wrong."""
    model = Classifier(TransformerConfig(17, 32, 4, 64, 2, norm_first=True, final_norm=True), ["3 first", "4 first"])
    optimizer, rng = AdamW(model, lr=3e-3), np.random.default_rng(0)
    for _ in range(250):
        model.zero_grad()
        model.loss(*order_task(rng, 32))
        model.backward()
        optimizer.step()
    ids, labels = order_task(rng, 200)
    half = len(ids) // 2
    assert np.array_equal(np.sort(ids[:half]), np.sort(ids[half:]))
    assert (labels[:half] != labels[half:]).all()
    assert (model.forward(ids).argmax(-1) == labels).mean() >= 0.95


@pytest.fixture
def folder(tmp_path):
    Classifier(CONFIG, LABELS, seed=3).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("stored", "error"), [("float32", 0.0), ("float64", 0.0), ("float16", 1e-3)])
def test_what_is_saved_is_loaded(folder, stored, error):
    model = Classifier(CONFIG, LABELS, seed=3)
    model.save(folder, stored)
    for dtype in "float32", "float64":
        found = Classifier.load(folder, dtype)
        assert (found.config, found.labels, found.dtype) == (CONFIG, tuple(LABELS), dtype)
        assert np.abs(found.values - model.values).max() <= error


def test_the_file_has_the_names_of_pytorch(folder):
    header = (folder / WEIGHTS).read_bytes()
    n = int.from_bytes(header[:8], "little")
    assert set(json.loads(header[8 : 8 + n])) == {"__metadata__", *Classifier(CONFIG, LABELS).to_pytorch()}


def test_another_model_in_its_place(folder, tmp_path):
    with pytest.raises(InputError, match="config.json: a Classifier, which labels texts and is not a GPT: .numgpt "):
        load(folder)
    with pytest.raises(InputError, match="holds a Classifier, which labels texts and does not translate: .numgpt clas"):
        load_transformer(folder)
    Transformer(CONFIG).save(tmp_path / "other")
    with pytest.raises(InputError, match="holds a Transformer, which translates and does not classify: .numgpt transl"):
        Classifier.load(tmp_path / "other")
    GPT(GPTConfig(50, 8, 8, 2, 1)).save(tmp_path / "gpt")
    with pytest.raises(InputError, match="gpt holds a GPT, which does not classify: .numgpt generate --model"):
        Classifier.load(tmp_path / "gpt")


def test_loading_with_its_tokenizer(tmp_path):
    with pytest.raises(InputError, match="'nothing' is not a folder: give a folder that `numgpt train --task classify"):
        load_classifier("nothing")
    tokenizer = train_bpe_with_marks("the one and the other, " * 9, 270)
    Classifier(TransformerConfig(270, 12, 3, 10, 1), LABELS).save(tmp_path)
    with pytest.raises(InputError, match="has no vocabulary files"):
        load_classifier(tmp_path)
    tokenizer.save(tmp_path)
    assert load_classifier(tmp_path)[1].n_vocab == 270


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": None}, "config.json: labels must be a list of texts, not None"),
        ({"labels": ["a", "b"]}, "has 1,915 numbers, but config.json makes a model of 1,902"),
        ({"labels": ["a", "b", "a"]}, "labels has 'a' twice"),
        ({"labels": ["a", "b", 3]}, "labels must be a list of texts, none of them empty"),
        ({"layers": 10**7}, "numbers, but config.json makes a model of"),
        ({"heads": 5}, "config.json: d_model .12. must be divisible by heads .5."),
    ],
)
def test_configurations_that_do_not_fit(folder, changed, message):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    n = Classifier(CONFIG, LABELS).values.size
    with pytest.raises(InputError, match=message.replace("1,915", f"{n:,}").replace("1,902", f"{n - 13:,}")):
        Classifier.load(folder)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"], "labels must be at least two"),
        ("ab", "labels must be a list of texts"),
        (["a", " "], "labels must be a list of texts, none of them empty"),
        (["a", "b", "a"], "labels has 'a' twice"),
    ],
)
def test_labels_that_cannot_be_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        Classifier(CONFIG, labels)


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        ([[17]], [0], r"ids\[0, 0\] is 17, but the vocabulary has only 0 to 16"),
        ([3], [0], "ids must be a batch of texts"),
        ([[3]], [3], r"targets\[0\] is 3"),
        ([[3]], [0, 1], r"targets have shape \(2,\)"),
        ([[3]], [-1], "there is no target to learn from"),
    ],
)
def test_texts_that_cannot_be_are_refused(ids, labels, message):
    with pytest.raises(InputError, match=message):
        Classifier(CONFIG, LABELS).loss(ids, labels)
    with pytest.raises(InputError, match="config must be a TransformerConfig"):
        Classifier(None, LABELS)
