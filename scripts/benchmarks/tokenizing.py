"""Encoding, decoding and learning a vocabulary, all on one thread. A megabyte is 10^6 bytes of UTF-8."""

import json
import time
from pathlib import Path
from statistics import median

from benchmarks.peers import tiktoken_encoding
from benchmarks.processes import run_script
from benchmarks.timing import alternate, compare, timer
from numgpt.tokenizer import load_tokenizer


def read(path):
    return Path(path).read_text(encoding="utf-8")


def seconds_of(function, argument):
    """Seconds of one call."""
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def compare_rates(measured, n_bytes):
    """The row for measured seconds, with both sides' megabytes per second."""
    row = compare(measured["peer"], measured["numgpt"])
    return row | {f"{side}_mb_per_second": n_bytes / row[f"{side}_median"] / 1e6 for side in ("peer", "numgpt")}


class EncodeWarm:
    """A text of a kind that the tokenizer has seen: a fresh one encodes `seen`, then `text`, which is timed."""

    peer = "tiktoken"
    packages = ("tiktoken",)
    needs = ("vocabulary", "text", "seen")
    runs = 15

    def measure(self, runs):
        text, seen = read(self.inputs.text), read(self.inputs.seen)

        def ours():
            encode = load_tokenizer(self.inputs.vocabulary).encode
            encode(seen)
            return encode

        def theirs():
            encode = tiktoken_encoding(load_tokenizer(self.inputs.vocabulary)).encode_ordinary
            encode(seen)
            return encode

        assert ours()(text) == theirs()(text)
        measured = alternate(
            {"peer": lambda: seconds_of(theirs(), text), "numgpt": lambda: seconds_of(ours(), text)}, runs
        )
        return compare_rates(measured, len(text.encode()))


class EncodeCold:
    """The first text that a fresh process encodes; neither its start nor loading the tables counts."""

    peer = "tiktoken"
    packages = ("tiktoken",)
    needs = ("vocabulary", "text")
    runs = 9

    def measure(self, runs):
        def encode(side):
            return run_script("encode_once.py", side, self.inputs.vocabulary, self.inputs.text)[1]

        assert encode("peer")["sha256"] == encode("numgpt")["sha256"]
        measured = alternate({side: lambda side=side: encode(side)["seconds"] for side in ("peer", "numgpt")}, runs)
        return compare_rates(measured, Path(self.inputs.text).stat().st_size)


class DecodeIds:
    """The ids of a text, back to the text."""

    peer = "tiktoken"
    packages = ("tiktoken",)
    needs = ("vocabulary", "text")
    runs = 15

    def measure(self, runs):
        text = read(self.inputs.text)
        tokenizer = load_tokenizer(self.inputs.vocabulary)
        encoding = tiktoken_encoding(tokenizer)
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == encoding.decode(ids) == text
        measured = alternate(
            {"peer": timer(lambda: encoding.decode(ids)), "numgpt": timer(lambda: tokenizer.decode(ids))}, runs
        )
        return compare_rates(measured, len(text.encode()))


class OneLetter:
    """A megabyte of one letter, which is a single piece to merge; half of it should take half as long."""

    peer = "tiktoken"
    packages = ("tiktoken",)
    needs = ("vocabulary",)
    runs = 5

    def measure(self, runs):
        encode = load_tokenizer(self.inputs.vocabulary).encode
        encoding = tiktoken_encoding(load_tokenizer(self.inputs.vocabulary))
        text, half = "a" * 10**6, "a" * 500_000
        assert encode(text) == encoding.encode_ordinary(text)

        def ours(text):
            return seconds_of(load_tokenizer(self.inputs.vocabulary).encode, text)

        measured = alternate(
            {
                "peer": lambda: seconds_of(encoding.encode_ordinary, text),
                "numgpt": lambda: ours(text),
                "half": lambda: ours(half),
            },
            runs,
        )
        whole_over_half = median(a / b for a, b in zip(measured["numgpt"], measured["half"], strict=True))
        return compare_rates(measured, len(text)) | {"whole_over_half": whole_over_half}


class LearnMerges:
    """BPE merges from a text, to a vocabulary of 1024."""

    peer = "tokenizers' trainer"
    packages = ("tokenizers",)
    needs = ("text",)
    runs = 9

    def measure(self, runs):
        text = read(self.inputs.text)
        assert self.learn(text) == self.their_learn(text)
        measured = alternate(
            {"peer": timer(lambda: self.their_learn(text)), "numgpt": timer(lambda: self.learn(text))}, runs
        )
        return compare_rates(measured, len(text.encode()))

    @staticmethod
    def learn(text):
        from numgpt.tokenizer.symbols import to_symbols
        from numgpt.tokenizer.trainer import train_bpe

        learnt = train_bpe(text, 1024)
        return [[to_symbols(learnt.tokens[part]) for part in pair] for pair in learnt.merges]

    @staticmethod
    def their_learn(text):
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=1023, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator([text], trainer)
        return json.loads(tokenizer.to_str())["model"]["merges"]
