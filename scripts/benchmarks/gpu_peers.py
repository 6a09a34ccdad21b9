"""The peers of gpu_check.py: the same work in PyTorch and transformers, on the GPU, with our weights.

Both are imported where they are used, so that the rest of the check works without them.
"""

from benchmarks.peers import copy_weights

DEVICE = "cuda"
ADAMW = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.1}


def torch_results(ours, ids, targets):
    """(logits, loss, name -> gradient) of a PyTorch GPT with the same weights, gradients transposed like ours."""
    import torch

    model, ids, targets = torch_model(ours), *torch_batch(ids, targets)
    logits = model(ids)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    gradients = {name: p.grad.cpu().numpy() for name, p in model.named_parameters()}
    turned = {name: g.T if g.ndim == 2 and name.startswith("h.") else g for name, g in gradients.items()}
    return logits.detach().cpu().numpy(), loss.item(), turned


def torch_model(ours):
    """scripts/benchmarks/torch_gpt.py's model with the weights of `ours`; in exact float32 until set otherwise."""
    import torch

    from benchmarks.torch_gpt import TorchGPT

    torch.set_default_device(DEVICE)
    torch.set_float32_matmul_precision("highest")
    model = TorchGPT(ours.config)
    copy_weights(ours, model)
    return model


def torch_batch(*arrays):
    import torch

    return tuple(torch.from_numpy(array).to(DEVICE) for array in arrays)


def torch_step(model, ids, targets, autocast):
    """A training step of a PyTorch model, eager, with scaled_dot_product_attention and the fused AdamW."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), **ADAMW, fused=True)
    ids, targets = torch_batch(ids, targets)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=autocast):
            logits = model(ids)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def torch_peak(step):
    """The peak memory of a step, in bytes."""
    import torch

    step()
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated()


def transformers_generate(ours, ids, n_new):
    """A function that returns transformers' tokens, on the host."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_default_device(DEVICE)
    torch.set_float32_matmul_precision("highest")
    shape = ours.config
    sizes = {"n_embd": shape.n_embd, "n_head": shape.n_head, "n_layer": shape.n_layer, "n_positions": shape.n_ctx}
    special = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
    config = GPT2Config(vocab_size=shape.n_vocab, **sizes, **special)
    model = GPT2LMHeadModel(config).to(DEVICE).eval()
    copy_weights(ours, model)
    (ids,) = torch_batch(ids)
    settings = {"attention_mask": torch.ones_like(ids), "max_new_tokens": n_new, "do_sample": False}
    return lambda: model.generate(ids, **settings).cpu().numpy()
