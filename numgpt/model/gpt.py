"""GPT-2 (Radford et al. 2019): embed the tokens, run a stack of blocks, normalise, score every token."""

import math
import os
from typing import Any

import numpy as np

from numgpt.backend import check_device, check_memory, float_type, to_host
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import check_path, quoted
from numgpt.layers import Dropout, Embedding, Layer, LayerNorm, TiedCrossEntropy, TiedHead
from numgpt.layers.base import Array, inferring
from numgpt.layers.inputs import check_integers
from numgpt.layers.loss import IGNORE
from numgpt.model.block import Block, check_config
from numgpt.model.cache import KVCache
from numgpt.model.recompute import RecomputedBlock
from numgpt.numbers import check_seed

BLOCK_IN_PYTHON = 12_000  # bytes that a block's Python objects take, however small its arrays


class GPT(Layer):
    """A GPT-2 of any size; attribute paths are the published parameter names (`model.h[0].attn.c_attn.weight`).

    Maps B sequences of T token ids, T <= n_ctx, to logits over the V tokens that may follow each position:

        x      = dropout( wte[ids] + wpe[0..T-1] )      (B, T, C)
        x      = h[i](x) for every block i
        logits = ln_f(x) @ wte^T                        (B, T, V)

    backward works through the same list from the bottom up. wte collects gradient at both ends; the rows of wpe were
    added to every sequence of the batch, so their gradient is a sum over B.

    config: a GPTConfig. seed: draws the initial weights and the dropout masks; None leaves the weights zero, for a
    checkpoint to fill. dtype: "float32" or "float64". device: "cpu", or "cuda" for a GPU; a seed gives the same weights
    on both. recompute: whether training saves memory at the cost of a second forward pass (model/recompute.py). ids and
    targets are on the host, logits on the device. A new model is in eval mode. Raises InputError for another dtype or
    device, for a device that cannot be used, and for a model that does not fit into its memory.

    Generation uses two more attributes, which `numgpt.load` sets: n_tokens, the number of ids that the tokenizer knows
    (many published models have more rows in wte, which are never chosen), and end_of_text, the ids that end a text.
    """

    def __init__(
        self,
        config: GPTConfig,
        seed: int | None = 0,
        dtype: Any = "float32",
        device: str = "cpu",
        recompute: bool = False,
    ) -> None:
        super().__init__()
        check_config(config)
        check_device(device)
        dtype = float_type(dtype)
        check_memory(
            config.n_parameters * dtype.itemsize + config.n_layer * BLOCK_IN_PYTHON,
            f"a model of {quoted(config.n_parameters)} parameters in {dtype}",
            device,
        )
        self.config = config
        self.device = device
        self.n_tokens = config.n_vocab
        self.end_of_text: tuple[int, ...] = ()
        self.rng = np.random.default_rng(check_seed(seed))
        self.wte = Embedding(config.n_vocab, config.n_embd, seed=None)
        self.wpe = Embedding(config.n_ctx, config.n_embd, seed=None)
        self.drop = Dropout(config.dropout, self.rng)
        block = RecomputedBlock if recompute else Block
        self.h = [block(config, i, self.rng, seed=None) for i in range(config.n_layer)]
        self.ln_f = LayerNorm(config.n_embd, config.layer_norm_epsilon, seed=None)
        self.lm_head = self.wte if config.tie_word_embeddings else Embedding(config.n_vocab, config.n_embd, seed=None)
        self.head = TiedHead(self.lm_head)  # for logits
        self.criterion = TiedCrossEntropy(self.lm_head)  # for training: the head and the loss in one
        self.allocate(dtype, device)
        if seed is not None:
            self.initialise_all(self.rng)

    def initialise_all(self, rng: np.random.Generator) -> None:
        """Draw the initial weights: N(0, 0.02^2); biases are 0, LayerNorm weights 1.

        A block's two projections into the residual stream are scaled by 1/sqrt(2 n_layer), so that the stream's
        variance does not grow with depth (Radford et al. 2019, section 2.3: 1/sqrt(N) for N residual layers).
        """
        super().initialise_all(rng)
        for block in self.h:
            block.attn.c_proj.weight *= 1 / math.sqrt(2 * self.config.n_layer)
            block.mlp.c_proj.weight *= 1 / math.sqrt(2 * self.config.n_layer)

    def forward(self, ids: Any) -> Array:
        """Logits (B, T, V) for ids (B, T); keeps nothing for backward, and leaves what an earlier `loss` kept.

        Raises InputError for ids that are not whole numbers in [0, V), not (B, T), empty, or longer than n_ctx.
        """
        ids = self.check_ids(ids)
        with inferring():
            return self.head.forward(self.final_states(ids))

    def next_logits(self, ids: Any, cache: KVCache) -> Array:
        """Logits (B, V) for the token after ids (B, T), which continue the sequences in `cache` and are added to it.

        Raises InputError as `forward` does, and for a cache of another model or batch size.
        """
        if not isinstance(cache, KVCache) or not cache.fits(self):
            raise InputError(f"cache must be a KVCache of this model, not {quoted(cache)}")
        ids = self.check_ids(ids, past=cache.length)
        if len(ids) != cache.batch:
            raise InputError(f"the cache is for {cache.batch} sequences, but ids hold {len(ids)}")
        with inferring():
            return self.head.forward(self.final_states(ids, cache)[:, -1])

    def loss(self, ids: Any, targets: Any) -> float:
        """Mean cross-entropy, in nats, of predicting targets (B, T) from ids (B, T); a target of -1 does not count.

        Keeps what `backward` needs, in place of what an earlier call kept. Raises InputError as `forward` does, and
        for targets of another shape or outside [-1, V).
        """
        ids = self.check_ids(ids)
        targets = self.check_targets(targets, ids)
        return self.criterion.forward(self.final_states(ids), targets)

    def backward(self) -> None:
        """Add the gradient of the last `loss` to that of every parameter. Raises RuntimeError if there was none."""
        dx = self.criterion.backward()  # adds to the head's table, which is wte unless untied,
        dx = self.ln_f.backward(dx)
        for block in reversed(self.h):
            dx = block.backward(dx)
        dx = self.drop.backward(dx)
        self.wte.backward(dx)  # adds the gradient of the look-up
        self.wpe.backward(dx.sum(0))

    def final_states(self, ids: np.ndarray, cache: KVCache | None = None) -> Array:
        """The normalised output of the last block, (B, T, C)."""
        T = ids.shape[1]
        positions = np.arange(T) if cache is None else cache.positions(T)
        x = self.wte.forward(ids) + self.wpe.forward(positions)
        x = self.drop.forward(x)
        caches = cache.layers if cache else [None] * len(self.h)
        for block, layer_cache in zip(self.h, caches, strict=True):
            x = block.forward(x, layer_cache)
        return self.ln_f.forward(x)

    def save(self, folder: str | os.PathLike[str], max_shard_size: int | str | None = None) -> None:
        """Write `model.safetensors` and `config.json`, which the transformers library loads too.

        max_shard_size: bytes, or a text such as "200MB"; a larger model is split into files of at most that size, or of
        one larger tensor, with an index. Raises InputError for an invalid size or folder, OSError if writing fails.
        """
        from numgpt.checkpoint import save_checkpoint

        folder = check_path(folder, "folder")
        parameters = {name: to_host(value) for name, value, _ in self.named_parameters()}
        save_checkpoint(folder, self.config, parameters, max_shard_size=max_shard_size, end_of_text=self.end_of_text)

    def check_ids(self, ids: Any, past: int = 0) -> np.ndarray:
        """`ids` as an int array, which follow `past` ids read before. Raises InputError as `forward` does."""
        ids = check_integers(ids, "ids", 0, self.config.n_vocab)
        if ids.ndim != 2 or ids.size == 0:
            raise InputError(
                f"ids must be (B, T), a batch of sequences of at least one token, but have shape {ids.shape}"
            )
        if past + ids.shape[1] > self.config.n_ctx:
            raise InputError(
                f"{past + ids.shape[1]} tokens do not fit the context of {self.config.n_ctx} (n_ctx): shorten the text"
            )
        return ids

    def check_targets(self, targets: Any, ids: np.ndarray) -> np.ndarray:
        """`targets` as an int array of the shape of ids. Raises InputError as `loss` does."""
        targets = check_integers(targets, "targets", IGNORE, self.config.n_vocab)
        if targets.shape != ids.shape:
            raise InputError(f"targets have shape {targets.shape}, but ids {ids.shape}: there must be one for each id")
        return targets


def check_model(model: Any) -> None:
    """Raise InputError unless `model` is a GPT."""
    if not isinstance(model, GPT):
        raise InputError(f"model must be a GPT, not {quoted(model)}")
