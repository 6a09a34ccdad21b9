"""What this machine can do: the matrix products of a piece of work by themselves, in NumPy, into warm buffers.

A share of the limit is the seconds of the products divided by the seconds of the work. Attention's products count for
the half of T x T that the mask leaves, at the overall rate of the others, so that the limit does not depend on how a
program cuts attention into blocks.
"""

import time
from dataclasses import dataclass
from statistics import median

import numpy as np

SHORTEST = 0.1  # seconds: short products are repeated until they are over


@dataclass
class Product:
    """A product a @ b, which the work has `times` times; `out`, where it is written, is the same in every call."""

    a: np.ndarray
    b: np.ndarray
    times: int = 1
    out: np.ndarray = None

    def __post_init__(self):
        if self.out is None:
            self.out = np.zeros((len(self.a), self.b.shape[1]), self.a.dtype)
        self.flops = 2 * self.a.shape[0] * self.a.shape[1] * self.b.shape[1] * self.times
        self.n_bytes = self.b.nbytes * self.times


@dataclass
class Limit:
    """The products of a piece of work; `masked_flops` are those of attention."""

    products: list
    masked_flops: int = 0

    def __post_init__(self):
        self.flops = sum(product.flops for product in self.products) + self.masked_flops
        self.n_bytes = sum(product.n_bytes for product in self.products)

    def seconds(self):
        """The seconds that the products take now, one after the other, so that none finds its matrix in the cache."""
        rounds, start = [], time.perf_counter()
        while not rounds or time.perf_counter() - start < SHORTEST:
            rounds.append(sum(product.times * call_seconds(product) for product in self.products))
        return median(rounds) * self.flops / (self.flops - self.masked_flops)


def call_seconds(product):
    """Seconds of one call."""
    start = time.perf_counter()
    np.matmul(product.a, product.b, out=product.out)
    return time.perf_counter() - start


def matrices(config):
    """(how many, n_in, n_out) of the Linear layers of a GPT."""
    L, C = config.n_layer, config.n_embd
    return [(L, C, 3 * C), (L, C, C), (L, C, 4 * C), (L, 4 * C, C)]


def training_limit(config, B, T):
    """Forward, dweight and dx of every Linear layer and of the head at B * T rows, and attention."""
    products = []
    for times, n_in, n_out in [*matrices(config), (1, config.n_embd, config.n_vocab)]:
        x, y = filled(B * T, n_in), filled(B * T, n_out)
        weight = head(config) if n_out == config.n_vocab else filled(n_in, n_out)
        products += [Product(x, weight, times, y), Product(x.T, y, times), Product(y, weight.T, times)]
    return Limit(products, 6 * attention_flops(config, B, T))


def forward_limit(config, B, T, head_rows):
    """Every Linear layer at B * T rows, the head at `head_rows` of them, and attention."""
    products = [Product(filled(B * T, n_in), filled(n_in, n_out), n) for n, n_in, n_out in matrices(config)]
    products.append(Product(filled(head_rows, config.n_embd), head(config)))
    return Limit(products, 2 * attention_flops(config, B, T))


def decoding_limit(config, B):
    """B rows times every matrix, each in memory of its own as in a model: all weights are read once."""
    products = [Product(filled(B, n_in), filled(n_in, n_out)) for n, n_in, n_out in matrices(config) for _ in range(n)]
    return Limit([*products, Product(filled(B, config.n_embd), head(config))])


def attention_flops(config, B, T):
    """One of attention's products in all layers, T x T x D for every head, half of it masked."""
    return config.n_layer * B * T * T * config.n_embd


def head(config):
    """The tied head as a matrix (C, V), the transpose of the (V, C) table of tokens."""
    return filled(config.n_vocab, config.n_embd).T


def filled(*shape):
    """Random numbers in [0, 1), in memory that has been written to."""
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def shares(limit, seconds, work):
    """The entries of a row: the limit, its rates, and the share of it that each side reaches.

    seconds: medians of the limit. work: {"peer": seconds, "numgpt": seconds} of what the limit is for.
    """
    alone = median(seconds)
    return {
        "limit_seconds": alone,
        "limit_gflops": limit.flops / alone / 1e9,
        "limit_gbytes_per_second": limit.n_bytes / alone / 1e9,
        "peer_share": alone / work["peer"],
        "numgpt_share": alone / work["numgpt"],
    }
