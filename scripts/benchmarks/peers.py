"""The other software: the same models, with the same weights. It is imported where it is used, so that numgpt's own
memory is measured without it."""

from numgpt.backend import to_host


def transformers_model(config):
    """transformers' GPT-2 of the same shape, in float32, without dropout."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    be_quiet()
    torch.manual_seed(0)
    sizes = {"n_embd": config.n_embd, "n_head": config.n_head, "n_layer": config.n_layer}
    special = {"bos_token_id": 0, "eos_token_id": None}
    off = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=config.n_vocab, n_positions=config.n_ctx, **sizes, **special, **off)
    ).eval()


def be_quiet():
    """Keep transformers' warnings and progress bars out of the table."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def plain_torch_model(config):
    """nanoGPT's design, with PyTorch's fused attention."""
    from benchmarks.torch_gpt import TorchGPT

    return TorchGPT(config)


def copy_weights(ours, theirs):
    """Copy our weights into a PyTorch model whose parameters have the published names, on any device."""
    import torch

    parameters = {name.removeprefix("transformer."): p for name, p in theirs.named_parameters()}
    with torch.no_grad():
        for name, value, _ in ours.named_parameters():
            stored = torch.from_numpy(to_host(value))
            turned = getattr(theirs, "stores_out_in", False) and stored.ndim == 2 and name.startswith("h.")
            parameters[name].copy_(stored.T if turned else stored)


def tiktoken_encoding(tokenizer):
    """tiktoken's encoding of the same vocabulary, with its own faster spelling of GPT-2's pattern."""
    from tiktoken import Encoding
    from tiktoken_ext.openai_public import r50k_pat_str

    special = set(tokenizer.special.values())
    ranks = {token: i for i, token in enumerate(tokenizer.tokens) if i not in special}
    return Encoding("gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens=tokenizer.special)
