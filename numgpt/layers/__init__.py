"""The textbook: one layer a file, each with the derivation of its gradient."""

from numgpt.layers.attention import Attention
from numgpt.layers.base import Layer
from numgpt.layers.dropout import Dropout
from numgpt.layers.embedding import Embedding, TiedHead
from numgpt.layers.feedforward import FeedForward
from numgpt.layers.gelu import GELU
from numgpt.layers.layernorm import LayerNorm
from numgpt.layers.linear import Linear
from numgpt.layers.loss import CrossEntropy, TiedCrossEntropy
from numgpt.layers.relu import ReLU

__all__ = [
    "Attention",
    "CrossEntropy",
    "Dropout",
    "Embedding",
    "FeedForward",
    "GELU",
    "Layer",
    "LayerNorm",
    "Linear",
    "ReLU",
    "TiedCrossEntropy",
    "TiedHead",
]
