"""Text to token ids and back."""

from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.common import StreamDecoder
from numgpt.tokenizer.files import load_tokenizer, no_vocabulary
from numgpt.tokenizer.tables import CharTokenizer, WordTokenizer

__all__ = ["BPETokenizer", "CharTokenizer", "StreamDecoder", "WordTokenizer", "load_tokenizer", "no_vocabulary"]
