"""Text from token ids as they arrive."""

import codecs


class StreamDecoder:
    """Turn ids into text one at a time, never printing half a character.

    A character may be spread over several tokens: its bytes are held back until it is whole. What `push`
    and `flush` return, joined, is `tokenizer.decode` of all the ids.

        decoder = tokenizer.stream_decoder()
        for token in tokens:
            print(decoder.push(token), end="", flush=True)
        print(decoder.flush())
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token):
        """The text that is complete with this id, possibly none. Raises InputError for an id out of range."""
        return self._utf8.decode(self.tokenizer.decode_bytes([token]))

    def flush(self):
        """What is left at the end: U+FFFD for a character that was cut off, otherwise nothing."""
        return self._utf8.decode(b"", final=True)
