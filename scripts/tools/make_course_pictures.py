"""Make the pictures of docs/course/ from the bundled model as it reads the course's sentence.

python scripts/tools/make_course_pictures.py          # needs matplotlib
"""

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

import numgpt
from numgpt.layers.gelu import gelu, gelu_and_slope
from numgpt.training.schedule import learning_rate

FOLDER = Path(__file__).parents[2] / "docs" / "course" / "pictures"
BLUE, ORANGE = "#0b5cad", "#b84a00"
t, BLOCK, HEAD = 5, 1, 4  # the position and the head that the course follows

matplotlib.use("agg")
plt.rcParams.update({"figure.dpi": 100, "axes.spines.top": False, "axes.spines.right": False, "font.size": 10})


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    model, tokenizer = numgpt.load("shakespeare", dtype="float64")
    ids = tokenizer.encode("To be, or not to be")
    found = numgpt.trace(model, [ids[:6]], [[-1] * 5 + [ids[6]]])
    words = [tokenizer.decode([i]) for i in ids[:6]]
    embedding(model, ids)
    layernorm(found)
    triangles("attention", {"p": found.values[f"h.{BLOCK}.attn.p"][0, HEAD]}, words)
    gradients = {f"dL/d{x}": found.gradients[f"h.{BLOCK}.attn.{x}"][0, HEAD] for x in "ps"}
    triangles("backward", gradients, words)
    mlp(found)
    loss(found, tokenizer)
    schedule()
    training(tokenizer)
    cache(words)
    lens(found)
    ablation(model, ids)


def save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(FOLDER / f"{name}.png", metadata={"Software": None})
    plt.close(figure)


def embedding(model: Any, ids: list[int]) -> None:
    token, position = model.wte.weight[ids[t]], model.wpe.weight[t]
    rows = {f"wte[{ids[t]}]": token, f"wpe[{t}]": position, "sum": token + position}
    figure, axes = plt.subplots(3, 1, figsize=(7, 3.2), sharex=True, sharey=True)
    for axis, (name, row) in zip(axes, rows.items(), strict=True):
        axis.bar(np.arange(64), row[:64], color=BLUE)
        axis.set_ylabel(name)
    axes[-1].set_xlabel("the first 64 of 256 channels")
    save(figure, "embedding")


def layernorm(found: Any) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.6))
    for name in ("h.2", "h.1", "h.0"):
        axes[0].hist(found.values[name][0, t], np.linspace(-8, 8, 49), alpha=0.6, label=f"after {name}")
    x = found.values["h.2"][0, t]
    axes[1].hist((x - x.mean()) / x.std(), np.linspace(-8, 8, 49), color=BLUE)
    axes[0].legend(frameon=False)
    axes[0].set_title("the stream")
    axes[1].set_title("h.2 with mean 0 and variance 1")
    save(figure, "layernorm")


def triangles(name: str, matrices: dict[str, np.ndarray], words: list[str]) -> None:
    figure, axes = plt.subplots(1, len(matrices), figsize=(4 * len(matrices), 3.6), squeeze=False)
    for axis, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        limit = np.abs(matrix[np.tril_indices(6)]).max()
        masked = np.where(np.tri(6, dtype=bool), matrix, np.nan)
        picture = axis.imshow(masked, cmap="PuOr", vmin=-limit, vmax=limit)
        axis.set_xticks(range(6), words, rotation=60)
        axis.set_yticks(range(6), words)
        axis.set_xlabel("key")
        axis.set_ylabel("query")
        axis.set_title(f"{title}, block {BLOCK}, head {HEAD}")
        figure.colorbar(picture, ax=axis, shrink=0.8)
    save(figure, name)


def mlp(found: Any) -> None:
    x = np.linspace(-4, 4, 400)
    figure, axis = plt.subplots(figsize=(6, 3.2))
    y, slope = gelu_and_slope(x)
    axis.plot(x, y, color=BLUE, label="GELU")
    axis.plot(x, slope, color=ORANGE, linestyle="--", label="its slope")
    before = found.values["h.3.mlp.c_fc"][0, t]
    axis.scatter(before, gelu(before), s=8, color="black", zorder=3, label="the 1024 neurons at our position")
    axis.set_xlabel("before the activation")
    axis.legend(frameon=False)
    save(figure, "mlp")


def loss(found: Any, tokenizer: Any) -> None:
    gradient = found.gradients["logits"][0, t]
    logits = found.values["logits"][0, t]
    top = np.argsort(logits)[::-1][:8]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True)
    for axis, values, title in (axes[0], p[top], "p"), (axes[1], gradient[top], "dL/dlogit"):
        axis.barh(range(8), values, color=[BLUE if value > 0 else ORANGE for value in values])
        axis.set_title(title)
    axes[0].set_yticks(range(8), [repr(tokenizer.decode([i])) for i in top])
    axes[0].invert_yaxis()
    save(figure, "loss")


def schedule() -> None:
    steps = np.arange(3500)
    figure, axis = plt.subplots(figsize=(6, 2.6))
    axis.plot(steps, [learning_rate(step, 1.5e-3, 5e-5, 200, 3500) for step in steps], color=BLUE)
    axis.set_xlabel("step")
    axis.set_ylabel("learning rate")
    save(figure, "schedule")


def training(tokenizer: Any) -> None:
    """The run of page 9."""
    ids = np.array([tokenizer.encode("To be, or not to be, that is the question.\n" * 4)])
    config = numgpt.GPTConfig(n_vocab=tokenizer.n_vocab, n_ctx=64, n_embd=48, n_head=4, n_layer=2)
    model = numgpt.GPT(config, seed=0, dtype="float64")
    optimizer = numgpt.AdamW(model, lr=1e-2)
    losses = []
    for _ in range(101):
        model.zero_grad()
        losses.append(model.loss(ids[:, :-1], ids[:, 1:]))
        model.backward()
        optimizer.step()
    figure, axis = plt.subplots(figsize=(6, 2.6))
    axis.plot(losses, color=BLUE)
    axis.axhline(np.log(tokenizer.n_vocab), color="grey", linestyle=":")
    axis.text(60, 6.5, "ln(V): nothing is known", color="#555555")
    axis.set_xlabel("step")
    axis.set_ylabel("loss, nats")
    save(figure, "training")


def cache(words: list[str]) -> None:
    labels = [*words, "?", "?", "?", "?"]
    figure, axis = plt.subplots(figsize=(5, 3.8))
    for query in range(10):
        for key in range(query + 1):
            computed = key == query if query > t else True
            axis.add_patch(plt.Rectangle((key, query), 0.9, 0.9, color=ORANGE if computed else "#9ec3e6"))
    axis.set(xlim=(0, 10), ylim=(10, 0), xlabel="keys and values", ylabel="position that is read")
    axis.set_xticks(np.arange(10) + 0.45, labels, rotation=60)
    axis.set_yticks(np.arange(10) + 0.45, labels)
    axis.plot([], [], "s", color=ORANGE, label="computed")
    axis.plot([], [], "s", color="#9ec3e6", label="from the cache")
    axis.legend(frameon=False, loc="upper right")
    save(figure, "cache")


def lens(found: Any) -> None:
    result = found.lens(top=1)
    figure, axis = plt.subplots(figsize=(6, 2.6))
    axis.plot(result.names, result.target_probability[:, 0, t], "o-", color=BLUE)
    axis.set_ylabel("p(' be')")
    axis.set_ylim(0)
    save(figure, "lens")


def ablation(model: Any, ids: list[int]) -> None:
    heads = [f"h.{block}.attn.{head}" for block in range(4) for head in range(8)]
    rows = numgpt.ablate(model, [ids[:6]], [[-1] * 5 + [ids[6]]], heads)
    figure, axis = plt.subplots(figsize=(5, 3.4))
    axis.axline((0, 0), slope=1, color="grey", linewidth=1)
    for block in range(4):
        here = rows[8 * block : 8 * block + 8]
        axis.scatter([row.estimate for row in here], [row.change for row in here], label=f"block {block}")
    axis.set(xlabel="estimated change of the loss", ylabel="measured")
    axis.legend(frameon=False)
    save(figure, "ablation")


if __name__ == "__main__":
    main()
