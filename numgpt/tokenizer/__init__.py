"""Text to token ids and back."""

from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.char import CharTokenizer
from numgpt.tokenizer.files import load_tokenizer
from numgpt.tokenizer.stream import StreamDecoder
from numgpt.tokenizer.word import WordTokenizer

__all__ = ["BPETokenizer", "CharTokenizer", "StreamDecoder", "WordTokenizer", "load_tokenizer"]
