"""The first Transformer (Vaswani et al. 2017): an encoder reads one text, a decoder writes another."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from numgpt.backend import check_device, check_memory, float_type
from numgpt.config import TransformerConfig
from numgpt.errors import InputError
from numgpt.files import check_path, quoted
from numgpt.layers import Embedding, Layer, LayerNorm, PlacedEmbedding, SmoothedCrossEntropy, TiedHead
from numgpt.layers.base import Array, inferring
from numgpt.layers.inputs import check_texts
from numgpt.layers.loss import IGNORE
from numgpt.model.cache import LayerCache
from numgpt.model.transformer_blocks import DecoderBlock, EncoderBlock, draw_weights, encode, encode_backward
from numgpt.numbers import check_seed

PAD, BEGIN, END = 0, 1, 2  # ids: the padding of a batch, and the first and the last id of a target text


class Transformer(Layer):
    """An encoder reads `src`, (B, S) ids; a decoder writes `tgt`, (B, T) ids; the two share one table of tokens.

        memory = encoder( embed(src) )                (B, S, C)    every position sees every other, but no padding
        x      = decoder( embed(tgt), memory )        (B, T, C)    a position sees those before it, and the memory
        logits = x @ table^T                          (B, T, V)    for the token after each position

    Texts in a batch are padded with the id 0; tgt begins with 1 and ends with 2. backward runs down the decoder; each
    of its blocks adds to the gradient of the memory, which then runs down the encoder. The table collects gradient in
    three places: at the head, at tgt and at src.

    config: a TransformerConfig. seed: draws the initial weights and the dropout masks; None leaves the weights zero.
    dtype: "float32" or "float64". device: "cpu" or "cuda". A new model is in eval mode. Raises InputError for another
    dtype or device, for a device that cannot be used, and for a model that does not fit into its memory.
    """

    def __init__(
        self, config: TransformerConfig, seed: int | None = 0, dtype: Any = "float32", device: str = "cpu"
    ) -> None:
        super().__init__()
        if not isinstance(config, TransformerConfig):
            raise InputError(f"config must be a TransformerConfig, not {quoted(config)}")
        check_device(device)
        dtype = float_type(dtype)
        what = f"a model of {quoted(config.n_parameters)} parameters in {dtype}"
        check_memory(config.n_parameters * dtype.itemsize, what, device)
        self.config, self.device = config, device
        self.rng = np.random.default_rng(check_seed(seed))
        self.table = Embedding(config.vocab, config.d_model, seed=None)
        self.read = PlacedEmbedding(self.table, config.dropout, self.rng)
        self.write = PlacedEmbedding(self.table, config.dropout, self.rng)
        self.encoder = [EncoderBlock(config, self.rng) for _ in range(config.layers)]
        self.decoder = [DecoderBlock(config, self.rng) for _ in range(config.layers)]
        self.encoder_norm = LayerNorm(config.d_model, config.eps, seed=None) if config.final_norm else None
        self.decoder_norm = LayerNorm(config.d_model, config.eps, seed=None) if config.final_norm else None
        self.head = TiedHead(self.table)
        self.criterion = SmoothedCrossEntropy(self.table)
        self.allocate(dtype, device)
        if seed is not None:
            self.initialise_all(self.rng)

    def initialise_all(self, rng: np.random.Generator) -> None:
        """Draw the initial weights as `draw_weights` does; biases start at 0, LayerNorm weights at 1."""
        super().initialise_all(rng)
        draw_weights(self, self.table, rng)

    def forward(self, src: Any, tgt: Any) -> Array:
        """Logits (B, T, V) for the token after each token of tgt; nothing is kept for backward.

        Raises InputError for ids that are not whole numbers in [0, V), not (B, S) and (B, T), or empty.
        """
        src, tgt = self.check_pair(src, tgt)
        with inferring():
            return self.head.forward(self.states(src, tgt))

    def loss(self, src: Any, tgt: Any, label_smoothing: float = 0.1) -> float:
        """Mean cross-entropy, in nats, of each token of tgt after the first, given src and the tokens before it.

        tgt has its begin and end marks; padding does not count. label_smoothing: see layers/smoothing.py. Keeps what
        `backward` needs. Raises InputError as `forward` does, for a smoothing not in [0, 1], and if no token counts.
        """
        src, tgt = self.check_pair(src, tgt)
        targets = np.where(tgt[:, 1:] == PAD, IGNORE, tgt[:, 1:])
        if not targets.size:
            raise InputError("tgt must have a token after its begin mark: there is nothing to predict")
        return self.criterion.forward(self.states(src, tgt[:, :-1]), targets, label_smoothing)

    def backward(self) -> None:
        """Add the gradient of the last `loss` to that of every parameter. Raises RuntimeError if there was none."""
        dx = self.criterion.backward()  # adds to the table,
        if self.decoder_norm:
            dx = self.decoder_norm.backward(dx)
        dmemory: Any = 0
        for block in reversed(self.decoder):
            dx, part = block.backward(dx)
            dmemory = dmemory + part
        self.write.backward(dx)  # and so does this,
        self.read.backward(encode_backward(dmemory, self.encoder, self.encoder_norm))  # and this

    def states(self, src: np.ndarray, tgt: np.ndarray) -> Array:
        """The decoder's output, (B, T, C), before the head."""
        memory, padding = self.memory_of(src)
        x = self.write.forward(tgt)
        for block in self.decoder:
            x = block.forward(x, memory, padding)
        return self.decoder_norm.forward(x) if self.decoder_norm else x

    def memory_of(self, src: np.ndarray) -> tuple[Array, Array]:
        """The encoder's output, (B, S, C), and which of its positions are padding, (B, S) bool."""
        x = self.read.forward(src)
        padding = np.asarray(src == PAD, like=x)
        return encode(x, padding, self.encoder, self.encoder_norm), padding

    def encode(self, src: Any) -> Array:
        """The memory (B, S, C) for texts of ids (B, S). Raises InputError as `forward` does."""
        src = self.check_ids(src, "src")
        with inferring():
            return self.memory_of(src)[0]

    def decode(self, ids: Any, cache: "TransformerCache") -> Array:
        """Logits (B, V) for the token after ids (B, T), which continue the texts in `cache` and are added to it.

        Raises InputError as `forward` does, and for a cache of another batch size.
        """
        ids = self.check_ids(ids, "ids")
        if not isinstance(cache, TransformerCache) or len(ids) != len(cache.padding):
            raise InputError("cache must be a TransformerCache of this model, with as many texts as ids has rows")
        with inferring():
            x = self.write.forward(ids, first=cache.length)
            for block, written, (k, v) in zip(self.decoder, cache.written, cache.read, strict=True):
                x = block.decode(x, k, v, cache.padding, written)
            return self.head.forward(self.decoder_norm.forward(x) if self.decoder_norm else x)[:, -1]

    @staticmethod
    def from_pytorch(
        config: TransformerConfig, weights: Mapping[str, Any], dtype: Any = None, device: str = "cpu"
    ) -> "Transformer":
        """A model with the weights of PyTorch's nn.TransformerEncoder and nn.TransformerDecoder: name -> array.

        `numgpt.model.pytorch_names` lists the names. dtype: None takes that of the table. Raises InputError for names
        or shapes that are not the model's.
        """
        from numgpt.model.pytorch_names import fill

        if dtype is None:
            dtype = np.asarray(weights.get("table", np.float32(0))).dtype
        model = Transformer(config, seed=None, dtype=dtype, device=device)
        fill(model, weights)
        return model

    def to_pytorch(self, gradients: bool = False) -> dict[str, np.ndarray]:
        """name -> array on the host, with PyTorch's names and shapes: each parameter, or its gradient."""
        from numgpt.model.pytorch_names import as_pytorch

        return as_pytorch(self, gradients)

    def save(self, folder: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write `model.safetensors`, under PyTorch's names, and `config.json`.

        dtype: "float16", "float32" or "float64". Raises InputError for another dtype or an invalid folder name, OSError
        if writing fails.
        """
        from numgpt.checkpoint import save_transformer

        save_transformer(check_path(folder, "folder"), self.config, self.to_pytorch(), dtype)

    @staticmethod
    def load(folder: str | os.PathLike[str], dtype: str = "float32", device: str = "cpu") -> "Transformer":
        """The model that `save` wrote, whatever type the file has; `numgpt.load_transformer` loads its tokenizer too.

        Raises InputError for a folder without a Transformer or with a damaged one; OSError if reading fails.
        """
        from numgpt.checkpoint import open_transformer

        float_type(dtype)
        stored = open_transformer(check_path(folder, "folder"))
        weights = stored.read(dtype)
        try:
            return Transformer.from_pytorch(stored.config, weights, dtype, device)
        except InputError as error:
            raise InputError(f"{stored.path}: {error}") from None

    def check_pair(self, src: Any, tgt: Any) -> tuple[np.ndarray, np.ndarray]:
        """Both as int arrays. Raises InputError as `forward` does."""
        src, tgt = self.check_ids(src, "src"), self.check_ids(tgt, "tgt")
        if len(src) != len(tgt):
            raise InputError(f"src holds {len(src)} texts, but tgt {len(tgt)}: there must be one for each")
        return src, tgt

    def check_ids(self, ids: Any, name: str) -> np.ndarray:
        """`ids` as an int array. Raises InputError as `forward` does."""
        return check_texts(ids, name, self.config.vocab)


class TransformerCache:
    """The keys and values for decoding: those of the source texts, computed once, and of the tokens written so far.

    model: a Transformer. src: ids (B, S). Raises InputError as `Transformer.forward` does.
    """

    def __init__(self, model: Transformer, src: Any) -> None:
        src = model.check_ids(src, "src")
        with inferring():
            memory, self.padding = model.memory_of(src)
            self.read = [block.cross.keys_and_values(memory) for block in model.decoder]
        self.texts = np.arange(len(src))  # the row of `src` that each row reads
        H, D = model.config.heads, model.config.d_model // model.config.heads
        empty = np.empty_like(memory, shape=(len(memory), H, 0, D))
        self.written = [LayerCache(empty, empty, sys.maxsize, None) for _ in model.decoder]

    @property
    def length(self) -> int:
        """How many tokens of each text have been written."""
        return self.written[0].length

    def choose(self, rows: Any) -> None:
        """Continue with these rows, (R,) ints, in this order: a row may be left out, or come several times."""
        before, self.texts = self.texts, self.texts[rows]
        rows = np.asarray(rows, like=self.padding)
        if not np.array_equal(self.texts, before):  # beams that change places read the same text as before
            self.padding = self.padding[rows]
            self.read = [(k[rows], v[rows]) for k, v in self.read]
        for cache in self.written:
            cache.keys, cache.values = cache.keys[rows], cache.values[rows]
