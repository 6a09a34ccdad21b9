"""What layers are made of and given: what cannot be is refused in one line, by each of them."""

import numpy as np
import pytest

from numgpt import InputError
from numgpt.layers import (
    GELU,
    Attention,
    CrossAttention,
    CrossEntropy,
    Dropout,
    Embedding,
    ExactGELU,
    FeedForward,
    LayerNorm,
    Linear,
    ReLU,
    SmoothedCrossEntropy,
    Swish,
    TiedCrossEntropy,
    TiedHead,
)
from numgpt.layers.inputs import check_input, check_integers

TABLE = Embedding(5, 6)
WITH_WIDTH = {
    "linear": Linear(6, 4).forward,
    "layernorm": LayerNorm(6).forward,
    "attention": Attention(6, 2).forward,
    "feedforward": FeedForward(6).forward,
    "head": TiedHead(TABLE).forward,
    "loss": lambda x: TiedCrossEntropy(TABLE).forward(x, np.zeros(np.shape(x)[:-1], int)),
    "smoothed loss": lambda x: SmoothedCrossEntropy(TABLE).forward(x, np.zeros(np.shape(x)[:-1], int)),
    "cross-attention": lambda x: CrossAttention(6, 2).forward(x, np.ones((1, 2, 6))),
    "cross-attention's memory": lambda x: CrossAttention(6, 2).forward(np.ones((1, 2, 6)), x),
}
OF_ANY_WIDTH = {
    **{type(layer).__name__: layer.forward for layer in (GELU(), ExactGELU(), ReLU(), Swish(), Dropout(0.5))},
    "logits": lambda x: CrossEntropy().forward(x, np.zeros(np.shape(x)[:-1], int)),
}
X = np.ones((1, 2, 6))
WRONG = {
    "a list": (X.tolist(), "must be an array of floats, not"),
    "a number": (np.float32(1), "must be an array of floats, not"),
    "ints": (X.astype(int), "must be float32 or float64, not"),
    "halves": (X.astype(np.float16), "must be float32 or float64, not"),
    "masked": (np.ma.masked_array(X), "must be a plain array, not MaskedArray"),
    "nothing": (X[:0], "must have at least one axis and one number, but has shape"),
    "without an axis": (np.array(1.0), "must have at least one axis and one number, but has shape"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("layer", [*WITH_WIDTH, *OF_ANY_WIDTH])
def test_every_layer_refuses_what_is_no_array_of_floats(layer, wrong):
    value, message = WRONG[wrong]
    with pytest.raises(InputError, match=message):
        (WITH_WIDTH | OF_ANY_WIDTH)[layer](value)


@pytest.mark.parametrize("layer", WITH_WIDTH)
def test_every_layer_with_a_width_refuses_others(layer):
    with pytest.raises(InputError, match=r"must be \(..., 6\), but has shape \(1, 2, 5\)"):
        WITH_WIDTH[layer](X[..., :5])


def test_what_has_one_axis_or_one_number_is_enough():
    check_input(np.ones(1))
    check_input(np.ones((1, 6), np.float32), 6)
    check_input(np.ones((2, 3), complex))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear("a", 3), "n_in must be"),
        (lambda: Linear(3, -1), "n_out must be"),
        (lambda: LayerNorm(6, eps=0), "eps must be"),
        (lambda: FeedForward("ab"), "n_embd must be"),
        (lambda: FeedForward(6, act="relu"), "act must be an activation layer"),
        (lambda: Dropout(0.1, rng=7), "rng must be a numpy.random.Generator"),
        (lambda: TiedHead(np.ones((5, 6))), "the head reads the table of an Embedding"),
        (lambda: CrossAttention(6, 4), r"n_embd \(6\) must be divisible by n_head \(4\)"),
        (lambda: Linear(3, 4).allocate("float32", "tpu"), "unknown device 'tpu'"),
    ],
)
def test_layers_that_cannot_be_made(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_targets_are_held_to_the_logits():
    logits = np.zeros((2, 3, 5))
    assert CrossEntropy().forward(logits, np.full((2, 3), 4)) == pytest.approx(np.log(5))
    for targets, message in [
        (np.full((2, 3), 5), r"targets\[0, 0\] is 5, but the vocabulary has only -1 to 4"),
        (np.zeros((3, 2), int), r"targets have shape \(3, 2\), where \(2, 3\) are to be predicted"),
        (np.zeros((2, 3)), "targets must be whole numbers"),
        (np.full((2, 3), -1), "there is no target to learn from"),
    ]:
        with pytest.raises(InputError, match=message):
            CrossEntropy().forward(logits, targets)
    with pytest.raises(InputError, match="there must be an axis of positions"):
        CrossEntropy().forward(logits[0, 0], 1)


def test_padding_is_held_to_the_memory():
    for padding in ([False, True], np.zeros((1, 2)), np.zeros((2, 1), bool)):
        with pytest.raises(InputError, match=r"padding must be bools of shape \(1, 2\)"):
            CrossAttention(6, 2).forward(X, X, padding)
    with pytest.raises(InputError, match="x holds 1 texts, but memory 2"):
        CrossAttention(6, 2).forward(X, np.ones((2, 2, 6)))
    with pytest.raises(InputError, match=r"memory must be \(B, T, C\), but has shape \(2, 6\)"):
        CrossAttention(6, 2).forward(X, X[0])


def test_ids_on_a_device_are_refused_and_others_not_copied():
    class Elsewhere:
        def __array__(self, *args, **kwargs):
            raise TypeError("convert it yourself")

    with pytest.raises(InputError, match="ids must be whole numbers on the host: convert it yourself"):
        check_integers(Elsewhere(), "ids", 0, 5)
    ids = np.arange(3)
    assert check_integers(ids, "ids", 0, 5) is ids
