"""Have PyTorch compute tests/golden/classifier, one folder per configuration, in float64.

Usage: python scripts/tools/golden/make_classifier.py (with torch; made with 2.13)

Each folder has config.json, and expected.npz:
    ids, labels     (4, 5) ints, padded with 0; and (4,)
    logits, loss    of nn.TransformerEncoder, the mean without padding, and nn.Linear; their mean cross-entropy
    weights/<name>, grad/<name>     in PyTorch's names
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FOLDER = Path(__file__).parents[3] / "tests" / "golden" / "classifier"
SIZES = {"vocab": 13, "d_model": 12, "heads": 3, "d_ff": 10, "layers": 2}
CONFIGURATIONS = {
    "post-norm": {"norm_first": False, "activation": "relu", "final_norm": False, "eps": 1e-5},
    "pre-norm": {"norm_first": True, "activation": "gelu", "final_norm": True, "eps": 1e-3},
}
IDS = torch.tensor([[5, 9, 3, 12, 7], [4, 8, 0, 0, 0], [11, 3, 6, 0, 0], [7, 0, 0, 0, 0]])
LABELS = torch.tensor([2, 0, 3, 2])
N_LABELS = 4


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config["d_model"]
        same = {"d_model": C, "nhead": config["heads"], "dim_feedforward": config["d_ff"], "dropout": 0.0}
        same |= {name: config[name] for name in ("activation", "norm_first")}
        same |= {"layer_norm_eps": config["eps"], "batch_first": True}
        norm = nn.LayerNorm(C, config["eps"]) if config["final_norm"] else None
        self.table = nn.Parameter(torch.randn(config["vocab"], C))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**same), config["layers"], norm, enable_nested_tensor=False
        )
        self.head = nn.Linear(C, N_LABELS)

    def forward(self, ids):
        C = self.table.shape[1]
        t, i = torch.arange(ids.shape[1])[:, None], torch.arange(0, C, 2, dtype=torch.float64)
        angles = t / 10000 ** (i / C)
        x = self.table[ids] * math.sqrt(C) + torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
        memory = self.encoder(x, src_key_padding_mask=ids == 0)
        texts = [memory[b, ids[b] != 0].mean(0) for b in range(len(ids))]
        return self.head(torch.stack(texts))


def make(name, changes, seed):
    torch.manual_seed(seed)
    config = SIZES | changes
    model = Model(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        model.table *= 0.3
    logits = model(IDS)
    loss = functional.cross_entropy(logits, LABELS)
    loss.backward()
    arrays = {"ids": IDS, "labels": LABELS, "logits": logits, "loss": loss}
    arrays |= {f"weights/{k}": value for k, value in model.named_parameters()}
    arrays |= {f"grad/{k}": value.grad for k, value in model.named_parameters()}
    (FOLDER / name).mkdir(parents=True, exist_ok=True)
    (FOLDER / name / "config.json").write_text(json.dumps(config) + "\n", "utf-8")
    np.savez_compressed(FOLDER / name / "expected.npz", **{k: value.detach().numpy() for k, value in arrays.items()})


for number, (name, changes) in enumerate(CONFIGURATIONS.items()):
    make(name, changes, number)
