"""The pieces of work that bench.py measures: each builds its two sides and checks that they compute the same.

Weights are random, as what is computed takes as long whatever the numbers are. Peers are imported where they are
used, so that numgpt's own memory is measured without them.
"""

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import numgpt
from numgpt import GPT, AdamW, GPTConfig
from numgpt.model import KVCache
from numgpt.training import clip_gradients

SMALL = GPTConfig()  # the 124M shape
CHARACTERS = GPTConfig(n_vocab=65, n_ctx=64, n_embd=128, n_head=4, n_layer=4)


def transformers_model(config):
    """transformers' GPT-2 of the same shape, in float32, without dropout."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(0)
    sizes = {"n_embd": config.n_embd, "n_head": config.n_head, "n_layer": config.n_layer}
    special = {"bos_token_id": 0, "eos_token_id": None}
    off = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=config.n_vocab, n_positions=config.n_ctx, **sizes, **special, **off)
    ).eval()


def plain_torch_model(config):
    """nanoGPT's design, with PyTorch's fused attention."""
    from torch_gpt import TorchGPT

    return TorchGPT(config)


def copy_weights(ours, theirs):
    """Our weights into a PyTorch model whose parameters have the published names."""
    import torch

    parameters = {name.removeprefix("transformer."): p for name, p in theirs.named_parameters()}
    with torch.no_grad():
        for name, value, _ in ours.named_parameters():
            stored = torch.from_numpy(value)
            turned = getattr(theirs, "stores_out_in", False) and stored.ndim == 2 and name.startswith("h.")
            parameters[name].copy_(stored.T if turned else stored)


@dataclass
class Decode:
    """Greedy generation of B sequences at once: 32 tokens read, 64 written."""

    B: int

    peer = "transformers generate"
    runs = 9
    memory = False

    @cached_property
    def ids(self):
        return np.random.default_rng(0).integers(0, SMALL.n_vocab, (self.B, 32))

    def ours(self):
        self.model = GPT(SMALL)
        return lambda: numgpt.generate(self.model, self.ids, max_new_tokens=64, temperature=0)

    def theirs(self):
        import torch

        self.their_model = transformers_model(SMALL)
        ids = torch.from_numpy(self.ids)
        settings = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 64, "do_sample": False}
        return lambda: self.their_model.generate(ids, **settings).numpy()

    def check(self, ours, theirs):
        copy_weights(self.model, self.their_model)
        assert np.array_equal(ours(), theirs())


@dataclass
class Forward:
    """1024 tokens read at once: the logits of all positions, or of the last alone, which is what generation needs."""

    last_only: bool

    runs = 7
    memory = False
    peer = "transformers forward"

    @cached_property
    def ids(self):
        return np.random.default_rng(0).integers(0, SMALL.n_vocab, (1, 1024))

    def ours(self):
        model = self.model = GPT(SMALL)
        if self.last_only:
            return lambda: model.next_logits(self.ids, KVCache(model, 1))
        return lambda: model.forward(self.ids)[0]

    def theirs(self):
        import torch

        self.their_model = transformers_model(SMALL)
        ids = torch.from_numpy(self.ids)

        def forward():
            with torch.no_grad():
                return self.their_model(ids, use_cache=self.last_only).logits[0].numpy()

        return forward

    def check(self, ours, theirs):
        copy_weights(self.model, self.their_model)
        theirs_now = theirs()[-1:] if self.last_only else theirs()
        assert np.abs(ours() - theirs_now).max() < 1e-4


@dataclass
class Load:
    """From a folder in safetensors, in the page cache, to a model that can be called."""

    peer = "transformers load"
    runs = 9
    memory = False

    @cached_property
    def folder(self):
        self.temporary = tempfile.TemporaryDirectory()
        GPT(SMALL).save(self.temporary.name)
        return Path(self.temporary.name)

    def ours(self):
        return lambda: numgpt.load(self.folder)

    def theirs(self):
        from transformers import GPT2LMHeadModel

        return lambda: GPT2LMHeadModel.from_pretrained(self.folder)

    def check(self, ours, theirs):
        ids = np.arange(5)[None]
        import torch

        with torch.no_grad():
            assert np.abs(ours()[0].forward(ids) - theirs()(torch.from_numpy(ids)).logits.numpy()).max() < 1e-4


@dataclass
class TrainingStep:
    """Forward, backward, clipping and AdamW on one batch of B sequences of T tokens."""

    config: GPTConfig
    B: int
    T: int
    make_peer: object
    runs: int
    memory: bool = False

    settings = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.1}

    @property
    def peer(self):
        return "transformers + AdamW" if self.make_peer is transformers_model else "PyTorch + AdamW"

    @cached_property
    def batch(self):
        return np.random.default_rng(0).integers(0, self.config.n_vocab, (2, self.B, self.T))

    def ours(self):
        model = self.model = GPT(self.config)
        optimizer = AdamW(model, **self.settings)

        def step():
            model.zero_grad()
            loss = model.loss(*self.batch)
            model.backward()
            clip_gradients(model, 1.0)
            optimizer.step()
            return loss

        return step

    def theirs(self):
        import torch

        model = self.their_model = self.make_peer(self.config)
        optimizer = torch.optim.AdamW(model.parameters(), **self.settings)
        ids, targets = torch.from_numpy(self.batch)

        def step():
            optimizer.zero_grad(set_to_none=True)
            logits = model(ids)
            logits = getattr(logits, "logits", logits)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss.item()

        return step

    def check(self, ours, theirs):
        copy_weights(self.model, self.their_model)
        for _ in range(2):
            assert abs(ours() - theirs()) < 1e-3


@dataclass
class LearnMerges:
    """BPE merges from a text, to a vocabulary of 1024."""

    text: str = ""  # set by bench.py from --text

    peer = "tokenizers' trainer"
    runs = 9
    memory = False

    def ours(self):
        from numgpt.tokenizer.symbols import to_symbols
        from numgpt.tokenizer.trainer import train_bpe

        def learn():
            learnt = train_bpe(self.text, 1024)
            return [[to_symbols(learnt.tokens[part]) for part in pair] for pair in learnt.merges]

        return learn

    def theirs(self):
        import json

        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        def learn():
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer = trainers.BpeTrainer(vocab_size=1023, initial_alphabet=alphabet, show_progress=False)
            tokenizer.train_from_iterator([self.text], trainer)
            return json.loads(tokenizer.to_str())["model"]["merges"]

        return learn

    def check(self, ours, theirs):
        assert ours() == theirs()


ALL = {
    "decode": Decode(1),
    "decode-8": Decode(8),
    "prefill": Forward(last_only=True),
    "logits": Forward(last_only=False),
    "load": Load(),
    "train-characters": TrainingStep(CHARACTERS, 12, 64, plain_torch_model, 60),
    "train-124M-4x64": TrainingStep(SMALL, 4, 64, transformers_model, 7, memory=True),
    "train-124M-1x1024": TrainingStep(SMALL, 1, 1024, transformers_model, 5, memory=True),
    "train-124M-4x64-plain": TrainingStep(SMALL, 4, 64, plain_torch_model, 7, memory=True),
    "train-124M-1x1024-plain": TrainingStep(SMALL, 1, 1024, plain_torch_model, 5, memory=True),
    "learn-merges": LearnMerges(),
}
