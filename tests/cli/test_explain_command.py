"""`numgpt explain`: where it writes what, and what it refuses."""

import json

import pytest

from numgpt.cli import main


@pytest.fixture
def explain(tiny_model, capsys):
    def run(*arguments):
        status = main(["explain", "--model", tiny_model, "--steps", "1", *arguments])
        return status, *capsys.readouterr()

    return run


def test_a_page(explain, tmp_path):
    path = tmp_path / "page.html"
    assert explain("Hi there", "-o", str(path)) == (0, "", "")
    text = path.read_text("utf-8")
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert list(tmp_path.iterdir()) == [path]


def test_text_in_both_languages(explain):
    status, english, _ = explain("Hi there", "--text")
    assert status == 0
    assert [line[:2] for line in english.splitlines() if line[:1].isdigit()] == [*(f"{n}." for n in range(1, 10)), "10"]
    assert "numgpt/layers/attention.py:" in english
    status, german, _ = explain("Hi there", "--text", "--language", "de")
    assert german.startswith("Der Weg eines Textes")
    assert len(german.splitlines()) == len(english.splitlines())


def test_a_terminal_gets_no_control_characters(explain):
    _, out, _ = explain("a\x1b[31m\u202e\x07", "--text")
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_a_run_is_a_film_of_its_checkpoints_and_one_of_them_is_explained(text_file, tmp_path, capsys):
    run = str(tmp_path / "run")
    shape = ["--n-layer", "1", "--n-head", "2", "--n-embd", "8", "--context", "8", "--batch-size", "2"]
    train = ["train", "--data", str(text_file), "--out", run, "--tokenizer", "char", *shape]
    assert main([*train, "--max-steps", "4", "--save-every", "1", "--keep", "9"]) == 0
    capsys.readouterr()
    data = []
    for which in "1", "latest":
        assert main(["explain", "3 tim", "--model", run, "--checkpoint", which, "--json"]) == 0
        data.append(json.loads(capsys.readouterr().out))
    assert data[0]["learning"]["film"]
    losses = {frame["label"]: frame["loss"] for frame in data[0]["learning"]["frames"]}
    assert list(losses)[-4:] == [f"step-{step:08d}" for step in range(1, 5)]
    assert data[0]["loss"]["loss"] == pytest.approx(losses["step-00000001"], rel=1e-4)
    assert data[1]["loss"]["loss"] == pytest.approx(losses["step-00000004"], rel=1e-4)


def test_json(explain):
    status, out, _ = explain("Hi there", "--json", "--heads", "0.1")
    data = json.loads(out)
    assert status == 0
    assert data["attention"]["opened"][0]["head"] == 1
    assert data["about"]["prompt"] == "Hi there"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Hi"], "no output is chosen"),
        (["", "--text"], "the prompt is empty"),
        (["Hi", "--text", "--language", "fr"], "'fr': choose from en, de"),
        (["Hi", "--text", "--layers", "7"], "layers 0 to 0"),
        (["x" * 65, "--text"], "but the model reads 64"),
        (["Hi", "--text", "--steps", "-1"], "--steps must be at least 0 (0 takes none)"),
    ],
)
def test_mistakes_are_one_line(explain, arguments, message):
    status, out, err = explain(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_text_and_json_do_not_go_together(explain):
    assert explain("Hi", "--text", "--json")[0] == 2
