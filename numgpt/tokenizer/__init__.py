"""Text to token ids and back."""

from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.files import load_tokenizer
from numgpt.tokenizer.stream import StreamDecoder

__all__ = ["BPETokenizer", "StreamDecoder", "load_tokenizer"]
