"""Texts that are not as a task needs them: each is one line that says where and what, and status 2."""

import io
import json

import numpy as np
import pytest

import numgpt
from numgpt.cli import main
from numgpt.cli.progress import units_bar
from numgpt.evaluation.hellaswag import reduce
from numgpt.evaluation.stop_words import first_word, plain, without_last_word
from numgpt.evaluation.tasks import TASKS
from numgpt.tokenizer import CharTokenizer

ROW = {"activity_label": "Sewing", "ctx": "A b. c", "ctx_a": "A b.", "ctx_b": "c", "endings": ["d", "e"], "label": 1}
LAMBADA = [name for name in TASKS if name.startswith("lambada")]
HELLASWAG = [name for name in TASKS if name.startswith("hellaswag")]


class Bytes:
    """A tokenizer whose tokens are the bytes."""

    n_vocab, end_of_text = 257, 256

    def encode(self, text):
        return list(text.encode("utf-8"))

    def decode(self, ids):
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")


def make_model(n_vocab=257, n_ctx=16, seed=3):
    config = numgpt.GPTConfig(n_vocab=n_vocab, n_ctx=n_ctx, n_embd=8, n_head=2, n_layer=2)
    return numgpt.gradcheck.with_random_weights(numgpt.GPT(config, dtype="float64"), np.random.default_rng(seed))


def passages(*texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def rows(**changes):
    good = json.dumps(ROW)
    return f"{good}\n{json.dumps(ROW | changes)}\n".encode()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\n \n\n", "is empty"), (b'{"text": "a b"}\n\xff\n', "line 2: not UTF-8: byte 0xff")],
)
def test_no_text(tmp_path, capsys, task, content, reason):
    refused(tmp_path, capsys, task, content, reason)


@pytest.mark.parametrize(
    ("task", "content", "reason"),
    [(task, passages("a b", "word"), "line 2: a passage needs a last word") for task in LAMBADA]
    + [(task, passages("a b") + b"a b\n", "line 2, column 1: not usable JSON") for task in LAMBADA]
    + [
        (task, passages("a b") + b"\n" + b'{"txt": "a b"}', "line 3: 'text' must be a string, not None")
        for task in LAMBADA
    ]
    + [(task, b'{"text": ["a b"]}', "line 1: 'text' must be a string") for task in LAMBADA]
    + [(task, b'{"text": "a b", "text": "c"}', "line 1: not usable JSON: 'text' occurs twice") for task in LAMBADA]
    + [("lambada-lm-eval", b"[1]", "line 1: expected a JSON object")]
    + [("lambada-lm-eval", passages("a\nb"), "line 1: there is no space before the last word")]
    + [("lambada-stop-words", b"two words\nword\n", "line 2: a passage needs a last word and one before it")]
    + [(task, rows(label=2), "line 2: 'label' must say which of the 2 endings") for task in HELLASWAG]
    + [(task, rows(label=""), "line 2: 'label' must say which of the 2 endings") for task in HELLASWAG]
    + [(task, rows(label=True), "line 2: 'label' must say which of the 2 endings") for task in HELLASWAG]
    + [(task, rows(endings=["a"]), "line 2: 'endings' must be a list of two texts or more") for task in HELLASWAG]
    + [(task, rows(endings=["a", 1]), "line 2: 'endings' must be a list of two texts or more") for task in HELLASWAG]
    + [("hellaswag-lm-eval", rows(ctx_b=None), "line 2: 'ctx_b' must be a string, not None")]
    + [("hellaswag-llm.c", rows(ctx=""), "line 2: there is no context before what is to be predicted")]
    + [("hellaswag-llm.c", rows(endings=["a", "b" * 300]), "line 2: an ending has ")],
)
def test_a_malformed_line(tmp_path, capsys, task, content, reason):
    refused(tmp_path, capsys, task, content, reason)


def refused(tmp_path, capsys, task, content, reason):
    (tmp_path / "text").write_bytes(content)
    status = main(["evaluate", task, "--file", str(tmp_path / "text")])
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert reason in error


@pytest.mark.parametrize("task", TASKS)
def test_one_line(tmp_path, task):
    """A single unit has figures, and no standard error."""
    line = {"wikitext": b" = A = \n", "lambada": passages("one two."), "hellaswag": json.dumps(ROW).encode()}
    (tmp_path / "text").write_bytes(line[task.partition("-")[0]])
    found = numgpt.evaluate(make_model(n_ctx=32), Bytes(), task, file=tmp_path / "text")
    assert found["units"] == 1
    assert found["stderr"] is None
    assert found[found["stderr_of"]] is not None


@pytest.mark.parametrize("task", [*LAMBADA, *HELLASWAG])
def test_blank_lines_and_crlf_change_nothing(tmp_path, task):
    content = passages("one two", "three four") if task in LAMBADA else rows(label=0)
    found = []
    for number, data in enumerate([content, b"\n" + content.replace(b"\n", b"\r\n\r\n")]):
        (tmp_path / str(number)).write_bytes(data)
        found.append(numgpt.evaluate(make_model(n_ctx=32), Bytes(), task, file=tmp_path / str(number)))
    for result in found:
        del result["file"], result["file_sha256"]
    assert found[0] == found[1]


@pytest.mark.parametrize("task", [*LAMBADA, *HELLASWAG])
def test_a_context_that_is_too_long_is_cut_on_the_left(tmp_path, task):
    """The model's context is 16 bytes: what was cut off makes no difference, and it is counted."""
    found = []
    for number, beginning in enumerate(["", "x" * 7, "y" * 40]):
        text = beginning + "abcdefgh ijklmnop qrs"
        row = ROW | {"ctx": text, "ctx_a": text}
        content = passages(text, "a b") if task in LAMBADA else json.dumps(row).encode()
        (tmp_path / str(number)).write_bytes(content)
        found.append(numgpt.evaluate(make_model(), Bytes(), task, file=tmp_path / str(number)))
    assert [result["contexts_cut"] for result in found] == [1, 1, 1]
    for result in found:
        del result["file"], result["file_sha256"]
    assert found[0] == found[1] == found[2]


def test_a_vocabulary_that_is_too_small(tmp_path):
    (tmp_path / "text").write_text("one two three")
    for model, tokenizer, reason in [
        (make_model(n_vocab=100), Bytes(), "the tokenizer has 257 tokens, but the model only 100"),
        (make_model(), CharTokenizer("abc"), "the character 'o' is not among the 3 of this vocabulary"),
    ]:
        with pytest.raises(numgpt.InputError, match=reason):
            numgpt.evaluate(model, tokenizer, "text", file=tmp_path / "text")
    with pytest.raises(numgpt.InputError, match="puts <|endoftext|> before the text"):
        numgpt.evaluate(make_model(), CharTokenizer("one twhr"), "wikitext-lm-eval", file=tmp_path / "text")


def test_a_damaged_model(tmp_path):
    (tmp_path / "text").write_text("one two three")
    model = make_model()
    model.ln_f.weight[:] = np.nan
    with pytest.raises(numgpt.InputError, match="not finite numbers"):
        numgpt.evaluate(model, Bytes(), "text", file=tmp_path / "text")


def test_dropout_is_off_and_the_mode_stays(tmp_path):
    (tmp_path / "text").write_text("one two three")
    config = numgpt.GPTConfig(n_vocab=257, n_ctx=16, n_embd=8, n_head=2, n_layer=2, dropout=0.5)
    model = numgpt.GPT(config).train()
    nats = {numgpt.evaluate(model, Bytes(), "text", file=tmp_path / "text")["sum_logprob_nats"] for _ in range(2)}
    assert len(nats) == 1
    assert model.training


def test_the_words_of_a_passage():
    assert without_last_word("I do n't care about signs\n") == ("I do n't care about", "signs")
    assert without_last_word('he said "Go') == ('he said "', "Go")
    assert without_last_word("stop .") == ("stop", ".")
    assert [first_word(text) for text in (" Signs, he", '"no"', "\n\nélan vital", "", "don't", "a_b")] == [
        *("Signs", '"', "élan", "", "don", "a"),
    ]
    assert plain("Élan") == "elan"


def test_three_tokens_without_stop_words(tmp_path):
    """A model that always writes the same: " the" is a stop word and is passed over."""

    class Words:
        n_vocab, end_of_text = 5, None
        words = (" the", " sea", " he", " a", "x")

        def encode(self, text):
            return [self.words.index(f" {word}") if f" {word}" in self.words else 4 for word in text.split()]

        def decode(self, ids):
            return "".join(self.words[i] for i in ids)

    model = numgpt.GPT(numgpt.GPTConfig(n_vocab=5, n_ctx=8, n_embd=8, n_head=2, n_layer=1))
    model.ln_f.weight[:] = 0
    model.ln_f.bias[:] = np.eye(8)[0]
    model.wte.weight[:, 0] = [3, 1, 2, 0, 0]  # logits: the, he, sea, ...
    (tmp_path / "text").write_bytes(passages("x a SEA", "x a the", "a x x sea"))
    found = numgpt.evaluate(model, Words(), "lambada-stop-words", file=tmp_path / "text")
    assert found["accuracy"] == pytest.approx(2 / 3)
    (tmp_path / "plain").write_bytes(b"x a sea\nx a the\na x x sea\n")
    other = numgpt.evaluate(model, Words(), "lambada-stop-words", file=tmp_path / "plain")
    assert other["accuracy"] == found["accuracy"]


def test_equally_good_endings_and_empty_ones():
    records = [
        {"nats": [-1.0, -1.0], "lengths": [2, 2], "label": 0},
        {"nats": [-1.0, -2.0], "lengths": [0, 4], "label": 1},
        {"nats": [-3.0, -2.0], "lengths": [6, 2], "label": 1},
    ]
    found = reduce([record | {"tokens": [1, 1], "cut": 0} for record in records], {})
    assert (found["accuracy"], found["accuracy_norm"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["accuracy_stderr"] == pytest.approx(np.std([1, 0, 1], ddof=1) / np.sqrt(3))


@pytest.mark.parametrize("task", TASKS)
def test_progress_with_the_figure_so_far(tmp_path, task, monkeypatch):
    line = {"wikitext": b" = A = \n b c\n" * 9, "lambada": passages("one two", "three four"), "hellaswag": rows()}
    (tmp_path / "text").write_bytes(line[task.partition("-")[0]])
    monkeypatch.setattr("sys.stderr", Terminal())
    calls = []
    with units_bar() as draw:

        def progress(done, total, figures):
            calls.append((done, total, figures[figures["stderr_of"]]))
            draw(done, total, figures)

        found = numgpt.evaluate(
            make_model(n_ctx=32), Bytes(), task, file=tmp_path / "text", batch_size=1, progress=progress
        )
    assert [done for done, _, _ in calls] == sorted({done for done, _, _ in calls})
    assert calls[-1] == (found["units"], found["units"], pytest.approx(found[found["stderr_of"]]))


class Terminal(io.StringIO):
    def isatty(self):
        return True
