"""The textbook: one file per layer, with the derivation of its gradient."""

from numgpt.layers.attention import Attention
from numgpt.layers.base import Layer
from numgpt.layers.cross_attention import CrossAttention
from numgpt.layers.dropout import Dropout
from numgpt.layers.embedding import Embedding, TiedHead
from numgpt.layers.feedforward import FeedForward
from numgpt.layers.gelu import GELU
from numgpt.layers.gelu_erf import ExactGELU
from numgpt.layers.layernorm import LayerNorm
from numgpt.layers.linear import Linear
from numgpt.layers.loss import CrossEntropy, TiedCrossEntropy
from numgpt.layers.masked_mean import MaskedMean
from numgpt.layers.relu import ReLU
from numgpt.layers.sinusoids import PlacedEmbedding
from numgpt.layers.smoothing import SmoothedCrossEntropy
from numgpt.layers.swish import Swish

__all__ = [
    "Attention",
    "CrossAttention",
    "CrossEntropy",
    "Dropout",
    "Embedding",
    "ExactGELU",
    "FeedForward",
    "GELU",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaskedMean",
    "PlacedEmbedding",
    "ReLU",
    "SmoothedCrossEntropy",
    "Swish",
    "TiedCrossEntropy",
    "TiedHead",
]
