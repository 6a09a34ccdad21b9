"""PyTorch's own encoder and decoder, nn.TransformerEncoder and nn.TransformerDecoder, with one table for both texts."""

import math

import torch
from torch import nn
from torch.nn import functional


class TorchTransformer(nn.Module):
    """The shape of a TransformerConfig, under the names of `Transformer.to_pytorch`."""

    def __init__(self, config, longest=512):
        super().__init__()
        C = config.d_model
        options = {"d_model": C, "nhead": config.heads, "dim_feedforward": config.d_ff, "dropout": config.dropout}
        options |= {"activation": config.activation, "norm_first": config.norm_first}
        options |= {"layer_norm_eps": config.eps, "batch_first": True}
        norms = [nn.LayerNorm(C, config.eps) if config.final_norm else None for _ in range(2)]
        self.table = nn.Parameter(torch.zeros(config.vocab, C))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**options), config.layers, norms[0], enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**options), config.layers, norms[1])
        self.drop = nn.Dropout(config.dropout)
        angles = torch.arange(longest)[:, None] / 10000 ** (torch.arange(0, C, 2) / C)
        self.register_buffer("positions", torch.stack([angles.sin(), angles.cos()], -1).flatten(1), persistent=False)

    def embed(self, ids):
        C = self.table.shape[1]
        return self.drop(functional.embedding(ids, self.table) * math.sqrt(C) + self.positions[: ids.shape[1]])

    def loss(self, src, tgt, label_smoothing):
        """The smoothed cross-entropy of each token of tgt after the first; 0 is padding."""
        padding = src == 0
        memory = self.encoder(self.embed(src), src_key_padding_mask=padding)
        causal = nn.Transformer.generate_square_subsequent_mask(tgt.shape[1] - 1)
        out = self.decoder(
            self.embed(tgt[:, :-1]),
            memory,
            tgt_mask=causal,
            tgt_is_causal=True,
            memory_key_padding_mask=torch.zeros(padding.shape).masked_fill(padding, -math.inf),
        )
        logits = out @ self.table.T
        return functional.cross_entropy(
            logits.flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=0, label_smoothing=label_smoothing
        )


def copy_of(model):
    """A TorchTransformer with the weights of a `numgpt.Transformer`."""
    theirs = TorchTransformer(model.config)
    theirs.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.to_pytorch().items()})
    return theirs
