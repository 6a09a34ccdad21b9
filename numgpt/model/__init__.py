"""The layers put together: a block, GPT-2, its cache; the first Transformer, and a classifier on its encoder."""

from numgpt.model.block import Block
from numgpt.model.cache import KVCache
from numgpt.model.classifier import Classifier
from numgpt.model.gpt import GPT
from numgpt.model.transformer import Transformer, TransformerCache

__all__ = ["GPT", "Block", "Classifier", "KVCache", "Transformer", "TransformerCache"]
