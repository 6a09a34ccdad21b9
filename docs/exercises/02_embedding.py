"""Exercise 2: the backward pass of a look-up.

y = weight[ids]: row weight[i] is copied to every place where ids has the value i. ids is (B, T), weight is (V, C) and y
is (B, T, C).

Hint: a row that was copied to three places affects the loss at all three.

The bug that people make: in NumPy, `dweight[ids] += dy` adds only once for an id that occurs several times. The first
release of autograd did this: https://github.com/HIPS/autograd/issues/39

    numgpt gradcheck docs/exercises/02_embedding.py
"""

import numpy as np

import numgpt


def embedding_backward(dy, ids, dweight):
    """Adds to dweight, in place; ids have no gradient."""
    raise NotImplementedError("dweight")


class Embedding:
    def __init__(self, V, C):
        self.weight, self.dweight = np.ones((V, C)), np.zeros((V, C))

    def forward(self, ids):
        self.ids = ids
        return self.weight[ids]

    def backward(self, dy):
        embedding_backward(dy, self.ids, self.dweight)


def check():
    return numgpt.check_layer(Embedding(7, 4), np.array([[3, 1, 3], [0, 3, 5]]))
