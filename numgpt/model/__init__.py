"""The layers put together: a block, GPT-2, the cache that makes generation fast; and the first Transformer."""

from numgpt.model.block import Block
from numgpt.model.cache import KVCache
from numgpt.model.gpt import GPT
from numgpt.model.transformer import Transformer, TransformerCache

__all__ = ["GPT", "Block", "KVCache", "Transformer", "TransformerCache"]
