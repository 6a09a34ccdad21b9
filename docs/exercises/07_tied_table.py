"""Exercise 7: one table at both ends of a model.

GPT-2 looks up its tokens in the same table that scores them at the end. Here there is only a tanh between the two uses:

    x = tanh(table[ids])        logits = x @ table^T

ids is (B, T), table (V, C), x (B, T, C), logits (B, T, V). Given dlogits, find dtable.

Hint: pretend that there are two tables, find the gradient of each, and add the two gradients.

The bug that people make: the gradient of one use is lost, or the two uses have separate copies that take separate steps
and drift apart. https://github.com/paiml/entrenar/issues/314

    numgpt gradcheck docs/exercises/07_tied_table.py
"""

import numpy as np

import numgpt


def tied_backward(dlogits, ids, x, table, dtable):
    """Adds to dtable, in place, what both ends give. The slope of tanh at x = tanh(...) is 1 - x * x."""
    raise NotImplementedError("dtable, from the head and from the look-up")


class Tied:
    def __init__(self, V, C):
        self.table, self.dtable = np.ones((V, C)), np.zeros((V, C))

    def forward(self, ids):
        self.ids, self.x = ids, np.tanh(self.table[ids])
        return self.x @ self.table.T

    def backward(self, dlogits):
        tied_backward(dlogits, self.ids, self.x, self.table, self.dtable)


def check():
    return numgpt.check_layer(Tied(7, 4), np.array([[3, 1, 3], [0, 3, 5]]))
