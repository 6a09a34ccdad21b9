"""Have transformers write tests/golden/tiny-gpt2/hf and compute expected.npz beside it, in float64.

Usage: python scripts/tools/golden/make_checkpoint_hf.py (with torch and transformers; made with 2.13 and 5.23)

expected.npz:
    ids, targets        (2, 9) ints; one target is -1 and does not count
    logits              (2, 9, 96)
    loss                mean cross-entropy over the 17 targets that count
    grad/<name>         the loss's gradient, for every parameter
    prompts, greedy     (2, 3) ints, and (2, 13): each prompt and ten tokens, always the likeliest next one
    adamw_losses        (10,): the loss before each of ten AdamW steps on that batch (learning rate 1e-3, betas 0.9 and
                        0.95, eps 1e-8, weight decay 0.1 on the parameters of two dimensions only)
"""

import numpy as np
import torch
from tiny_gpt2 import FOLDER, HPARAMS, weights
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

NEW_TOKENS = 10
SMALLEST_MARGIN = 1e-2  # between the two best logits, so that rounding cannot change a greedy continuation


def make_model():
    """The model in evaluation mode, in float32."""
    config = GPT2Config(
        vocab_size=HPARAMS["n_vocab"],
        n_positions=HPARAMS["n_ctx"],
        n_embd=HPARAMS["n_embd"],
        n_head=HPARAMS["n_head"],
        n_layer=HPARAMS["n_layer"],
        bos_token_id=None,
        eos_token_id=None,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
    )
    model = GPT2LMHeadModel(config).eval()
    parameters = dict(model.transformer.named_parameters())
    values = weights()
    assert parameters.keys() == values.keys()
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(values[name]))
    return model


def loss_of(model, ids, targets):
    return functional.cross_entropy(model(ids).logits.flatten(0, 1), targets.flatten(), ignore_index=-1)


def continue_greedily(model, ids):
    for _ in range(NEW_TOKENS):
        best = model(ids).logits[:, -1].topk(2)
        assert (best.values[:, 0] - best.values[:, 1]).min() > SMALLEST_MARGIN
        ids = torch.cat([ids, best.indices[:, :1]], dim=1)
    return ids


def adamw_losses(model, ids, targets):
    matrices = [parameter for parameter in model.parameters() if parameter.ndim == 2]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = loss_of(model, ids, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    model = make_model()
    model.save_pretrained(FOLDER / "hf")
    (FOLDER / "hf" / "generation_config.json").unlink()
    model.double()
    random = np.random.RandomState(5678)
    tokens = torch.from_numpy(random.randint(0, HPARAMS["n_vocab"], (2, 10)))
    ids, targets = tokens[:, :-1], tokens[:, 1:].clone()
    targets[1, 4] = -1
    prompts = ids[:, :3]
    with torch.no_grad():
        logits = model(ids).logits
        greedy = continue_greedily(model, prompts)
    loss = loss_of(model, ids, targets)
    loss.backward()
    gradients = {f"grad/{name}": parameter.grad.clone() for name, parameter in model.transformer.named_parameters()}
    np.savez(
        FOLDER / "expected.npz",
        ids=ids,
        targets=targets,
        logits=logits,
        loss=loss.detach(),
        prompts=prompts,
        greedy=greedy,
        adamw_losses=adamw_losses(model, ids, targets),
        **gradients,
    )
    print(f"loss {loss.item():.3f}, greedy {greedy.tolist()}")


if __name__ == "__main__":
    main()
