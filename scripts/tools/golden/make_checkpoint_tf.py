"""Have TensorFlow write tests/golden/tiny-gpt2/tf, laid out like OpenAI's releases.

Usage: python scripts/tools/golden/make_checkpoint_tf.py (with TensorFlow 2; made with 2.21)
"""

import tensorflow as tf
from tiny_gpt2 import FOLDER, weights, write_hparams


def openai_tensors():
    """OpenAI's name -> array; a projection's kernel has a leading axis of length 1."""
    tensors = {}
    for name, value in weights().items():
        path, _, kind = name.rpartition(".")
        scope = "model/" + path.replace("h.", "h", 1).replace(".", "/")
        if path in ("wte", "wpe"):
            tensors[scope] = value
        elif kind == "bias":
            tensors[scope + "/b"] = value
        elif "ln_" in path:
            tensors[scope + "/g"] = value
        else:
            tensors[scope + "/w"] = value[None]
    return tensors


def main():
    folder = FOLDER / "tf"
    folder.mkdir(parents=True, exist_ok=True)
    write_hparams(folder)
    names, values = zip(*sorted(openai_tensors().items()), strict=True)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=list(names),
        shape_and_slices=[""] * len(names),
        tensors=list(values),
    )


if __name__ == "__main__":
    main()
