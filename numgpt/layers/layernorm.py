"""Layer normalisation (Ba, Kiros and Hinton 2016, section 3)."""

from numgpt.kernels import layernorm, layernorm_backward
from numgpt.layers.base import Layer


class LayerNorm(Layer):
    """Bring each position to mean 0 and variance 1, then scale and shift.

    x, y, dy, dx are (..., C); weight, bias are (C,); rstd, one over the standard deviation, is (..., 1).

        mu   = mean_C(x)             rstd = 1 / sqrt(mean_C((x - mu)^2) + eps)
        xhat = (x - mu) * rstd       y    = xhat * weight + bias

    Backward, where g = dy * weight is the gradient at xhat, and sums run over all positions:

        dbias = sum(dy)              dweight = sum(dy * xhat)
        dx    = rstd * (g - mean_C(g) - xhat * mean_C(g * xhat))

    Where dx comes from: xhat_i depends on x_j directly, through mu and through rstd,

        d xhat_i / d x_j = rstd * ( [i = j] - 1/C - xhat_i xhat_j / C )

    and dx_j sums g_i times that over i. The two means take out of g the part that would shift or stretch
    x, which the layer undoes. eps is inside rstd, and the formula is exact with it.
    """

    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.parameter("weight", n_embd)
        self.parameter("bias", n_embd)

    def initialise(self, rng):
        self.weight[...] = 1
        self.bias[...] = 0

    def forward(self, x):
        y, xhat, rstd = layernorm(x, self.weight, self.bias, self.eps)
        self.keep(xhat, rstd)
        return y

    def backward(self, dy):
        xhat, rstd = self.take()
        return layernorm_backward(dy, xhat, rstd, self.weight, self.dweight, self.dbias)
