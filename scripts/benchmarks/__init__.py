"""The pieces of work that bench.py measures, and what they are measured with.

Each has `peer`, the name of the other side; `packages` that must be installed for it; `runs`, how many pairs; `needs`,
files that the user has to give; and `measure(runs)`, which makes sure that both sides compute the same and returns the
row of `timing.compare`, with whatever else was measured. Weights are random, as what is computed takes as long
whatever the numbers are.
"""

from benchmarks.inference import SMALL, Decode, Forward
from benchmarks.peers import plain_torch_model, transformers_model
from benchmarks.processes import FirstToken, FirstTokenOfText, Load, MemoryOfGeneration
from benchmarks.tokenizing import DecodeIds, EncodeCold, EncodeWarm, LearnMerges, OneLetter
from benchmarks.training import CHARACTERS, TrainingStep

ALL = {
    "decode": Decode(1),
    "decode-8": Decode(8),
    "prefill": Forward(last_only=True),
    "logits": Forward(last_only=False),
    "train-characters": TrainingStep(CHARACTERS, 12, 64, plain_torch_model, 20, has_peak=False),
    "train-124M-4x64": TrainingStep(SMALL, 4, 64, transformers_model, 7),
    "train-124M-1x1024": TrainingStep(SMALL, 1, 1024, transformers_model, 5),
    "train-124M-4x64-plain": TrainingStep(SMALL, 4, 64, plain_torch_model, 7),
    "train-124M-1x1024-plain": TrainingStep(SMALL, 1, 1024, plain_torch_model, 5),
    "load": Load(),
    "first-token": FirstToken(),
    "first-token-of-text": FirstTokenOfText(),
    "memory-of-generation": MemoryOfGeneration(),
    "encode": EncodeWarm(),
    "encode-cold": EncodeCold(),
    "decode-ids": DecodeIds(),
    "one-letter": OneLetter(),
    "learn-merges": LearnMerges(),
}
