"""Models built from the layers: GPT-2, its block and cache; the first Transformer; a classifier on its encoder."""

from numgpt.model.block import Block
from numgpt.model.cache import KVCache
from numgpt.model.classifier import Classifier
from numgpt.model.gpt import GPT
from numgpt.model.transformer import Transformer, TransformerCache

__all__ = ["GPT", "Block", "Classifier", "KVCache", "Transformer", "TransformerCache"]
