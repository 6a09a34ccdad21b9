"""Have transformers search with tests/golden/tiny-gpt2 and apply its rules to random scores: tests/golden/generation.

Usage: python scripts/tools/golden/make_generation.py (with torch and transformers; made with 2.13 and 5.24)

beams.json, a list of searches in float64: the arguments of `numgpt.beam_search`, and what was found, best first, for
    each prompt: [ids, score]. transformers keeps scores in float32.
rules.npz: scores (4, 9) and, for every case in rules.json, the ids of the rows and the scores after the rules.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2LMHeadModel
from transformers.generation import logits_process

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"
FOLDER = GOLDEN / "generation"
SEARCHES = [
    {"n_beams": 2, "max_new_tokens": 9},
    {"n_beams": 4, "max_new_tokens": 9, "stop_ids": [75]},
    {"n_beams": 4, "max_new_tokens": 9, "stop_ids": [75, 3], "length_penalty": 0.0},
    {"n_beams": 3, "max_new_tokens": 9, "stop_ids": [75], "length_penalty": 2.0},
    {"n_beams": 3, "max_new_tokens": 9, "stop_ids": [75, 11], "length_penalty": -1.0},
    {"n_beams": 6, "max_new_tokens": 8, "stop_ids": [75, 3, 11], "min_new_tokens": 5},
    {"n_beams": 5, "max_new_tokens": 9, "stop_ids": [75], "no_repeat_ngram_size": 2},
    {"n_beams": 5, "max_new_tokens": 9, "no_repeat_ngram_size": 1, "repetition_penalty": 1.3},
]
LENGTHS = 1, 4, 7  # of the prompts


def beams():
    """Every search, on random prompts."""
    model = GPT2LMHeadModel.from_pretrained(GOLDEN / "tiny-gpt2" / "hf").double().eval()
    rng = np.random.RandomState(3)
    cases = []
    for settings in SEARCHES:
        prompts = [rng.randint(0, 96, n).tolist() for n in LENGTHS]
        # ids that the model finds likely, so that many texts end
        likely = [int(model(torch.tensor([prompts[i]])).logits[0, -1].argsort()[-3 - i]) for i in range(3)]
        if "stop_ids" in settings:
            settings = settings | {"stop_ids": sorted(set(likely[: len(settings["stop_ids"])]))}
        found = [search(model, prompt, settings) for prompt in prompts]
        cases.append(settings | {"prompts": prompts, "found": found})
    return cases


def search(model, prompt, settings):
    """[ids, score] of each text that transformers finds, best first."""
    settings = dict(settings)
    stop_ids = settings.pop("stop_ids", None)
    n = settings.pop("n_beams")
    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        num_beams=n,
        num_return_sequences=n,
        eos_token_id=stop_ids,
        pad_token_id=0,
        do_sample=False,
        early_stopping=False,
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    return [
        [cut(row[len(prompt) :].tolist(), stop_ids or []), score]
        for row, score in zip(out.sequences, out.sequences_scores.tolist(), strict=True)
    ]


def cut(ids, stop_ids):
    """ids up to the first that ends the text; the rest is padding."""
    ends = [i for i, token in enumerate(ids) if token in stop_ids]
    return ids[: ends[0] + 1] if ends else ids


def rules():
    """({name: arguments}, {name: scores after the rule}) on rows with many repetitions, as there are only nine ids."""
    rng = np.random.RandomState(5)
    scores, cases, found = rng.standard_normal((4, 9)), {}, {}
    for n in 1, 2, 3, 4:
        rows = rng.randint(0, 3 if n > 2 else 7, (4, 12 if n > 2 else 4)).tolist()
        name = f"no_repeat_ngram_size {n}"
        cases[name] = {"n": n, "rows": rows}
        processor = logits_process.NoRepeatNGramLogitsProcessor(n)
        found[name] = processor(torch.tensor(rows), torch.tensor(scores)).numpy()
    for n_new in 0, 2, 3, 4:
        name = f"min_new_tokens {n_new}"
        cases[name] = {"n_new": n_new, "min_new_tokens": 3, "stop_ids": [2, 7]}
        processor = logits_process.MinNewTokensLengthLogitsProcessor(5, 3, [2, 7], "cpu")
        found[name] = processor(torch.zeros(4, 5 + n_new, dtype=torch.long), torch.tensor(scores)).numpy()
    return cases, {"scores": scores, **found}


def main():
    FOLDER.mkdir(exist_ok=True)
    rows = ",\n".join(json.dumps(case) for case in beams())
    (FOLDER / "beams.json").write_text(f"[\n{rows}\n]\n", "utf-8")
    cases, arrays = rules()
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    (FOLDER / "rules.json").write_text(f"{{\n{rows}\n}}\n", "utf-8")
    np.savez_compressed(FOLDER / "rules.npz", **arrays)


if __name__ == "__main__":
    main()
