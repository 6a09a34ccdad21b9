"""check_layer on layers of other people: what is right passes, what is wrong does not, nothing is left changed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import numgpt
from numgpt import GPT, GPTConfig, InputError, check_layer
from numgpt.gradcheck.whole import check_model
from numgpt.layers import Attention, CrossEntropy, Dropout, Embedding, FeedForward, Layer, LayerNorm, ReLU
from numgpt.model import Block


@pytest.fixture(scope="module")
def foreign():
    """tests/gradcheck/foreign_layers.py, as a module."""
    spec = importlib.util.spec_from_file_location("foreign_layers", Path(__file__).with_name("foreign_layers.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def faults(layer, *inputs):
    """The hints of the rows that are wrong besides gradients."""
    return " ".join(row.hint for row in check_layer(layer, *inputs) if row.tensor == "calls")


@pytest.mark.parametrize(
    ("name", "arguments", "tensors", "method"),
    [
        ("RMSNorm", (6,), ["input", "weight"], "complex step"),
        ("SwiGLU", (6, 4), ["input", "gate", "up", "down"], "complex step"),
        ("CausalConv", (6,), ["input", "weight", "bias"], "differences in float32"),
        ("ALiBi", (6, 2), ["input", "qkv.W", "out.W"], "complex step"),
    ],
)
def test_right_layers_of_other_people(foreign, name, arguments, tensors, method):
    rows = check_layer(getattr(foreign, name)(*arguments), random(2, 5, 6))
    assert rows.ok, rows
    assert [row.tensor for row in rows] == tensors
    assert {(row.kind, row.method) for row in rows} == {("layer", method)}


def test_a_wrong_layer_and_its_words(foreign):
    rows = check_layer(foreign.WrongRMSNorm(6), random(2, 5, 6))
    assert not rows.ok
    assert {row.tensor: row.hint for row in rows} == {
        "input": "it is off by a multiple of the input in each row: is xhat * mean(g * xhat) left out?",
        "weight": "backward overwrites it instead of adding to it: write += instead of =",
    }
    table = repr(rows).splitlines()
    assert table[0].split() == ["tensor", "shape", "error", "at", "most", "by"]
    assert "WRONG: backward overwrites it" in table[2]
    assert table[-1] == "2 rows, 2 wrong"


def test_arrays_without_a_gradient_are_named(foreign):
    rows = check_layer(foreign.ALiBi(6, 2), random(2, 5, 6))
    assert repr(rows).endswith("not checked, as there is no gradient called d...: slopes")


@pytest.mark.parametrize(
    "make",
    [
        lambda: LayerNorm(6),
        lambda: Attention(6, 3, 0.2).train(),
        lambda: FeedForward(6, act=ReLU()),
        lambda: Block(GPTConfig(n_embd=6, n_head=2, dropout=0.1)).train(),
        lambda: LayerNorm(6, seed=None),
    ],
)
def test_layers_of_ours(make):
    rows = check_layer(make(), random(2, 5, 6))
    assert rows.ok, rows


def test_integers_and_losses():
    assert [row.tensor for row in check_layer(Embedding(5, 3), np.array([[0, 1, 1], [1, 2, 3]]))] == ["weight"]
    assert check_layer(CrossEntropy(), random(2, 3, 6), np.array([[0, 5, -1], [2, 2, 2]])).ok


def test_two_inputs_and_a_tuple_of_gradients():
    class Product:
        def forward(self, a, b):
            self.a, self.b = a, b
            return a * b

        def backward(self, dy):
            return dy * self.b, dy * self.a

    class Swapped(Product):
        def backward(self, dy):
            return dy * self.a, dy * self.b

    class One(Product):
        def backward(self, dy):
            return dy * self.b

    x = random(2, 3, 4)
    assert [row.tensor for row in check_layer(Product(), x[0], x[1])] == ["input a", "input b"]
    assert check_layer(Product(), x[0], x[1]).ok
    assert [row.ok for row in check_layer(Swapped(), x[0], x[1])] == [False, False]
    assert check_layer(One(), x[0], x[1])[1].hint == "backward returns no gradient for it"


def test_differences_where_complex_numbers_lose_something(recwarn):
    class Absolute:
        def forward(self, x):
            self.x = x
            return np.abs(x) + x * x

        def backward(self, dy):
            return dy * (np.sign(self.x) + 2 * self.x)

    class IntoFloats:
        def forward(self, x):
            self.x = x
            y = np.empty(x.shape)
            y[...] = x * x
            return y

        def backward(self, dy):
            return dy * 2 * self.x

    for layer in Absolute(), IntoFloats():
        rows = check_layer(layer, random(2, 3, 4))
        assert rows.ok, rows
        assert rows[0].method == "differences"
    assert not recwarn.list


def test_float32_inside_is_given_a_tolerance_that_suits_it(foreign):
    class Rounded(foreign.RMSNorm):
        def forward(self, x):
            return super().forward(x.astype(np.float32)).astype(np.float32)

    class BackwardRounded(foreign.RMSNorm):
        def backward(self, dy):
            return super().backward(dy).astype(np.float32)

    assert {row.method for row in check_layer(Rounded(6), random(2, 3, 6))} == {"differences in float32"}
    assert check_layer(Rounded(6), random(2, 3, 6)).ok
    rows = check_layer(BackwardRounded(6), random(2, 3, 6))
    assert [(row.method, row.tolerance) for row in rows] == [("complex step, float32", 1e-5), ("complex step", 1e-10)]
    assert rows.ok, rows


def test_nothing_is_left_changed(foreign):
    for layer in foreign.RMSNorm(6), foreign.CausalConv(6), LayerNorm(6), Block(GPTConfig(n_embd=6, n_head=2)):
        before = everything(layer)
        attributes = dict(vars(layer))
        check_layer(layer, random(2, 3, 6))
        assert all(np.array_equal(a, b) for a, b in zip(everything(layer), before, strict=True))
        assert vars(layer) == attributes


def everything(layer):
    """Copies of all values and gradients."""
    if not hasattr(layer, "named_parameters"):
        return [layer.weight.copy(), layer.dweight.copy()]
    return [array.copy() for _, *pair in layer.named_parameters() for array in pair]


def test_nothing_is_left_changed_by_an_exception(foreign):
    class Breaks(foreign.RMSNorm):
        def backward(self, dy):
            self.dweight += 1
            raise RuntimeError("broken")

    layer = Breaks(6)
    weight, dweight = layer.weight, layer.dweight
    with pytest.raises(RuntimeError, match="broken"):
        check_layer(layer, random(2, 3, 6))
    assert layer.weight is weight
    assert layer.dweight is dweight
    assert not dweight.any()
    assert not hasattr(layer, "x")


def test_what_backward_makes_anew_is_no_parameter(foreign):
    class Keeps(foreign.RMSNorm):
        def backward(self, dy):
            self.dx = super().backward(dy)
            return self.dx

    layer, x = Keeps(6), random(2, 3, 6)
    layer.forward(x)
    layer.backward(x)
    assert [row.tensor for row in check_layer(layer, x)] == ["input", "weight"]


def test_a_gradient_that_is_none_before_the_first_backward(foreign):
    class Late(foreign.RMSNorm):
        def __init__(self, C):
            super().__init__(C)
            self.dweight = None

        def backward(self, dy):
            self.dweight = 0 if self.dweight is None else self.dweight
            return super().backward(dy)

    rows = check_layer(Late(6), random(2, 3, 6))
    assert [row.tensor for row in rows] == ["input", "weight"]
    assert rows.unchecked == []


def test_a_shared_parameter_is_one():
    class Tied:
        def __init__(self):
            self.a = LayerNorm(6)
            self.b = self.a
            self.itself = self

        def forward(self, x):
            return self.a.forward(x)

        def backward(self, dy):
            return self.a.backward(dy)

    rows = check_layer(Tied(), random(2, 6))
    assert [row.tensor for row in rows] == ["input", "a.weight", "a.bias"]
    assert rows.ok, rows
    assert rows.unchecked == []


def test_an_array_that_two_parts_share_is_one_parameter(foreign):
    class Twice:
        def __init__(self):
            self.first, self.second = foreign.RMSNorm(6), foreign.RMSNorm(6)
            self.second.weight, self.second.dweight = self.first.weight, self.first.dweight

        def forward(self, x):
            return self.second.forward(self.first.forward(x))

        def backward(self, dy):
            return self.first.backward(self.second.backward(dy))

    rows = check_layer(Twice(), random(2, 6))
    assert [row.tensor for row in rows] == ["input", "first.weight"]
    assert rows.ok, rows


def test_a_number_can_be_a_parameter():
    class Gain:
        def __init__(self):
            self.gain, self.dgain = 1.0, 0.0

        def forward(self, x):
            self.x = x
            return self.gain * x

        def backward(self, dy):
            self.dgain += (dy * self.x).sum()
            return self.gain * dy

    layer = Gain()
    rows = check_layer(layer, random(2, 6))
    assert [(row.tensor, row.ok) for row in rows] == [("input", True), ("gain", True)]
    assert (layer.gain, layer.dgain) == (1.0, 0.0)


def test_writing_into_the_input_and_into_dy(foreign):
    class WritesInput(foreign.RMSNorm):
        def forward(self, x):
            y = super().forward(x.copy())
            x *= 2
            return y

    class WritesDy(foreign.RMSNorm):
        def backward(self, dy):
            dx = super().backward(dy)
            dy *= 2
            return dx

    class WritesInputLater(foreign.RMSNorm):
        def backward(self, dy):
            dx = super().backward(dy)
            self.x *= 0
            return dx

    x = random(2, 3, 6)
    assert faults(WritesInput(6), x) == "forward writes into input: compute on a copy"
    assert faults(WritesDy(6), x) == "backward writes into dy: compute on a copy"
    assert "backward writes into input" in faults(WritesInputLater(6), x)
    assert "backward, called twice after one forward" in faults(WritesInputLater(6), x)


def test_a_parameter_that_forward_changes(foreign):
    class Changes(foreign.RMSNorm):
        def forward(self, x):
            y = super().forward(x)
            self.weight *= 0.99
            return y

    assert "gives another result when called again" in faults(Changes(6), random(2, 3, 6))

    class BackwardChanges(foreign.RMSNorm):
        def backward(self, dy):
            dx = super().backward(dy)
            self.weight -= 0.01 * self.dweight
            return dx

    wrong = [row.hint for row in check_layer(BackwardChanges(6), random(2, 3, 6)) if not row.ok]
    assert wrong == ["forward or backward changes the parameter weight: only an optimizer should"]


def test_random_numbers_are_held_or_complained_of():
    class Drops:
        def __init__(self, own):
            self.rng = np.random.default_rng(0) if own else None

        def forward(self, x):
            rng = self.rng or np.random.default_rng()
            self.m = rng.random(x.shape) < 0.5
            return x * self.m

        def backward(self, dy):
            return dy * self.m

    assert check_layer(Drops(own=True), random(4, 5)).ok
    assert "gives another result when called again: let it draw from" in faults(Drops(own=False), random(4, 5))


def test_the_generator_goes_on_where_it_was():
    layer = Dropout(0.5, np.random.default_rng(0)).train()
    check_layer(layer, random(4, 5))
    assert layer.rng.random() == np.random.default_rng(0).random()


def test_right_the_first_time_only(foreign):
    class Once(foreign.RMSNorm):
        def backward(self, dy):
            dx = super().backward(dy)
            self.count = getattr(self, "count", 0) + 1
            return dx if self.count < 3 else 0 * dx

    hint = "it is right after the first forward, and wrong after the second"
    assert [row.hint for row in check_layer(Once(6), random(2, 3, 6))][0] == hint


def test_depending_on_nothing():
    class Constant:
        def forward(self, x):
            return np.ones(3)

        def backward(self, dy):
            return np.zeros((2, 3))

    assert faults(Constant(), random(2, 3)) == "forward's result depends on none of its inputs and parameters"


def test_a_gradient_that_is_zero_but_for_rounding():
    """A shift before the mean is taken out."""

    class Shifted:
        def __init__(self):
            self.shift, self.dshift = np.zeros((3, 1)), np.zeros((3, 1))
            self.norm = LayerNorm(6)

        def forward(self, x):
            return self.norm.forward(x + self.shift)

        def backward(self, dy):
            dx = self.norm.backward(dy)
            self.dshift += dx.sum(0).sum(-1, keepdims=True)
            return dx

    rows = check_layer(Shifted(), random(2, 3, 6))
    assert rows.ok, rows


class Half:
    def forward(self, x):
        return x / 2


class Whole(Half):
    def backward(self, dy):
        return dy / 2


class Unmade(Layer):
    def __init__(self):
        pass

    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


@pytest.mark.parametrize(
    ("layer", "inputs", "says"),
    [
        (Half(), (random(3),), "Half has no method backward"),
        (Whole, (random(3),), r"Whole is a class: check an instance of it, Whole\(...\)"),
        (Whole(), (), "Whole.forward cannot be called with 0 inputs: missing a required argument: 'x'"),
        (Whole(), (random(3), random(3)), "cannot be called with 2 inputs"),
        (Whole(), (random(0),), "not be empty"),
        (Whole(), (np.array(["a"]),), "an array of real numbers"),
        (Whole(), (np.array([np.inf]),), "not finite"),
        (Whole(), (np.arange(3),), "there must be 1 to 50,000"),
        (Whole(), (random(50_001),), "hold 50,001 numbers"),
        (Unmade(), (random(3),), r"must begin with super\(\).__init__\(\)"),
    ],
)
def test_what_cannot_be_checked_is_refused(layer, inputs, says):
    with pytest.raises(InputError, match=says):
        check_layer(layer, *inputs)


def test_results_that_cannot_be_checked_are_refused():
    class Returns(Whole):
        def forward(self, x):
            return self.result

    for result, says in (np.array([1, np.nan]), r"returns nan at \[1\]"), (np.arange(3), "one array of floats"):
        layer = Returns()
        layer.result = result
        with pytest.raises(InputError, match=says):
            check_layer(layer, random(3))


def test_an_rmsnorm_that_passes_is_right_inside_the_model(foreign):
    """It keeps its input, so that a block that wrote to it would make its gradients wrong."""
    rng = np.random.default_rng(0)
    model = GPT(GPTConfig(n_vocab=7, n_ctx=6, n_embd=6, n_head=2, n_layer=2), dtype="float64")
    for block in model.h:
        block.ln_1 = foreign.RMSNorm(6)
    assert check_layer(model.h[0].ln_1, random(2, 5, 6)).ok
    rows = check_layer(model.h[0], random(2, 5, 6))
    assert "ln_1.weight" in [row.tensor for row in rows]
    assert rows.ok, rows
    ids, targets = rng.integers(0, 7, (2, 2, 5))
    rows = list(check_model(model, ids, targets, rng, "cpu"))
    assert rows
    assert all(row.ok for row in rows), rows


def test_one_that_writes_into_its_input_does_not_pass(foreign):
    class InPlace(foreign.RMSNorm):
        def forward(self, x):
            self.x = x.copy()
            x /= self.rms(x)
            x *= self.weight
            return x

    assert "forward writes into input" in faults(InPlace(6), random(2, 5, 6))
    block = Block(GPTConfig(n_embd=6, n_head=2))
    block.ln_1 = InPlace(6)
    assert "forward writes into input" in faults(block, random(2, 5, 6))


def test_it_is_reachable():
    assert numgpt.check_layer is numgpt.gradcheck.check_layer
