"""The numbers against the model itself: what they say is so."""

import json

import numpy as np
import pytest

import numgpt
from numgpt import InputError, explain
from numgpt.explain import learning
from numgpt.explain.forward import triangle
from numgpt.explain.packing import unpack_to_lists
from numgpt.explain.subject import DOUBLE, exact_copy

PROMPT = "To be, or not to be"


@pytest.fixture
def data(gathered):
    return gathered(PROMPT, steps=3)


@pytest.fixture
def traced(model, tokenizer):
    ids = np.array([tokenizer.encode(PROMPT)])
    return numgpt.trace(model, ids, np.append(ids[:, 1:], [[-1]], axis=1))


def near(found, expected, tolerance=1e-6):
    return np.abs(np.asarray(found) - expected).max() <= tolerance * np.abs(expected).max()


def test_merges_lead_from_the_bytes_to_the_tokens(data, tokenizer):
    pieces = data["tokens"]["pieces"]
    assert "".join(piece["text"] for piece in pieces) == PROMPT
    assert sum((piece["ids"] for piece in pieces), []) == tokenizer.encode(PROMPT) == data["tokens"]["ids"]
    for piece in pieces:
        ids = list(piece["bytes"])
        assert b"".join(tokenizer.tokens[i] for i in ids) == piece["text"].encode()
        for place, new, rank in piece["steps"]:
            assert list(tokenizer.merges).index((ids[place], ids[place + 1])) == rank
            ids[place : place + 2] = [new]
        assert ids == piece["ids"]


def test_the_forward_numbers_are_the_trace_s(data, traced):
    channels = data["stream"]["channels"]
    embedding = data["embedding"]
    assert near(embedding["token"] + embedding["position"], traced.values["embed"][0][:, channels])
    hat = (data["stream"]["values"][0] - embedding["mean"][:, None]) * embedding["rstd"][:, None]
    assert near(hat * embedding["weight"] + embedding["bias"], traced.values["h.0.ln_1"][0][:, channels])
    for i, name in enumerate(data["stream"]["names"]):
        assert near(data["stream"]["values"][i], traced.values[name][0][:, channels])
        assert near(data["stream"]["gradients"][i], traced.gradients[name][0][:, channels])
        assert near(data["stream"]["norms"][i], np.linalg.norm(traced.values[name][0], axis=-1))
    for head in data["attention"]["opened"]:
        at = f"h.{head['layer']}.attn"
        assert all(near(head[name], traced.values[f"{at}.{name}"][0, head["head"]]) for name in "qkv")
        assert near(head["do"], traced.gradients[f"{at}.o"][0, head["head"]])
        assert near(head["writes"], traced.heads(head["layer"])[0, head["head"]][:, channels])
    for layer, block in enumerate(data["mlp"]["blocks"]):
        act = traced.values[f"h.{layer}.mlp.act"][0]
        effect = np.abs(act * traced.gradients[f"h.{layer}.mlp.act"][0])
        half = block["ids"].shape[1] // 2
        assert np.array_equal(block["ids"][:, 0], np.abs(act).argmax(-1))
        assert np.array_equal(block["ids"][:, half], effect.argmax(-1))
        assert near(block["after"], np.take_along_axis(act, block["ids"], -1))


def test_the_loss_and_its_gradient(data, traced):
    loss, gradient = data["loss"], traced.gradients["logits"][0]
    assert loss["loss"] == pytest.approx(traced.loss, rel=1e-12)
    assert near(loss["gradient"], np.take_along_axis(gradient, loss["ids"], -1))
    counted = traced.targets[0] >= 0
    assert np.array_equal(loss["ids"][counted, 0], traced.targets[0][counted])
    assert near(loss["log_sum"][counted] - loss["logits"][counted, 0], traced.nll[0][counted])


def test_shares_sum_to_one(data):
    assert np.allclose(data["shares"]["shares"].sum(-1)[:, :-1], 1, atol=1e-5)


def test_the_proof_agrees(data):
    rows = data["proof"]["rows"]
    assert {row["name"] for row in rows} >= {"embed", "h.0", "h.1", "ln_f", "wte.weight"}
    for row in rows:
        assert row["gradient"] == pytest.approx(row["difference"], rel=1e-5, abs=1e-10), row


def test_a_wrong_gradient_is_seen_in_the_proof(model, tokenizer, monkeypatch):
    from numgpt.tracing import walk

    right = walk.Walk.attention_backward
    monkeypatch.setattr(walk.Walk, "attention_backward", lambda *args: 1.01 * right(*args))
    data = explain.gather(explain.read_subject(model, tokenizer, PROMPT), steps=0)
    assert any(row["gradient"] != pytest.approx(row["difference"], rel=1e-4) for row in data["proof"]["rows"])


def test_steps_keep_their_promise_the_better_the_smaller(data):
    large, small, adamw = data["steps"]
    off = [abs(row["measured"] / row["promised"] - 1) for row in (large, small)]
    assert off[1] < off[0] / 3 < 0.5
    assert adamw["measured"] == pytest.approx(adamw["promised"], rel=0.1)


def test_a_head_left_out_is_a_head_ablated(data, model, traced):
    rows = numgpt.ablate(model, traced.ids, traced.targets, ["h.0.attn.1", "h.1.attn.2"])
    for row, (layer, head) in zip(rows, [(0, 1), (1, 2)], strict=True):
        assert data["heads"]["change"][layer, head] == pytest.approx(row.change, rel=1e-5)
        assert data["heads"]["estimate"][layer, head] == pytest.approx(row.estimate, rel=1e-5)
    change = np.abs(data["heads"]["change"])
    assert [(head["layer"], head["head"]) for head in data["attention"]["opened"]] == sorted(
        [(layer, int(change[layer].argmax())) for layer in range(2)], key=lambda pair: -change[pair]
    )


def test_generation_is_generate_s(data, model, tokenizer):
    ids = tokenizer.encode(PROMPT)
    out = numgpt.generate(model, [ids], max_new_tokens=8, temperature=0)[0]
    assert data["generation"]["ids"] == out[len(ids) :].tolist()
    assert data["generation"]["difference"] < 1e-12
    assert [step["read"] for step in data["generation"]["steps"]] == [0, *range(len(ids), len(ids) + 7)]


def test_learning_takes_the_loss_down_and_leaves_the_model(model, gathered):
    before, gradients = model.values.copy(), model.grads.copy()
    frames = gathered(PROMPT, steps=3)["learning"]["frames"]
    losses = [frame["loss"] for frame in frames]
    assert len(losses) == 4
    assert losses == sorted(losses, reverse=True)
    assert np.array_equal(model.values, before)
    assert np.array_equal(model.grads, gradients)


def test_a_film_goes_through_the_checkpoints(tmp_path, model, tokenizer, gathered):
    for step in (10, 200, 3000):
        (tmp_path / f"step-{step:08d}").mkdir()
    (tmp_path / "step-00000200.tmp").mkdir()
    paths = learning.checkpoints_of(str(tmp_path))
    assert [path.name for path in paths] == ["step-00000010", "step-00000200", "step-00003000"]
    assert learning.checkpoints_of("shakespeare") == []
    other = exact_copy(model)
    other.values *= 0.5
    film = gathered(PROMPT, checkpoints=[("first", lambda: other), ("last", lambda: model)])["learning"]
    assert film["film"]
    assert [frame["label"] for frame in film["frames"]] == ["first", "last"]
    assert film["frames"][1]["loss"] == pytest.approx(gathered(PROMPT)["loss"]["loss"], rel=1e-9)


def test_a_long_run_is_shown_in_few_frames(tmp_path):
    for step in range(1, 40):
        (tmp_path / f"step-{step:08d}").mkdir()
    numbers = [int(path.name[5:]) for path in learning.checkpoints_of(str(tmp_path))]
    assert len(numbers) == learning.FRAMES
    assert numbers[0] == 1
    assert numbers[-1] == 39


def test_another_model_beside(model, gathered):
    other = exact_copy(model)
    same = gathered(PROMPT, other=("twin", other))
    assert same["compare"]["loss"] == pytest.approx(same["loss"]["loss"], rel=1e-9)
    smaller = numgpt.GPT(numgpt.GPTConfig(n_vocab=9, n_ctx=24, n_embd=24, n_head=3, n_layer=2))
    with pytest.raises(InputError, match="n_vocab 9"):
        gathered(PROMPT, other=("small", smaller))


def test_a_target_comes_after_the_prompt(gathered, tokenizer):
    data = gathered("To be", target=", or not", steps=1)
    prompt, target = tokenizer.encode("To be"), tokenizer.encode(", or not")
    assert data["tokens"]["ids"] == [*prompt, *target[:-1]]
    assert data["tokens"]["targets"] == [-1] * (len(prompt) - 1) + target
    assert data["loss"]["counted"] == len(target)
    assert data["tokens"]["targets"][data["focus"]["t"]] >= 0


def test_one_token_has_the_model_s_own_target(gathered, model, tokenizer):
    data = gathered("!", steps=1)
    assert data["tokens"]["own_target"]
    assert data["tokens"]["targets"] == [int(model.forward([tokenizer.encode("!")])[0, -1].argmax())]


def test_chosen_layers_and_heads(gathered):
    data = gathered(PROMPT, layers="1", heads="1.2,0.0,1.2", steps=1)
    assert data["attention"]["layers"] == data["mlp"]["layers"] == data["heads"]["layers"] == [1]
    assert [(head["layer"], head["head"]) for head in data["attention"]["opened"]] == [(1, 2), (0, 0)]
    assert len(data["stream"]["names"]) == 5


def test_a_thumbnail_of_a_long_text_keeps_the_largest_of_each_cell():
    p = np.tril(np.random.default_rng(0).random((1, 100, 100)))
    small = triangle(p)
    assert small.shape == (1, 32 * 33 // 2)
    assert small.max() == p.max()


def test_the_numbers_are_json(data):
    text = json.dumps(unpack_to_lists(data), allow_nan=False)
    assert json.loads(text)["tokens"]["ids"] == data["tokens"]["ids"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "a", "target": ""}, "the target is empty"),
        ({"prompt": "!" * 25}, "has 25 tokens, but the model reads 24"),
        ({"prompt": "a", "layers": "2"}, "layers 0 to 1, and '2'"),
        ({"prompt": "a", "layers": "0,x"}, "'x' is none of them"),
        ({"prompt": "a", "heads": "0.3"}, "heads 0 to 2, and '3'"),
        ({"prompt": "a", "heads": "1"}, "layer.head, such as 0.3"),
    ],
)
def test_mistakes(gathered, arguments, message):
    with pytest.raises(InputError, match=message):
        gathered(**arguments)


def test_what_is_too_long_to_show(tokenizer):
    config = numgpt.GPTConfig(n_vocab=1024, n_ctx=300, n_embd=4, n_head=1, n_layer=2)
    model = numgpt.GPT(config)
    with pytest.raises(InputError, match="more than 64 are shown only in chosen layers.*--layers 0,1"):
        explain.read_subject(model, tokenizer, "!" * 65)
    with pytest.raises(InputError, match="at most 256 can be shown"):
        explain.read_subject(model, tokenizer, "!" * 257, layers="0")
    assert len(explain.read_subject(model, tokenizer, "!" * 65, layers="0").ids) == 65


def test_a_large_model_is_not_made_double(model, monkeypatch):
    assert exact_copy(model).dtype == np.float64
    monkeypatch.setattr("numgpt.explain.subject.DOUBLE", model.values.size - 1)
    assert exact_copy(numgpt.GPT(model.config)).dtype == np.float32
    assert DOUBLE > 124e6
