"""The bundled model: it loads by name, writes in its style, and is as good as weights/README.md says."""

import gzip
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

import numgpt
from numgpt.checkpoint import hub
from numgpt.cli import main
from numgpt.training.evaluate import HeldOut
from numgpt.training.part import Part

ROOT = Path(__file__).parents[1]
HELD_OUT_PER_CHARACTER = 1.459
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


@pytest.fixture(scope="module")
def loaded():
    return numgpt.load("shakespeare")


def test_it_fits(loaded):
    folder = hub.find_shipped("shakespeare")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8e6
    model, tokenizer = loaded
    assert model.dtype == np.float32
    assert tokenizer.n_vocab == model.config.n_vocab


def test_it_knows_the_style(loaded):
    """Far likelier than chance, on a line that is in no play."""
    model, tokenizer = loaded
    ids = np.array([tokenizer.encode("ROMEO:\nI am the king of all the world, my lord.\n\nJULIET:\n")])
    assert model.loss(ids[:, :-1], ids[:, 1:]) < math.log(model.config.n_vocab) - 3


def test_it_is_what_generate_uses(capsys):
    assert main(["generate", "ROMEO:", "--seed", "1", "--max-new-tokens", "40", "--offline"]) == 0
    assert capsys.readouterr().out.startswith("ROMEO:\n")


def test_the_held_out_loss_is_the_one_that_is_stated(loaded, shared):
    data = (shared / "data/tinyshakespeare.txt").read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256
    text = data.decode()
    model, tokenizer = loaded
    held_out = np.array(tokenizer.encode(text[int(len(text) * 0.9) :]))
    loss = HeldOut(Part(held_out), model.config.n_ctx, 32, 0, tokenizer).loss(model)
    assert loss.per_character == pytest.approx(HELD_OUT_PER_CHARACTER, abs=1e-3)


@pytest.fixture
def english_french():
    folder = hub.find_shipped("english-french")
    if not folder.is_dir():
        pytest.skip("weights/english-french is not in this checkout")
    return folder


def test_the_translator_fits_and_says_whose_its_sentences_are(english_french):
    assert sum(path.stat().st_size for path in english_french.iterdir()) <= 9e6
    licence = (english_french / "LICENSE.txt").read_text("utf-8")
    assert "www.manythings.org/anki and tatoeba.org" in licence
    assert "creativecommons.org/licenses/by/2.0/fr/" in licence


def test_it_is_what_translate_uses(english_french, capsys):
    assert main(["translate", "I love you.", "Where is the cat?", "--beam", "4"]) == 0
    assert capsys.readouterr().out.splitlines() == ["Je t'aime.", "Où est le chat ?"]


@pytest.mark.parametrize(("beams", "bleu"), [(1, 48.2), (4, 50.1)])
def test_its_bleu_is_the_one_that_is_stated(english_french, shared, tmp_path, capsys, beams, bleu):
    """Of all sources that its training held out."""
    pytest.importorskip("sacrebleu")
    data = gzip.decompress((shared / "data/tatoeba-eng-fra/fra.txt.gz").read_bytes())
    (tmp_path / "fra.tsv").write_bytes(data)
    command = ["bleu", str(tmp_path / "fra.tsv"), "--val-fraction", "0.02", "--beam", str(beams), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sources"], found["references"]) == (1942, 2806)
    assert found["bleu"] == pytest.approx(bleu, abs=0.2)
    assert f"{bleu} {'greedy' if beams == 1 else 'with 4 beams'}" in (ROOT / "weights/README.md").read_text("utf-8")


def test_explain_takes_it_by_its_name(english_french, tmp_path):
    command = ["explain", "I love you.", "--model", "english-french", "-o", str(tmp_path / "page.html")]
    assert main(command) == 0
    assert "aime" in (tmp_path / "page.html").read_text("utf-8")


def test_an_installed_package_has_it_inside(tmp_path, monkeypatch):
    (tmp_path / "weights" / "shakespeare").mkdir(parents=True)
    monkeypatch.setattr(hub, "_PACKAGE", tmp_path)
    assert hub.find_shipped("shakespeare") == tmp_path / "weights" / "shakespeare"
    assert hub.find_shipped("124M") is None
