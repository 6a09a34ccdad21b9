"""Have PyTorch compute tests/golden/transformer, one folder per configuration, in float64.

Usage: python scripts/tools/golden/make_transformer.py (with torch; made with 2.13)

Each folder has config.json, and expected.npz:
    src, tgt            (3, 5) and (3, 7) ints, padded with 0; tgt begins with 1 and ends with 2
    memory, logits      of every position, padding too; logits are those for tgt without its last token
    loss, plain_loss    with label smoothing of 0.1, and without
    weights/<name>, grad/<name>     in PyTorch's names; the gradient is that of the smoothed loss
    greedy              (3, 9): the likeliest tokens from 1 on, without an end
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FOLDER = Path(__file__).parents[3] / "tests" / "golden" / "transformer"
SIZES = {"vocab": 13, "d_model": 12, "heads": 3, "d_ff": 10, "layers": 2}
CONFIGURATIONS = {
    "post-norm": {"norm_first": False, "activation": "relu", "final_norm": False, "eps": 1e-5},
    "pre-norm": {"norm_first": True, "activation": "gelu", "final_norm": True, "eps": 1e-3},
}
SRC = torch.tensor([[5, 9, 3, 12, 7], [4, 8, 0, 0, 0], [11, 3, 6, 0, 0]])
TGT = torch.tensor([[1, 7, 4, 10, 3, 2, 0], [1, 9, 2, 0, 0, 0, 0], [1, 3, 12, 5, 11, 6, 2]])


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config["d_model"]
        same = {"d_model": C, "nhead": config["heads"], "dim_feedforward": config["d_ff"], "dropout": 0.0}
        same |= {name: config[name] for name in ("activation", "norm_first")}
        same |= {"layer_norm_eps": config["eps"], "batch_first": True}
        norms = [nn.LayerNorm(C, config["eps"]) if config["final_norm"] else None for _ in range(2)]
        self.table = nn.Parameter(torch.randn(config["vocab"], C))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**same), config["layers"], norms[0], enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**same), config["layers"], norms[1])

    def embed(self, ids):
        C = self.table.shape[1]
        t, i = torch.arange(ids.shape[1])[:, None], torch.arange(0, C, 2, dtype=torch.float64)
        angles = t / 10000 ** (i / C)
        return self.table[ids] * math.sqrt(C) + torch.stack([angles.sin(), angles.cos()], -1).flatten(1)

    def forward(self, src, tgt):
        memory = self.encoder(self.embed(src), src_key_padding_mask=src == 0)
        causal = torch.triu(torch.ones(2 * [tgt.shape[1]], dtype=torch.bool), 1)
        out = self.decoder(self.embed(tgt), memory, tgt_mask=causal, memory_key_padding_mask=src == 0)
        return memory, out @ self.table.T


def make(name, changes, seed):
    torch.manual_seed(seed)
    config = SIZES | changes
    model = Model(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        model.table *= 0.3
    memory, logits = model(SRC, TGT[:, :-1])
    targets = TGT[:, 1:].masked_fill(TGT[:, 1:] == 0, -100).flatten()
    loss, plain = (functional.cross_entropy(logits.flatten(0, 1), targets, label_smoothing=e) for e in (0.1, 0.0))
    loss.backward()
    greedy = torch.ones(len(SRC), 1, dtype=torch.long)
    with torch.no_grad():
        for _ in range(8):
            greedy = torch.cat([greedy, model(SRC, greedy)[1][:, -1].argmax(-1, keepdim=True)], 1)
    arrays = {"src": SRC, "tgt": TGT, "memory": memory, "logits": logits, "loss": loss, "plain_loss": plain}
    arrays |= {"greedy": greedy} | {f"weights/{k}": value for k, value in model.named_parameters()}
    arrays |= {f"grad/{k}": value.grad for k, value in model.named_parameters()}
    (FOLDER / name).mkdir(parents=True, exist_ok=True)
    (FOLDER / name / "config.json").write_text(json.dumps(config) + "\n", "utf-8")
    np.savez_compressed(FOLDER / name / "expected.npz", **{k: value.detach().numpy() for k, value in arrays.items()})


for number, (name, changes) in enumerate(CONFIGURATIONS.items()):
    make(name, changes, number)
