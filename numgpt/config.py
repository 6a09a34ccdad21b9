"""The shapes of models, under the field names of the files that they come in."""

import math
from dataclasses import dataclass

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import check_heads, check_number, check_size

SIZES = ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer")
SWITCHES = ("tie_word_embeddings", "scale_attn_weights", "scale_attn_by_inverse_layer_idx")
ACTIVATIONS = ("gelu_new", "gelu", "relu", "silu", "quick_gelu")


def check_activation(name: object) -> None:
    """Raise InputError unless `name` is that of an activation function."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {quoted(name)}")


def check_switch(value: object, name: str) -> None:
    """Raise InputError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, not {quoted(value)}")


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT-2. The defaults are those of the small model; OpenAI's models differ only in size.

    n_vocab: number of token ids (V). n_ctx: longest sequence (T <= n_ctx). n_embd: channels (C).
    n_head: attention heads (H), a divisor of n_embd. n_layer: transformer blocks.
    dropout: probability of dropping an activation while training.

    activation: the activation function of the feed-forward network: "gelu_new" is the tanh form, "gelu" the exact one.
    n_inner: width of the feed-forward network; None: 4 n_embd.
    layer_norm_epsilon: what LayerNorm adds to a variance.
    tie_word_embeddings: whether the output head is the table of token embeddings.
    scale_attn_weights: whether scores are divided by sqrt(D); scale_attn_by_inverse_layer_idx: whether those of
    block i = 0, 1, ... are also divided by i + 1.

    Raises InputError for a size that is not a positive whole number, for n_embd not divisible by n_head, for a dropout
    outside [0, 1), and for other values that are not as described here.
    """

    n_vocab: int = 50257
    n_ctx: int = 1024
    n_embd: int = 768
    n_head: int = 12
    n_layer: int = 12
    dropout: float = 0.0
    activation: str = "gelu_new"
    n_inner: int | None = None
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False

    def __post_init__(self) -> None:
        for name in (*SIZES, *(["n_inner"] if self.n_inner is not None else [])):
            self._set(name, check_size(getattr(self, name), name))
        check_heads(self.n_embd, self.n_head)
        self._set("dropout", check_number(self.dropout, "dropout", low=0, below=1))
        self._set("layer_norm_epsilon", check_number(self.layer_norm_epsilon, "layer_norm_epsilon", above=0))
        check_activation(self.activation)
        for name in SWITCHES:
            check_switch(getattr(self, name), name)

    def _set(self, name: str, value: float) -> None:
        """Replace a value by a plain Python number: NumPy's cannot be written as JSON."""
        object.__setattr__(self, name, value)

    @property
    def n_parameters(self) -> int:
        """The number of parameters of such a model."""
        C, inner = self.n_embd, self.n_inner or 4 * self.n_embd
        attention = (C + 1) * 3 * C + (C + 1) * C
        feed_forward = (C + 1) * inner + (inner + 1) * C
        tables = self.n_ctx + self.n_vocab * (1 if self.tie_word_embeddings else 2)
        return tables * C + self.n_layer * (attention + feed_forward + 4 * C) + 2 * C

    def attention_scale(self, index: int) -> float:
        """What block `index` multiplies scores by: 1/sqrt(D) unless configured otherwise."""
        scale = 1 / math.sqrt(self.n_embd // self.n_head) if self.scale_attn_weights else 1.0
        return scale / (index + 1) if self.scale_attn_by_inverse_layer_idx else scale


# Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", table 2, as released.
OFFICIAL_SIZES = {
    "124M": GPTConfig(n_embd=768, n_head=12, n_layer=12),
    "355M": GPTConfig(n_embd=1024, n_head=16, n_layer=24),
    "774M": GPTConfig(n_embd=1280, n_head=20, n_layer=36),
    "1558M": GPTConfig(n_embd=1600, n_head=25, n_layer=48),
}


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of an encoder and decoder (Vaswani et al. 2017, table 3); the defaults are the paper's base model.

    vocab: number of token ids, shared by both texts (V). d_model: channels (C). heads: attention heads (H), a divisor
    of d_model. d_ff: width of the feed-forward networks. layers: blocks of the encoder, and as many of the decoder.
    norm_first: whether LayerNorm stands before attention and feed-forward network, as in GPT-2, or after them.
    activation: the activation function, named as in `GPTConfig`. final_norm: whether encoder and decoder end in a
    LayerNorm, as they should if norm_first. eps: what LayerNorm adds to a variance. dropout: probability of dropping an
    activation while training.

    Raises InputError as `GPTConfig` does.
    """

    vocab: int
    d_model: int = 512
    heads: int = 8
    d_ff: int = 2048
    layers: int = 6
    norm_first: bool = False
    activation: str = "relu"
    final_norm: bool = False
    eps: float = 1e-5
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocab", "d_model", "heads", "d_ff", "layers"):
            self._set(name, check_size(getattr(self, name), name))
        check_heads(self.d_model, self.heads, "d_model", "heads")
        self._set("dropout", check_number(self.dropout, "dropout", low=0, below=1))
        self._set("eps", check_number(self.eps, "eps", above=0))
        check_activation(self.activation)
        for name in ("norm_first", "final_norm"):
            check_switch(getattr(self, name), name)

    def _set(self, name: str, value: float) -> None:
        object.__setattr__(self, name, value)

    @property
    def n_parameters(self) -> int:
        """The number of parameters of such a model."""
        C = self.d_model
        decoder = self.layers * (2 * self._n_attention + self._n_feed_forward + 3 * 2 * C)
        return self._n_encoder + decoder + (2 * C if self.final_norm else 0)

    def n_classifier_parameters(self, n_labels: int) -> int:
        """The number of parameters of a Classifier whose encoder has this shape."""
        return self._n_encoder + (self.d_model + 1) * n_labels

    @property
    def _n_encoder(self) -> int:
        """The number of parameters of the encoder and the table."""
        C = self.d_model
        encoder = self.layers * (self._n_attention + self._n_feed_forward + 2 * 2 * C)
        return self.vocab * C + encoder + (2 * C if self.final_norm else 0)

    @property
    def _n_attention(self) -> int:
        return 4 * self.d_model * (self.d_model + 1)

    @property
    def _n_feed_forward(self) -> int:
        return (self.d_model + 1) * self.d_ff + (self.d_ff + 1) * self.d_model
