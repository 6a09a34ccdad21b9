"""What the file is made of: nothing breaks out of its tag, nothing is asked for, every string is there."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

from numgpt import InputError, explain
from numgpt.explain.packing import Picture, pack, unpack_to_lists
from numgpt.explain.page import FOLDER, SCRIPTS, in_a_tag, read_strings
from numgpt.explain.sources import FORMULAS, ROOT, sources

NASTY = "</script><!--<script>{script}&amp;\u2028\u2029\u0000\"'\\"


def test_json_cannot_leave_its_tag():
    text = in_a_tag({"a": NASTY, NASTY: [NASTY]})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": NASTY, NASTY: [NASTY]}


def test_the_page_holds_the_prompt_once_and_nothing_runs_but_its_own(gathered):
    data = gathered("a", steps=0)
    data["about"]["prompt"] = NASTY
    data["about"]["model"] = NASTY
    text = explain.page(data)
    assert text.count("<script") == text.count("</script>") == 2
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    style, script = re.search("<style>(.*?)</style>", text, re.S)[1], re.search("<script>(.*?)</script>", text, re.S)[1]
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)]
    expected = f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
    assert policy == expected + "base-uri 'none'; form-action 'none'"
    stored = json.loads(re.search('id="data">(.*?)</script>', text, re.S)[1])
    assert stored["numbers"]["about"]["prompt"] == NASTY
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_every_script_is_in_the_page_and_in_the_package():
    assert {path.stem for path in FOLDER.glob("*.js")} == set(SCRIPTS)


def test_every_string_is_in_every_language_with_the_same_places():
    tables = {language: read_strings(language) for language in explain.LANGUAGES}
    assert {path.name.split(".")[1] for path in FOLDER.glob("strings.*.json")} == set(tables)
    for strings in tables.values():
        assert list(strings) == list(tables["en"])
        for key, text in strings.items():
            assert sorted(set(re.findall(r"\{\w+\}", text))) == sorted(
                set(re.findall(r"\{\w+\}", tables["en"][key]))
            ), key


def test_every_string_that_the_scripts_name_is_there_and_none_is_idle():
    code = "\n".join(path.read_text("utf-8") for path in [*FOLDER.glob("*.js"), *FOLDER.glob("*.py")])
    code += "\n".join(f'"{key}_title" "{key}_intro"' for key in re.findall(r'part\(\s*"(\w+)"', code))
    strings = read_strings("en")
    named = set(re.findall(r'(?:word|paragraph|prose)\(\s*"(\w+)"', code))
    assert named <= set(strings)
    families = tuple(re.findall(r"`(\w+_)\$\{", code))
    idle = [key for key in strings if f'"{key}"' not in code and not key.startswith(families)]
    assert idle == []


def test_a_formula_stands_where_the_page_says():
    for key, source in sources().items():
        path, line = source["where"].rsplit(":", 1)
        assert (ROOT / path).read_text("utf-8").splitlines()[int(line) - 1].strip() == source["code"]
        assert FORMULAS[key][2] in source["code"]


def test_a_formula_that_is_gone_is_told(monkeypatch):
    monkeypatch.setitem(FORMULAS, "mean", ("", FORMULAS["mean"][1], "no such statement"))
    with pytest.raises(LookupError, match="layernorm has no statement"):
        sources()


def test_arrays_keep_what_they_must():
    array = np.random.default_rng(0).standard_normal((3, 4))
    packed = pack({"exact": array, "single": array.astype(np.float32), "ids": np.arange(5), "seen": [Picture(array)]})
    data = {name: base64.b64decode(packed[name]["data"]) for name in ("exact", "single", "ids")}
    assert np.array_equal(np.frombuffer(data["exact"]).reshape(3, 4), array)
    assert np.array_equal(np.frombuffer(data["single"], np.float32), array.astype(np.float32).ravel())
    assert np.array_equal(np.frombuffer(data["ids"], np.int32), np.arange(5))
    seen = packed["seen"][0]
    found = np.frombuffer(base64.b64decode(seen["data"]), np.int8) * seen["scale"]
    assert np.abs(found - array.ravel()).max() <= np.abs(array).max() / 250
    assert unpack_to_lists({"a": np.array([1.23456789, np.nan]), "b": np.int64(3)}) == {"a": [1.23457, None], "b": 3}


def test_a_language_that_there_is_none_of():
    with pytest.raises(InputError, match="'fr': choose from en, de"):
        explain.page({}, "fr")
