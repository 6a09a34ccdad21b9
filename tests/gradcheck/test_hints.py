"""Each mistake that check_layer knows, made in a layer: the row says which tensor is wrong, and how."""

import re

import numpy as np
import pytest

from numgpt import check_layer

B, T, C, O = 2, 3, 4, 5


class Dense:
    """y = x W + b, whose backward a test spoils: `spoil` maps the name of a gradient to what is done to it."""

    def __init__(self, n_in=C, n_out=O, **spoil):
        self.n_head = 2
        self.W, self.dW = np.ones((n_in, n_out)), np.zeros((n_in, n_out))
        self.b, self.db = np.zeros(n_out), np.zeros(n_out)
        self.spoil = spoil

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        dW = np.einsum("btc,bto->co", self.x, dy)
        self.dW += self.spoil.get("W", lambda g, x, dy: g)(dW, self.x, dy)
        self.db += self.spoil.get("b", lambda g, x, dy: g)(dy.sum((0, 1)), self.x, dy)
        return self.spoil.get("input", lambda g, x, dy: g)(dy @ self.W.T, self.x, dy)


def hints(layer, x=None):
    """tensor -> hint of the rows that are wrong."""
    x = np.random.default_rng(0).standard_normal((B, T, C)) if x is None else x
    return {row.tensor: row.hint for row in check_layer(layer, x) if not row.ok}


def test_the_layer_is_right_unspoiled():
    assert hints(Dense()) == {}


def last_position(g, x, dy):
    g = g.copy()
    g[:, -1] = 7
    return g


def some_columns(g, x, dy):
    return g * np.array([1, 3, 3, 1, 1])


def with_nan(g, x, dy):
    g = g.copy()
    g[1, 2, 0] = np.nan
    return g


@pytest.mark.parametrize(
    ("tensor", "spoil", "says"),
    [
        ("input", lambda g, x, dy: g / np.sqrt(C), r"0.5 times .*1/2.*1/sqrt\(C\) with C = 4"),
        ("input", lambda g, x, dy: g / (B * T), r"times what it should be, that is 1/\(B T\)"),
        ("input", lambda g, x, dy: g / np.sqrt(C // 2), r"1/sqrt\(C/n_head\) with C/n_head = 2"),
        ("input", lambda g, x, dy: g * 1.7, "^it is 1.7 times what it should be$"),
        ("input", lambda g, x, dy: -g, "sign"),
        ("input", lambda g, x, dy: 0 * g, "^it is zero everywhere$"),
        ("input", lambda g, x, dy: None, "backward returns no gradient for it"),
        ("input", lambda g, x, dy: g.swapaxes(0, 1), r"shape is \(3, 2, 4\), but should be \(2, 3, 4\): transpose it"),
        ("input", lambda g, x, dy: g.reshape(-1, C), "the values are right, reshape it"),
        ("input", lambda g, x, dy: g[:, 1:], r"^its shape is \(2, 2, 4\), but should be \(2, 3, 4\)$"),
        ("input", with_nan, r"not finite in 1 of 24 places, first at \[1, 2, 0\]: nan"),
        ("input", last_position, "wrong only at the last position of axis 1, index 2$"),
        (
            "input",
            lambda g, x, dy: np.where(np.arange(T)[:, None] > 0, g, 0),
            "the first position of axis 1.*it is zero",
        ),
        ("input", lambda g, x, dy: g * g, r"in no simple way; the largest error is at \[\d, \d, \d\]: \S+ where it"),
        ("W", lambda g, x, dy: g / B, "0.5 times what it should be, that is 1/2 or 1/B with B = 2"),
        ("W", lambda g, x, dy: 0, "backward adds nothing to it"),
        ("W", lambda g, x, dy: x[0].T @ dy[0], "a sum is missing: only the first of 2 along axis 0 of dy counts"),
        ("W", lambda g, x, dy: x[-1].T @ dy[-1], "a sum is missing: only the last of 2 along axis 0 of dy counts"),
        ("W", lambda g, x, dy: x[:, 0].T @ dy[:, 0], "only the first of 3 along axis 1 of dy counts"),
        ("W", lambda g, x, dy: np.einsum("btc,bto->co", x[:, 1:], dy[:, 1:]), "cut short: the first of 3 along axis 1"),
        ("W", some_columns, "wrong only at indices 1 to 2 of axis 1, which has 5: there it is 3 times"),
        ("b", lambda g, x, dy: dy[0].sum(0), "only the first of 2 along axis 0 of dy counts"),
        ("b", lambda g, x, dy: g / T, r"1/T with T = 3"),
    ],
)
def test_what_is_said_of_a_gradient(tensor, spoil, says):
    found = hints(Dense(**{tensor: spoil}))
    assert set(found) == {tensor}
    assert re.search(says, found[tensor]), found[tensor]


def test_a_square_matrix_transposed():
    assert hints(Dense(C, C, W=lambda g, x, dy: g.T)) == {"W": "it is transposed: swap axes 0 and 1"}


def test_a_residual_left_out_and_twice():
    assert "dy itself is missing" in hints(Residual(0))["input"]
    assert hints(Residual(1)) == {}
    assert "once too often" in hints(Residual(2))["input"]


def test_a_factor_dy_left_out_and_twice():
    assert hints(Square(0))["input"] == "it is not multiplied by dy"
    assert hints(Square(1)) == {}
    assert hints(Square(2))["input"] == "it is multiplied by dy once too often"


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ("mean", "g - mean(g)"),
        ("xhat", "multiple of the input"),
        ("mean xhat", "a + b x"),
    ],
)
def test_a_mean_left_out_where_the_layer_normalises(terms, says):
    x = np.random.default_rng(0).standard_normal((B, T, 6))
    assert hints(Normalise(""), x) == {}
    assert says in hints(Normalise(terms), x)["input"]


def test_a_mean_left_out_beside_a_residual():
    assert "it is off by a constant along the last axis" in hints(Centre())["input"]


def test_overwriting_instead_of_adding():
    class Overwrites(Dense):
        def backward(self, dy):
            self.dW, self.db = np.zeros_like(self.dW), np.zeros_like(self.db)
            return super().backward(dy)

    says = "backward overwrites it instead of adding to it: write += instead of ="
    assert hints(Overwrites()) == {"W": says, "b": says}


def test_a_sum_missing_altogether():
    class Unsummed(Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db = dy
            return dx

    says = "its shape is (2, 3, 5), but should be (5,): a sum is missing, over axes 0 and 1"
    assert hints(Unsummed()) == {"b": says}


class Residual:
    """y = x + tanh(x)."""

    def __init__(self, times):
        self.times = times

    def forward(self, x):
        self.y = np.tanh(x)
        return x + self.y

    def backward(self, dy):
        return self.times * dy + dy * (1 - self.y**2)


class Square:
    """y = x^2."""

    def __init__(self, power):
        self.power = power

    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dy):
        return 2 * self.x * dy**self.power


class Centre:
    """y = x + (x - mean(x)), whose backward leaves the mean out."""

    def forward(self, x):
        return x + x - x.mean(-1, keepdims=True)

    def backward(self, dy):
        return 2 * dy


class Normalise:
    """(x - mean) / standard deviation, whose backward leaves terms out."""

    def __init__(self, left_out):
        self.left_out = left_out

    def forward(self, x):
        centred = x - x.mean(-1, keepdims=True)
        self.rstd = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        self.xhat = centred * self.rstd
        return self.xhat

    def backward(self, g):
        mean = 0 if "mean" in self.left_out else g.mean(-1, keepdims=True)
        along = 0 if "xhat" in self.left_out else self.xhat * (g * self.xhat).mean(-1, keepdims=True)
        return self.rstd * (g - mean - along)
