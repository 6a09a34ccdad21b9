"""One transformer block."""

from numgpt.layers import Attention, FeedForward, Layer, LayerNorm


class Block(Layer):
    """Two steps along the residual stream, each on a normalised copy of it (Radford et al. 2019, section 2.3).

    x, y, dy, dx are (B, T, C).

        h = x + attn( ln_1(x) )
        y = h + mlp( ln_2(h) )

    Backward: a sum passes its gradient on unchanged to both terms, so the stream's own gradient meets none
    of the layers beside it; what comes back through each of them is added.

        dh = dy + ln_2.backward( mlp.backward(dy) )
        dx = dh + ln_1.backward( attn.backward(dh) )

    The stream is updated in place: x becomes y, and dy becomes dx.
    """

    def __init__(self, config, rng):
        super().__init__()
        self.ln_1 = LayerNorm(config.n_embd)
        self.attn = Attention(config.n_embd, config.n_head, config.dropout, rng)
        self.ln_2 = LayerNorm(config.n_embd)
        self.mlp = FeedForward(config.n_embd, config.dropout, rng)

    def forward(self, x, cache=None):
        x += self.attn.forward(self.ln_1.forward(x), cache)
        x += self.mlp.forward(self.ln_2.forward(x))
        return x

    def backward(self, dy):
        dy += self.ln_2.backward(self.mlp.backward(dy))
        dy += self.ln_1.backward(self.attn.backward(dy))
        return dy
