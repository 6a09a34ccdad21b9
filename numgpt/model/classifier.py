"""A text classifier: the encoder of the first Transformer, with a head that scores labels."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numgpt.backend import check_device, check_memory, float_type
from numgpt.config import TransformerConfig
from numgpt.errors import InputError
from numgpt.files import check_path, quoted
from numgpt.layers import CrossEntropy, Embedding, Layer, LayerNorm, Linear, MaskedMean, PlacedEmbedding
from numgpt.layers.base import Array, inferring
from numgpt.layers.inputs import check_texts
from numgpt.model.transformer import PAD
from numgpt.model.transformer_blocks import EncoderBlock, draw_weights, encode, encode_backward
from numgpt.numbers import check_seed


class Classifier(Layer):
    """Scores of K labels for a text, from the mean of the encoder's output over the text's positions.

        memory = encoder( embed(ids) )          (B, S, C)    every position sees every other, but no padding
        pooled = mean of its text's positions   (B, C)       padding left out (layers/masked_mean.py)
        logits = pooled @ W + b                 (B, K)

    Texts in a batch are padded with the id 0. A mean ignores the order of the words, but attention and the positional
    encoding have by then told each position about the others.

    config: a TransformerConfig, of which only the encoder is built. labels: the names of the K classes, at least two.
    seed, dtype, device: as for `Transformer`. A new model is in eval mode. Raises InputError for labels that are not
    distinct texts, and as `Transformer` does.
    """

    def __init__(
        self,
        config: TransformerConfig,
        labels: Sequence[str],
        seed: int | None = 0,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        super().__init__()
        if not isinstance(config, TransformerConfig):
            raise InputError(f"config must be a TransformerConfig, not {quoted(config)}")
        check_device(device)
        dtype = float_type(dtype)
        self.config, self.labels, self.device = config, check_labels(labels), device
        n = config.n_classifier_parameters(len(self.labels))
        check_memory(n * dtype.itemsize, f"a model of {quoted(n)} parameters in {dtype}", device)
        self.rng = np.random.default_rng(check_seed(seed))
        self.table = Embedding(config.vocab, config.d_model, seed=None)
        self.read = PlacedEmbedding(self.table, config.dropout, self.rng)
        self.encoder = [EncoderBlock(config, self.rng) for _ in range(config.layers)]
        self.encoder_norm = LayerNorm(config.d_model, config.eps, seed=None) if config.final_norm else None
        self.pool = MaskedMean()
        self.head = Linear(config.d_model, len(self.labels), seed=None)
        self.criterion = CrossEntropy()
        self.allocate(dtype, device)
        if seed is not None:
            self.initialise_all(self.rng)

    def initialise_all(self, rng: np.random.Generator) -> None:
        """Draw the initial weights as `draw_weights` does; biases start at 0, LayerNorm weights at 1."""
        super().initialise_all(rng)
        draw_weights(self, self.table, rng)

    def forward(self, ids: Any) -> Array:
        """Logits (B, K) for texts of ids (B, S); nothing is kept for backward.

        Raises InputError for ids that are not whole numbers in [0, V), not (B, S), or empty.
        """
        ids = check_texts(ids, "ids", self.config.vocab)
        with inferring():
            return self.logits(ids)

    def loss(self, ids: Any, labels: Any) -> float:
        """Mean cross-entropy, in nats, of predicting labels, (B,) ints in [0, K), or -1 for one that does not count.

        Keeps what `backward` needs. Raises InputError as `forward` does, and for labels of another shape or range.
        """
        return self.criterion.forward(self.logits(check_texts(ids, "ids", self.config.vocab)), labels)

    def backward(self) -> None:
        """Add the gradient of the last `loss` to that of every parameter. Raises RuntimeError if there was none."""
        dmemory = self.pool.backward(self.head.backward(self.criterion.backward()))
        self.read.backward(encode_backward(dmemory, self.encoder, self.encoder_norm))

    def logits(self, ids: np.ndarray) -> Array:
        """The head's output, (B, K), for ids that have been checked."""
        x = self.read.forward(ids)
        padding = np.asarray(ids == PAD, like=x)
        return self.head.forward(self.pool.forward(encode(x, padding, self.encoder, self.encoder_norm), padding))

    @staticmethod
    def from_pytorch(
        config: TransformerConfig,
        labels: Sequence[str],
        weights: Mapping[str, Any],
        dtype: Any = None,
        device: str = "cpu",
    ) -> "Classifier":
        """A model with the weights of PyTorch's nn.TransformerEncoder and an nn.Linear: name -> array.

        `numgpt.model.pytorch_names` lists the names. Otherwise like `Transformer.from_pytorch`.
        """
        from numgpt.model.pytorch_names import fill

        if dtype is None:
            dtype = np.asarray(weights.get("table", np.float32(0))).dtype
        model = Classifier(config, labels, seed=None, dtype=dtype, device=device)
        fill(model, weights)
        return model

    def to_pytorch(self, gradients: bool = False) -> dict[str, np.ndarray]:
        """name -> array on the host, with PyTorch's names and shapes: each parameter, or its gradient."""
        from numgpt.model.pytorch_names import as_pytorch

        return as_pytorch(self, gradients)

    def save(self, folder: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write `model.safetensors` and `config.json`, which has the labels too; otherwise like `Transformer.save`."""
        from numgpt.checkpoint import save_classifier

        save_classifier(check_path(folder, "folder"), self.config, self.labels, self.to_pytorch(), dtype)

    @staticmethod
    def load(folder: str | os.PathLike[str], dtype: str = "float32", device: str = "cpu") -> "Classifier":
        """The model that `save` wrote, whatever type the file has; `numgpt.load_classifier` loads its tokenizer too.

        Raises InputError for a folder without a Classifier or with a damaged one; OSError if reading fails.
        """
        from numgpt.checkpoint import open_classifier

        float_type(dtype)
        stored, labels = open_classifier(check_path(folder, "folder"))
        weights = stored.read(dtype)
        try:
            return Classifier.from_pytorch(stored.config, labels, weights, dtype, device)
        except InputError as error:
            raise InputError(f"{stored.path}: {error}") from None


def check_labels(labels: Any) -> tuple[str, ...]:
    """`labels` as a tuple. Raises InputError unless they are at least two texts, all different and none empty."""
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) and label.strip() for label in labels):
        raise InputError(f"labels must be a list of texts, none of them empty, not {quoted(labels)}")
    if len(set(labels)) < len(labels):
        twice = next(label for i, label in enumerate(labels) if label in labels[:i])
        raise InputError(f"labels has {quoted(twice)} twice: they must all be different")
    if len(labels) < 2:
        raise InputError(f"labels must be at least two, not {quoted(labels)}: one alone leaves nothing to tell apart")
    return tuple(labels)
