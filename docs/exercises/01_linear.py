"""Exercise 1: the backward pass of a linear layer.

y = x @ weight + bias, with x (..., n_in), weight (n_in, n_out), bias (n_out,). Given dy, the gradient of the loss at y,
find the gradients of the loss at x, weight and bias.

Hint: write y[n,o] as a sum, and ask which factor multiplies each weight[i,o]. Every row n uses the same weight, so the
gradient of the weight is a sum over all rows. The shapes then leave only one way to write that sum as a matrix product.

The bug that people make: they write `=` instead of `+=`. A weight that is used twice then keeps the gradient of only
one of its uses: https://github.com/BVLC/caffe/pull/3254

    numgpt gradcheck docs/exercises/01_linear.py
"""

import numpy as np

import numgpt


def linear_backward(dy, x, weight, dweight, dbias):
    """dx; adds to dweight and dbias, in place."""
    raise NotImplementedError("dx, dweight and dbias")


class Linear:
    def __init__(self, n_in, n_out):
        self.weight, self.dweight = np.ones((n_in, n_out)), np.zeros((n_in, n_out))
        self.bias, self.dbias = np.zeros(n_out), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dy):
        return linear_backward(dy, self.x, self.weight, self.dweight, self.dbias)


def check():
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    return numgpt.check_layer(Linear(4, 5), x)
