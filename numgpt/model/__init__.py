"""The layers put together: a block, GPT-2, and the cache that makes generation fast."""

from numgpt.model.block import Block
from numgpt.model.cache import KVCache
from numgpt.model.gpt import GPT

__all__ = ["GPT", "Block", "KVCache"]
