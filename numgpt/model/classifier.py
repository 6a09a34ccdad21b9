"""An encoder of the first Transformer that says which of several labels a text has."""

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
    """A text's label, one of K, from the mean of what the encoder makes of its positions.

        memory = encoder( embed(ids) )          (B, S, C)    every position sees every other, but no padding
        pooled = mean of its text's positions   (B, C)       padding left out (layers/masked_mean.py)
        logits = pooled @ W + b                 (B, K)

    Texts of a batch are filled up with the id 0. The mean alone would not know the order of the words; attention and
    the places that the embedding adds have told each position of the others before.

    config: a TransformerConfig, of which the encoder's part counts. labels: the names of the K classes, at least two.
    seed, dtype, device: as for `Transformer`. A new model is in eval mode. Raises InputError for labels that are not
    different texts, and as `Transformer` does.
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
        """Draw starting weights as `draw_weights` does; biases start from 0, LayerNorm weights from 1."""
        super().initialise_all(rng)
        draw_weights(self, self.table, rng)

    def forward(self, ids: Any) -> Array:
        """Logits (B, K) of texts, ids (B, S); nothing is kept for backward.

        Raises InputError for ids that are not whole numbers in [0, V), not (B, S), or none.
        """
        ids = check_texts(ids, "ids", self.config.vocab)
        with inferring():
            return self.logits(ids)

    def loss(self, ids: Any, labels: Any) -> float:
        """Mean cross-entropy, in nats, of the labels, (B,) ints in [0, K), -1 for one that does not count.

        Keeps what `backward` needs. Raises InputError as `forward` does, and for labels that are not as said.
        """
        return self.criterion.forward(self.logits(check_texts(ids, "ids", self.config.vocab)), labels)

    def backward(self) -> None:
        """Add the gradient of the last `loss` to every parameter's. Raises RuntimeError when there was none."""
        dmemory = self.pool.backward(self.head.backward(self.criterion.backward()))
        self.read.backward(encode_backward(dmemory, self.encoder, self.encoder_norm))

    def logits(self, ids: np.ndarray) -> Array:
        """The head's output for checked ids."""
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

        `numgpt.model.pytorch_names` has the names. Otherwise as `Transformer.from_pytorch`.
        """
        from numgpt.model.pytorch_names import fill

        if dtype is None:
            dtype = np.asarray(weights.get("table", np.float32(0))).dtype
        model = Classifier(config, labels, seed=None, dtype=dtype, device=device)
        fill(model, weights)
        return model

    def to_pytorch(self, gradients: bool = False) -> dict[str, np.ndarray]:
        """name -> array on the host, as PyTorch has them: of every parameter, or of its gradient."""
        from numgpt.model.pytorch_names import as_pytorch

        return as_pytorch(self, gradients)

    def save(self, folder: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write `model.safetensors` and `config.json`, which has the labels too; otherwise as `Transformer.save`."""
        from numgpt.checkpoint import save_classifier

        save_classifier(check_path(folder, "folder"), self.config, self.labels, self.to_pytorch(), dtype)

    @staticmethod
    def load(folder: str | os.PathLike[str], dtype: str = "float32", device: str = "cpu") -> "Classifier":
        """The model that `save` wrote, whatever type the file has; `numgpt.loading` brings its tokenizer too.

        Raises InputError for a folder without a Classifier, and for one that is damaged; OSError as the disk does.
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
    """`labels` as a tuple. Raises InputError unless they are at least two texts, each different and not empty."""
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) and label.strip() for label in labels):
        raise InputError(f"labels must be a list of texts, none of them empty, not {quoted(labels)}")
    if len(set(labels)) < len(labels):
        twice = next(label for i, label in enumerate(labels) if label in labels[:i])
        raise InputError(f"labels has {quoted(twice)} twice: each must be another")
    if len(labels) < 2:
        raise InputError(f"labels must be at least two, not {quoted(labels)}: there is nothing to tell apart")
    return tuple(labels)
