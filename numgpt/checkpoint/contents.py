"""Folders without a model that can be opened: what is in them, what is missing, and what to do."""

from numgpt.checkpoint.weights import WEIGHTS, find_weights

NEEDED = f"a model is {WEIGHTS} and config.json, or model.ckpt.index, model.ckpt.data-* and hparams.json"
NEVER_OPENED = (".bin", ".pt", ".pth", ".pkl", ".h5", ".ckpt", ".msgpack")
KINDS = {
    "config.json": "the configuration, as Hugging Face writes it",
    "hparams.json": "the configuration, as OpenAI wrote it",
    "generation_config.json": "where a text ends",
    "checkpoint": "which TensorFlow checkpoint is the newest",
    "vocab.json": "the vocabulary",
    "encoder.json": "the vocabulary",
    "merges.txt": "the merges of the vocabulary",
    "vocab.bpe": "the merges of the vocabulary",
    "tokenizer.json": "vocabulary, merges and added tokens",
    "tokenizer_config.json": "settings of the tokenizer, perhaps added tokens",
    "added_tokens.json": "added tokens",
    "special_tokens_map.json": "which tokens are special",
    "chars.json": "a vocabulary of characters",
    "words.json": "a vocabulary of words",
}
SUFFIXES = {
    ".safetensors": "weights",
    ".safetensors.index.json": "which weights are in which file",
    ".index": "where the weights are in TensorFlow's files",
    **dict.fromkeys(NEVER_OPENED, "never opened: it can run code"),
}
MOST_FILES = 30  # that are listed


def what_is_wrong(folder):
    """Why there is no model to open in `folder`, and what to do, in one line."""
    names = sorted(path.name for path in folder.iterdir())
    closed = [name for name in names if name.endswith(NEVER_OPENED)]
    if "adapter_config.json" in names or "adapter_model.safetensors" in names:
        return "an adapter (LoRA), not a model: merge it into its model (merge_and_unload in peft) and save that"
    if find_weights(folder):
        return f"config.json is missing beside {find_weights(folder).name}"
    if any(name.endswith(".index") for name in names):
        return "hparams.json is missing beside " + next(name for name in names if name.endswith(".index"))
    if closed:
        return f"{closed[0]} can run code and is never opened; convert it: {conversion(folder, closed[0])}"
    inside = [path.name for path in sorted(folder.iterdir()) if (path / "config.json").is_file()]
    if inside:
        return f"no model here, but in {inside[-1]}: give the folder {folder / inside[-1]}"
    there = [name for name in ("config.json", "hparams.json") if name in names]
    return f"no model here{f', only {there[0]}' if there else ''}; {NEEDED}"


def conversion(folder, name):
    """How to convert the file `name` in `folder` to model.safetensors: a shell command, if there is one."""
    if not name.endswith((".bin", ".pt", ".pth")):
        return f"have the program that wrote it save {WEIGHTS}"
    if name.endswith(".bin") and (folder / "config.json").exists():
        code = "from transformers import AutoModelForCausalLM as M; M.from_pretrained('.').save_pretrained('.')"
    else:
        code = (
            f"import torch, safetensors.torch as s; d = torch.load({name!r}, 'cpu', weights_only=True); "
            "d = d.get('model', d.get('state_dict', d)); "
            f"s.save_file({{k: v.contiguous().clone() for k, v in d.items()}}, {WEIGHTS!r})"
        )
    return f'in that folder, python -c "{code}"'


def describe(folder):
    """(name, what it is) of the files in `folder`, to show why they are not a model."""
    paths = sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name))
    lines = [(path.name, _kind(path)) for path in paths[:MOST_FILES]]
    more = len(paths) - len(lines)
    return lines + ([("...", f"and {more} more")] if more else [])


def _kind(path):
    if path.is_dir():
        return "a folder with a model's configuration in it" if (path / "config.json").is_file() else "a folder"
    kind = KINDS.get(path.name) or next((kind for end, kind in SUFFIXES.items() if path.name.endswith(end)), None)
    if kind is None and ".data-" in path.name:
        kind = "weights, as TensorFlow writes them"
    return f"{kind or 'not read by numgpt'}, {path.stat().st_size:,} bytes"
