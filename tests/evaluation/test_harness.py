"""The lm-evaluation-harness's own figures, which scripts/tools/golden/make_evaluation.py had it compute."""

import json

import pytest

import numgpt
from numgpt.cli import main
from numgpt.evaluation.hellaswag import clean
from numgpt.evaluation.run import evaluate
from numgpt.evaluation.tasks import TASKS
from numgpt.evaluation.wikitext import detokenise, pages, reduce
from numgpt.tokenizer import load_tokenizer

FIGURES = {
    "wikitext": {
        "word_perplexity": "word_perplexity",
        "byte_perplexity": "byte_perplexity",
        "bits_per_byte": "bits_per_byte",
    },
    "lambada": {"perplexity": "perplexity_per_word", "acc": "accuracy"},
    "hellaswag": {"acc": "accuracy", "acc_norm": "accuracy_norm"},
}
FILES = {"wikitext": "pages.txt", "lambada": "lambada.jsonl", "hellaswag": "hellaswag.jsonl"}


@pytest.fixture(params=["plain", "fast"])
def kernels(request):
    with numgpt.use_kernels(request.param):
        yield request.param


@pytest.fixture(scope="module")
def folder(golden):
    return golden / "evaluation"


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "harness.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def subject(folder, golden):
    """(model, tokenizer)."""
    return numgpt.load(folder / "model", dtype="float64")[0], load_tokenizer(golden / "tokenizer")


def records(subject, task, path, batch_size):
    """The records of all units, as they are written down."""
    model, tokenizer = subject
    units, _ = TASKS[task].prepare(path.read_bytes().decode("utf-8"), path, tokenizer, model.config.n_ctx)
    return TASKS[task].score(model, tokenizer, units, batch_size)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("name", FIGURES)
def test_the_harness_s_figures(subject, folder, expected, name, batch_size, kernels):
    found = evaluate(*subject, f"{name}-lm-eval", file=folder / FILES[name], batch_size=batch_size)
    for theirs, ours in FIGURES[name].items():
        assert found[ours] == pytest.approx(expected[name][theirs], rel=1e-9), ours


@pytest.mark.parametrize("batch_size", [1, 8])
def test_every_single_answer(subject, folder, expected, batch_size, kernels):
    """Page by page, passage by passage, ending by ending: an accuracy alone hides much."""
    found = records(subject, "wikitext-lm-eval", folder / FILES["wikitext"], batch_size)
    assert [row["nats"] for row in found] == pytest.approx([nats for [nats] in expected["wikitext"]["answers"]])
    found = records(subject, "lambada-lm-eval", folder / FILES["lambada"], batch_size)
    answers = [answer for [answer] in expected["lambada"]["answers"]]
    assert [row["nats"] for row in found] == pytest.approx([nats for nats, _ in answers])
    assert [row["greedy"] for row in found] == [greedy for _, greedy in answers]
    found = records(subject, "hellaswag-lm-eval", folder / FILES["hellaswag"], batch_size)
    for row, answers in zip(found, expected["hellaswag"]["answers"], strict=True):
        assert row["nats"] == pytest.approx([nats for nats, _ in answers])


@pytest.mark.parametrize("batch_size", [1, 8])
def test_what_transformers_makes_of_the_other_protocols(subject, folder, expected, batch_size, kernels):
    found = records(subject, "lambada-last-token", folder / FILES["lambada"], batch_size)
    assert [row["nats"] for row in found] == pytest.approx(expected["last_token"])
    found = records(subject, "hellaswag-llm.c", folder / FILES["hellaswag"], batch_size)
    for row, theirs in zip(found, expected["llm.c"], strict=True):
        assert row["nats"] == pytest.approx(theirs["nats"])
        assert row["lengths"] == theirs["tokens"]


def test_contexts_are_shared_and_cut(subject, folder):
    """Both ways of reading endings are in the file: those whose contexts are read once, and those that are cut."""
    model, tokenizer = subject
    text = (folder / FILES["hellaswag"]).read_text("utf-8")
    units, _ = TASKS["hellaswag-lm-eval"].prepare(text, "rows", tokenizer, model.config.n_ctx)
    assert len({unit.shared for unit in units if unit.shared}) > 1
    assert evaluate(*subject, "hellaswag-lm-eval", file=folder / FILES["hellaswag"])["contexts_cut"] == 1
    assert [unit.shared for unit in units if unit.about["cut"]] == [0]


def test_texts_are_prepared_as_the_harness_does_it(folder, expected):
    text = (folder / FILES["wikitext"]).read_bytes().decode("utf-8")
    assert [detokenise(page) for page in pages(text)] == expected["detokenised"]
    for before, after in expected["cleaned"]:
        assert clean(before) == after


@pytest.mark.parametrize("batch_size", ["1", "8"])
def test_lambada_of_the_real_vocabulary(shared, tmp_path, capsys, batch_size, kernels):
    oracle = json.loads((shared / "oracles/mini-gpt2/evaluation.json").read_text("utf-8"))["lambada"]
    lines = (shared / "data/lambada_test.jsonl").read_bytes().split(b"\n")[slice(*oracle["lines"])]
    (tmp_path / "lines").write_bytes(b"\n".join(lines))
    words = ["--file", str(tmp_path / "lines"), "--dtype", "float64", "--batch-size", batch_size]
    assert main(["evaluate", "lambada-lm-eval", "--model", str(shared / "oracles/mini-gpt2/hf"), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sum_logprob_nats"] == pytest.approx(oracle["sum_logprob_nats"], rel=1e-9)
    assert found["perplexity_per_word"] == pytest.approx(oracle["perplexity_per_word"], rel=1e-9)
    assert found["accuracy"] == oracle["accuracy_all_tokens_greedy"]
    assert found["tokens_scored"] == oracle["target_tokens"]
    assert found["contexts_cut"] > 0


@pytest.fixture(scope="module")
def large(folder):
    return json.loads((folder / "large.json").read_text("utf-8"))


def test_the_harness_s_figures_of_lambada(shared, large):
    path = shared / "data/lambada_test.jsonl"
    found = evaluate(*numgpt.load(shared / "oracles/mini-gpt2/hf"), "lambada-lm-eval", file=path, limit=200)
    for theirs, ours in FIGURES["lambada"].items():
        assert found[ours] == pytest.approx(large["lambada"][theirs], rel=1e-5), ours


def test_the_harness_s_pages_of_wikitext(shared, large):
    """Some pages are read, since all of them take a while, and the figures of all made from the harness's answers."""
    path = shared / "data/wikitext-2-raw.test.txt"
    subject = numgpt.load(shared / "oracles/mini-gpt2/hf")
    answers = [nats for [nats] in large["wikitext"]["answers"]]
    found = evaluate(*subject, "wikitext-lm-eval", file=path, limit=4, batch_size=32)
    assert found["sum_logprob_nats"] == pytest.approx(sum(answers[:4]), rel=1e-6)
    units, _ = TASKS["wikitext-lm-eval"].prepare(path.read_bytes().decode("utf-8"), path, subject[1], 128)
    whole = reduce([{"nats": nats, "tokens": 1, **unit.about} for nats, unit in zip(answers, units, strict=True)], {})
    for theirs, ours in FIGURES["wikitext"].items():
        assert whole[ours] == pytest.approx(large["wikitext"][theirs], rel=1e-12), ours
