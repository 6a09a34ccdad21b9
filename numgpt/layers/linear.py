"""The affine map that attention and the feed-forward network are made of."""

from numgpt.kernels import add_product, matmul
from numgpt.layers.base import Layer, draw_normal


class Linear(Layer):
    """Multiply by a matrix and add a bias, at every position alike.

    x, dx are (..., n_in); y, dy are (..., n_out); weight is (n_in, n_out), as GPT-2 publishes it; bias is (n_out,).
    The leading axes are flattened to N rows, so that all positions are one matrix product.

        y[n,o] = sum_i x[n,i] weight[i,o] + bias[o]            y  = x @ weight + bias

    Backward: weight[i,o] carries x[n,i] to y[n,o] in every row n, so its gradient sums over the rows;
    x[n,i] reaches every y[n,o], so its gradient sums over the outputs.

        dweight[i,o] = sum_n x[n,i] dy[n,o]                    dweight = x^T @ dy
        dbias[o]     = sum_n dy[n,o]                           dbias   = sum_n dy
        dx[n,i]      = sum_o dy[n,o] weight[i,o]               dx      = dy @ weight^T
    """

    def __init__(self, n_in, n_out):
        super().__init__()
        self.parameter("weight", n_in, n_out)
        self.parameter("bias", n_out)

    def initialise(self, rng):
        draw_normal(rng, self.weight, 0.02)
        self.bias[...] = 0

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        self.keep(rows)
        y = matmul(rows, self.weight)
        y += self.bias
        return y.reshape(*x.shape[:-1], -1)

    def backward(self, dy):
        (rows,) = self.take()
        dy_rows = dy.reshape(-1, dy.shape[-1])
        add_product(self.dweight, rows.T, dy_rows)
        self.dbias += dy_rows.sum(0)
        return matmul(dy_rows, self.weight.T).reshape(*dy.shape[:-1], -1)
