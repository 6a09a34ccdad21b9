"""Misuses of the Python API, made at random: each ends in InputError or in a right answer, and in nothing else.

A case is made of a surface's name and a number, which a failure tells. NUMGPT_FUZZ=10000 makes so many on every
surface.
"""

import contextlib
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

import numgpt
from damage import answer
from misuse import misused, odd, odd_array
from numgpt import GPT, AdamW, GPTConfig, layers
from numgpt.layers import Layer
from numgpt.model import KVCache
from numgpt.tokenizer import BPETokenizer, CharTokenizer, WordTokenizer, load_tokenizer
from numgpt.tokenizer.trainer import train_bpe

CASES = int(os.environ.get("NUMGPT_FUZZ", "120"))
SIZES = {"n_vocab": 7, "n_ctx": 5, "n_embd": 4, "n_head": 2, "n_layer": 1}
IDS = [[1, 2, 3], [4, 5, 6]]


@pytest.fixture(scope="module")
def model():
    return GPT(GPTConfig(**SIZES))


@pytest.fixture(scope="module", autouse=True)
def _little_memory():
    """A long run may have 2 GB more than the process has now: what asked for too much would end in MemoryError."""
    if CASES <= 1000 or not Path("/proc/self/statm").exists():
        yield
        return
    import resource

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**31, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def config(rng, model):
    """GPTConfig, and a GPT of it."""
    made = GPTConfig(**misused(rng, **SIZES, dropout=0.1, n_inner=8, layer_norm_epsilon=1e-5, activation="relu"))
    GPT(made, **rng.choice([{}, {"seed": None}]))
    assert made.n_parameters == GPT(made, seed=None).values.size


def construction(rng, model):
    """GPT, from a good configuration or none."""
    words = misused(rng, config=model.config, seed=3, dtype="float64", device="cpu")
    made = GPT(**words)
    assert made.forward(IDS).shape == (2, 3, 7)


def call_of_a_model(rng, model):
    """forward, loss, next_logits and check_ids."""
    ids, targets = (rng.choice([IDS, odd(rng), odd_array(rng)]) for _ in range(2))
    kind = rng.randrange(3)
    if kind == 0:
        logits = model.forward(ids)
        assert logits.shape == (*np.shape(ids), 7)
        assert np.isfinite(logits).all()
    elif kind == 1:
        assert 0 < model.loss(ids, targets) < 10
    else:
        cache = KVCache(model, 2)
        assert model.next_logits(ids, rng.choice([cache, odd(rng)])).shape == (2, 7)
        model.next_logits(odd_array(rng), cache)


def generation(rng, model):
    """generate and stream with odd ids and odd rules."""
    words = {"max_new_tokens": 3, "temperature": 0.8, "top_k": 3, "top_p": 0.9, "min_p": 0.1, "seed": 1}
    words |= {"repetition_penalty": 1.1, "stop_ids": [2], "logit_bias": {1: 2.0}}
    words = misused(rng, model=model, ids=rng.choice([IDS, [[1], [2, 3]]]), **words)
    if isinstance(words["max_new_tokens"], int) and words["max_new_tokens"] > 100:
        words["max_new_tokens"] = 2**80  # below 2^63 it would be done, for ever
    if rng.randrange(2):
        rows = numgpt.generate(**words)
        assert len(rows) == len(words["ids"])
    else:
        assert all(np.ndim(tokens) in (0, 1) for tokens in numgpt.stream(**words))


def loading(rng, model):
    """load, load_tokenizer and the readers of single files; saving to what is no place."""
    kind = rng.randrange(4)
    if kind == 0:
        numgpt.load(**misused(rng, name_or_folder="none/such", dtype="float32", device="cpu"), offline=True)
    elif kind == 1:
        load_tokenizer(odd(rng))
    elif kind == 2:
        with contextlib.suppress(OSError):  # where there is no such file
            rng.choice([CharTokenizer, WordTokenizer]).load(odd(rng))
    else:
        saved = rng.choice([model, CharTokenizer("abc")])
        place = odd(rng)
        if not isinstance(place, str | os.PathLike) or "\0" in str(place):
            saved.save(place)


def layer(rng, model):
    """Layers, made of odd things, and given odd arrays."""
    made = rng.choice(
        [
            lambda: layers.Linear(**misused(rng, n_in=4, n_out=3, seed=0)),
            lambda: layers.LayerNorm(**misused(rng, n_embd=4, eps=1e-5, seed=0)),
            lambda: layers.Embedding(**misused(rng, n=5, n_embd=4, seed=0)),
            lambda: layers.TiedHead(odd(rng)),
            lambda: layers.TiedCrossEntropy(odd(rng)),
            lambda: layers.Dropout(**misused(rng, p=0.1, rng=None)),
            lambda: layers.Swish(odd(rng)),
            lambda: layers.FeedForward(**misused(rng, n_embd=4, p_drop=0.1, rng=None, act=None, n_inner=6, seed=0)),
            lambda: layers.Attention(**misused(rng, n_embd=4, n_head=2, p_drop=0.1, rng=None, scale=None, seed=0)),
            lambda: numgpt.model.Block(**misused(rng, config=model.config, index=0, rng=None, seed=0)),
        ]
    )()
    assert isinstance(made, Layer)
    rng.choice([made.train, made.eval])()
    if hasattr(made, "values") or not list(
        made.slots()
    ):  # seed=None leaves a layer without memory, as a part of another
        made.forward(odd_array(rng))


def forward_of_a_layer(rng, model):
    """Good layers, odd arrays."""
    table = layers.Embedding(5, 4)
    makers = [
        lambda: layers.Linear(4, 3),
        lambda: layers.LayerNorm(4),
        lambda: table,
        lambda: layers.TiedHead(table),
        lambda: layers.Dropout(0.5).train(),
        layers.GELU,
        layers.ExactGELU,
        layers.ReLU,
        layers.Swish,
        lambda: layers.FeedForward(4, 0.5).train(),
        lambda: layers.Attention(4, 2, 0.5).train(),
        lambda: numgpt.model.Block(model.config),
    ]
    made = rng.choice(makers)()
    x = rng.choice([odd, odd_array])(rng)
    y = made.forward(x)
    assert isinstance(y, np.ndarray)
    if y.dtype.kind == "c":  # complex numbers go forward only, in the proof
        return
    made.backward(np.ones_like(y))
    with pytest.raises(RuntimeError, match="no forward pass"):
        made.backward(y)


def losses(rng, model):
    """The two losses."""
    x = rng.choice([np.ones((2, 4), "f4"), odd(rng), odd_array(rng)])
    targets = rng.choice([[1, 2], odd(rng), odd_array(rng)])
    made = rng.choice([layers.CrossEntropy(), layers.TiedCrossEntropy(layers.Embedding(7, 4))])
    loss = made.forward(x, targets)
    if isinstance(loss, complex):  # in the proof, which goes forward only
        return
    assert isinstance(loss, float)
    made.backward()
    with pytest.raises(RuntimeError, match="no forward pass"):
        made.backward()


def optimizer(rng, model):
    """AdamW: odd settings, at once or before a step."""
    small = layers.Linear(2, 3)
    made = AdamW(**misused(rng, model=small, lr=1e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1))
    made.step()
    setattr(made, rng.choice(["lr", "betas", "eps", "weight_decay"]), odd(rng))
    made.step()
    assert made.m.shape == made.model.values.shape


def tokenizers(rng, model):
    """Making them, encoding, decoding."""
    every_byte = [bytes([byte]) for byte in range(256)]
    good = [
        BPETokenizer([*every_byte, b"ab", b"<|endoftext|>"], {(97, 98): 256}, {"<|endoftext|>": 257}),
        CharTokenizer("abc"),
        WordTokenizer.from_text("to be, or"),
    ]
    kind = rng.randrange(5)
    if kind == 0:
        words = {"tokens": every_byte, "merges": {(97, 98): 97}, "special": {"<x>": 5}}
        made = BPETokenizer(**misused(rng, **words))
        assert made.decode(made.encode("xyz")) == "xyz"
    elif kind == 1:
        rng.choice([CharTokenizer, WordTokenizer, CharTokenizer.from_text, WordTokenizer.from_text])(odd(rng))
    elif kind == 2:
        text, special = misused(rng, text="abab", special="all").values()
        made = rng.choice(good)
        assert all(0 <= i < made.n_vocab for i in made.encode(text, special))
    elif kind == 3:
        made, ids = rng.choice(good), odd(rng)
        call = rng.choice([made.decode, made.decode_bytes, made.stream_decoder().push])
        assert isinstance(call(ids), str | bytes)
    else:
        train_bpe(**misused(rng, text="abababab", vocab_size=260))


def looking_inside(rng, model):
    """trace, ablate, check_layer and gradcheck.check."""
    kind = rng.randrange(4)
    if kind == 0:
        words = {"names": ["logits"], "replace": {"embed": np.ones((2, 3, 4))}}
        numgpt.trace(**misused(rng, model=model, ids=IDS, targets=IDS, **words))
    elif kind == 1:
        numgpt.ablate(**misused(rng, model=model, ids=IDS, targets=IDS, what="h.0.attn"))
    elif kind == 2:
        numgpt.check_layer(rng.choice([layers.Linear(4, 3), layers.GELU(), odd(rng)]), odd(rng))
    else:
        numgpt.gradcheck.check(**misused(rng, name="none such", seed=0, device="cpu"))


def evaluation(rng, model):
    """evaluate."""
    Path("text.txt").write_text("abcab" * 5, "utf-8")
    words = {"task": "text", "file": "text.txt", "limit": 2, "batch_size": 2, "protocol": "strided", "stride": 2}
    words["out"] = f"records-{rng.random()}.jsonl"
    with contextlib.suppress(OSError):  # where there is no such file
        figures = numgpt.evaluate(**misused(rng, model=model, tokenizer=CharTokenizer("abc"), **words))
        assert figures["units"] > 0


def kernels(rng, model):
    """use_kernels."""
    with numgpt.use_kernels(odd(rng)):
        raise AssertionError("nothing odd is a kind of kernels")


SURFACES = [
    *(config, construction, call_of_a_model, generation, loading, layer, forward_of_a_layer, losses, optimizer),
    *(tokenizers, looking_inside, evaluation, kernels),
]


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.__name__)
def test_misuse(surface, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in range(CASES):
            rng = random.Random(f"{surface.__name__} {case}")
            try:
                answer(lambda: surface(rng, model))  # noqa: B023, it is called at once
            except Exception as error:
                said = f"{type(error).__name__}: {error}"[:1000]
                raise AssertionError(f"case {case} of {surface.__name__}: {said}") from error
