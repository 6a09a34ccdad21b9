"""The comparisons with published numbers, on a small model whose numbers the plain reference makes; and the numbers."""

import copy
import json

import numpy as np
import pytest

import reference
from numgpt import GPT, AdamW, GPTConfig, InputError, gradcheck
from numgpt.config import OFFICIAL_SIZES
from numgpt.verification import checks
from numgpt.verification.checks import compare, read_published, verify

CONFIG = GPTConfig(n_vocab=13, n_ctx=12, n_embd=12, n_head=3, n_layer=2)
IDS = [4, 0, 12, 7]
STREAM = [1, 5, 3, 3, 9, 0, 2, 8, 12, 4, 4, 6, 10, 11, 1, 7, 5]


@pytest.fixture
def model():
    return gradcheck.with_random_weights(GPT(CONFIG, dtype="float64"), np.random.default_rng(3))


class Letters:
    """A tokenizer of 13 letters."""

    def encode(self, text):
        return [ord(letter) - ord("a") for letter in text]

    def decode(self, ids):
        return "".join(chr(ord("a") + token) for token in ids)


@pytest.fixture
def sections(model):
    """What the plain reference would publish of `model`: an entry for every function of `checks`."""
    p = {name: value.copy() for name, value, _ in model.named_parameters()}

    def logits(ids):
        return reference.logits(ids, p, CONFIG.n_layer, CONFIG.n_head)

    def loss(batches):
        rows = [reference.loss(x, y, p, CONFIG.n_layer, CONFIG.n_head) for x, y in batches]
        return sum(rows) / len(rows)

    found = logits(IDS)
    embedded = [p["wte.weight"][token] for token in IDS]
    normed = reference.layernorm(embedded[0], p["h.0.ln_1.weight"], p["h.0.ln_1.bias"])
    hidden = embedded[0] @ p["h.1.mlp.c_fc.weight"] + p["h.1.mlp.c_fc.bias"]
    attended = reference.attention(embedded, p, "h.0.attn.", CONFIG.n_head)[2]
    longer = list(IDS)
    for _ in range(5):
        longer.append(int(logits(longer)[-1].argmax()))
    batches = [
        ([STREAM[0:4], STREAM[4:8]], [STREAM[1:5], STREAM[5:9]]),
        ([STREAM[8:12], STREAM[12:16]], [STREAM[9:13], STREAM[13:17]]),
    ]
    entry = {"source": "the reference", "tolerance": 1e-9}
    layer = entry | {"ids": IDS[:1], "position": 0}
    return {
        "parameters": [entry | {"name": "wte.weight", "row": 7, "values": list(p["wte.weight"][7][:5])}],
        "layers": [
            layer | {"name": "h.0.ln_1", "values": list(normed)},
            layer | {"name": "h.1.mlp.c_fc", "values": list(hidden[:10])},
            layer | {"name": "h.0.attn", "ids": IDS, "position": 2, "values": list(attended[:5])},
        ],
        "logits": [entry | {"ids": IDS, "position": 1, "tokens": [0, 5, 12], "values": list(found[1, [0, 5, 12]])}],
        "mean_logits": [entry | {"ids": IDS, "value": found.mean()}],
        "likeliest": [{"source": "the reference", "ids": IDS, "position": 2, "token": int(found[2].argmax())}],
        "probabilities": [
            entry | {"ids": IDS, "position": 3, "token": 9, "value": reference.softmax(list(found[3]))[9]}
        ],
        "losses": [entry | {"ids": [*STREAM, 0, 0], "batches": 2, "B": 2, "T": 4, "value": loss(batches)}],
        "greedy": [
            {
                "source": "the reference",
                "prompt": Letters().decode(IDS),
                "prompt_ids": IDS,
                "text": Letters().decode(longer[4:]),
                "ids": longer[4:],
            }
        ],
        "training": [entry | AT_ONCE | {"ids": STREAM, "values": losses_of_training(model)}],
    }


AT_ONCE = {"B": 2, "T": 4, "lr": 0.01, "betas": [0.9, 0.99], "eps": 1e-8, "weight_decay": 0.1}


def losses_of_training(model):
    """The losses before three steps, by hand; the model that is asked must not learn from the question."""
    learner = GPT(CONFIG, dtype="float64")
    learner.values[...] = model.values
    optimizer = AdamW(learner, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    found = []
    for _ in range(3):
        learner.zero_grad()
        found.append(learner.loss([STREAM[0:4], STREAM[4:8]], [STREAM[1:5], STREAM[5:9]]))
        learner.backward()
        optimizer.step()
    return found


def test_training_puts_the_weights_back(model, sections):
    before = model.values.copy()
    assert list(compare(model, None, {"training": sections["training"]}))
    assert np.array_equal(model.values, before)


ENTRIES = 11


@pytest.mark.parametrize("tokenizer", [Letters(), None])
def test_a_model_agrees_with_itself(model, sections, tokenizer):
    rows = list(compare(model, tokenizer, sections))
    assert [row.what for row in rows if not row.ok] == []
    assert len(rows) == ENTRIES == sum(len(entries) for entries in sections.values())
    assert all(row.source == "the reference" for row in rows)


@pytest.mark.parametrize("place", range(ENTRIES))
def test_one_wrong_number_is_one_wrong_row(model, sections, place):
    section, i = [(name, i) for name, entries in sections.items() for i in range(len(entries))][place]
    altered = copy.deepcopy(sections)
    entry = altered[section][i]
    if "values" in entry:
        entry["values"][-1] += 1e-8
    elif "value" in entry:
        entry["value"] -= 1e-8
    elif "token" in entry:
        entry["token"] ^= 1
    else:
        entry["ids"][-1] ^= 1
    rows = list(compare(model, Letters(), altered))
    assert [j for j, row in enumerate(rows) if not row.ok] == [place]
    if "values" in entry:
        assert rows[place].published == entry["values"][-1]
        assert abs(rows[place].computed - rows[place].published) == pytest.approx(1e-8, rel=1e-3)


def test_a_model_that_is_not_a_number_is_wrong_everywhere(model, sections):
    sections.pop("greedy")
    for _, value, _ in model.named_parameters():
        value[...] = np.nan
    assert not any(row.ok for row in compare(model, None, sections))


def test_a_wrong_prompt_ends_in_a_wrong_row(model, sections):
    class Other(Letters):
        def encode(self, text):
            return super().encode(text)[::-1]

    rows = list(compare(model, Other(), {"greedy": sections["greedy"]}))
    assert [row.ok for row in rows] == [False]
    assert rows[0].published == sections["greedy"][0]["text"]


def test_rows_come_one_by_one(model, sections):
    rows = compare(model, None, sections)
    assert next(rows).what == "wte.weight[7], 5 values"
    assert next(rows).what == "h.0.ln_1(wte[4]), position 0, 12 values"


def test_only_a_model_of_the_right_size_is_compared(model):
    with pytest.raises(InputError, match="this is not the model 124M"):
        verify(model, None, "124M")
    with pytest.raises(
        InputError, match="nothing is published about a model '1M': choose from 124M, 355M, 774M, 1558M"
    ):
        verify(model, None, "1M")


def test_dropout_does_not_make_it_another_model(monkeypatch, sections):
    monkeypatch.setitem(OFFICIAL_SIZES, "124M", CONFIG)
    monkeypatch.setattr(checks, "read_published", lambda size: {"parameters": sections["parameters"]})
    config = GPTConfig(**(vars(CONFIG) | {"dropout": 0.1}))
    model = gradcheck.with_random_weights(GPT(config, dtype="float64"), np.random.default_rng(3))
    assert [row.ok for row in verify(model, None, "124M")] == [True]


# The published numbers


def all_entries():
    for size in OFFICIAL_SIZES:
        for section, entries in read_published(size).items():
            for entry in entries:
                yield size, section, entry


def test_every_entry_has_what_its_comparison_reads():
    needed = {
        "parameters": {"name", "row", "values", "tolerance"},
        "layers": {"name", "ids", "position", "values", "tolerance"},
        "logits": {"ids", "position", "tokens", "values", "tolerance"},
        "mean_logits": {"ids", "value", "tolerance"},
        "likeliest": {"ids", "position", "token"},
        "probabilities": {"ids", "position", "token", "value", "tolerance"},
        "losses": {"ids", "batches", "B", "T", "value", "tolerance"},
        "greedy": {"prompt", "prompt_ids", "text", "ids"},
        "training": {"ids", "B", "T", "lr", "betas", "eps", "weight_decay", "values", "tolerance"},
    }
    for _, section, entry in all_entries():
        assert entry.keys() == needed[section] | {"source"}
        ids = [*entry.get("ids", []), *entry.get("prompt_ids", []), *entry.get("tokens", []), entry.get("token", 0)]
        assert all(type(token) is int and 0 <= token < 50257 for token in ids)
        if section == "logits":
            assert len(entry["tokens"]) == len(entry["values"])
        if section == "losses":
            assert len(entry["ids"]) > entry["batches"] * entry["B"] * entry["T"]


def test_there_is_something_of_every_size():
    assert {size for size, _, _ in all_entries()} == set(OFFICIAL_SIZES)


def test_the_numbers_were_copied_right(shared):
    """All but one are in the collection of facts; that one, the mean of five batches, is none of llm.c's own."""

    def flat(value):
        if isinstance(value, (dict, list)):
            for part in value.values() if isinstance(value, dict) else value:
                yield from flat(part)
        elif isinstance(value, float):
            yield value

    facts = set(flat(json.loads((shared / "facts" / "04_known_outputs_of_real_gpt2.json").read_text("utf-8"))))
    values = {value for _, _, entry in all_entries() for key in ("value", "values") for value in flat(entry.get(key))}
    assert values - facts == {5.325414}


def test_every_entry_can_be_computed():
    """A model with GPT-2's vocabulary, names and context, but few channels: all entries give a row, all wrong."""
    model = GPT(GPTConfig(n_embd=12, n_head=3, n_layer=1), seed=0)
    sections = read_published("124M")
    sections["losses"] = [entry | {"batches": 1, "B": 1, "T": 3} for entry in sections["losses"]]
    sections["training"] = [entry | {"B": 1, "T": 3, "values": entry["values"][:2]} for entry in sections["training"]]
    sections["greedy"] = [entry | {"ids": entry["ids"][:2]} for entry in sections["greedy"]]
    rows = list(compare(model, None, sections))
    assert len(rows) == sum(len(entries) for entries in sections.values())
    assert not any(row.ok for row in rows)


def test_the_texts_and_the_ids_say_the_same(shared):
    """Prompts and continuations were published as texts, or as ids, or as both; here are both."""
    from numgpt.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(shared / "gpt2")
    for _, section, entry in all_entries():
        if section == "greedy":
            assert tokenizer.encode(entry["prompt"]) == entry["prompt_ids"]
            assert tokenizer.encode(entry["prompt"] + entry["text"]) == entry["prompt_ids"] + entry["ids"]
            assert tokenizer.decode(entry["prompt_ids"]) == entry["prompt"]
            assert tokenizer.decode(entry["ids"]) == entry["text"]


def test_the_stream_of_tokens_is_the_beginning_of_the_play(shared):
    from numgpt.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(shared / "gpt2")
    text = (shared / "data" / "tinyshakespeare.txt").read_text("utf-8")
    ids = [token for part in text.split("\n\n")[:100] for token in [50256, *tokenizer.encode(part + "\n\n")]]
    stream = read_published("124M")["losses"][-1]["ids"]
    assert len(stream) == 2561
    assert ids[:2561] == stream
