"""The weights of tests/golden/tiny-gpt2, for the scripts in which other software writes and runs that model."""

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[3] / "tests" / "golden" / "tiny-gpt2"
HPARAMS = {"n_vocab": 96, "n_ctx": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}


def weights():
    """name -> float32 array, as numgpt names them: multiples of 1/256 of order one, which float32 holds exactly.

    RandomState, because NumPy promises never to change its stream. With this seed, greedy continuations vary.
    """
    V, T, C = HPARAMS["n_vocab"], HPARAMS["n_ctx"], HPARAMS["n_embd"]
    draw = np.random.RandomState(38).standard_normal
    values = {"wte.weight": draw((V, C)), "wpe.weight": draw((T, C))}
    for i in range(HPARAMS["n_layer"]):
        for name, size in ("ln_1", C), ("ln_2", C):
            values[f"h.{i}.{name}.weight"] = 1 + 0.3 * draw(size)
            values[f"h.{i}.{name}.bias"] = 0.3 * draw(size)
        projections = ("attn.c_attn", C, 3 * C), ("attn.c_proj", C, C), ("mlp.c_fc", C, 4 * C), ("mlp.c_proj", 4 * C, C)
        for name, size_in, size_out in projections:
            values[f"h.{i}.{name}.weight"] = 2 / np.sqrt(size_in) * draw((size_in, size_out))
            values[f"h.{i}.{name}.bias"] = 0.5 * draw(size_out)
    values["ln_f.weight"] = 1 + 0.3 * draw(C)
    values["ln_f.bias"] = 0.3 * draw(C)
    return {name: (np.round(value * 256) / 256).astype(np.float32) for name, value in values.items()}


def write_hparams(folder):
    """OpenAI's hparams.json."""
    (folder / "hparams.json").write_text(json.dumps(HPARAMS) + "\n", encoding="utf-8")
