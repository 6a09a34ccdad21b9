"""The exercises: unsolved they say so, solved they pass, and the bug that each of them names is found."""

import re
from pathlib import Path

import pytest

from numgpt.cli import main

FOLDER = Path(__file__).parents[1] / "docs" / "exercises"
EXERCISES = sorted(FOLDER.glob("*.py"))

# exercise: (a part of its solution, what people write instead, the wrong rows, a part of what is said of the first);
# the first of each is the bug that the exercise names.
BUGS = {
    "01_linear": [
        (
            "dweight +=",
            "dweight[...] =",
            "weight",
            "backward overwrites it instead of adding to it: write += instead of =",
        ),
        ("dy_rows.sum(0)", "dy_rows[0]", "bias", "in no simple way"),
    ],
    "02_embedding": [("np.add.at(dweight, ids, dy)", "dweight[ids] += dy", "weight", "whose id occurs more than once")],
    "03_attention": [
        (
            "dp - (dp * p).sum(-1, keepdims=True)",
            "dp * (1 - p)",
            "input q, input k",
            "only at indices 1 to 3 of axis 2",
        ),
        ("ds @ k * scale", "ds @ k", "input q", "it is 2.23607 times what it should be, that is sqrt(D) with D = 5"),
        ("    ds = p *", "    ds = -p *", "input q, input k", "its sign is wrong"),
    ],
    "04_gelu": [("1 - t * t", "(1 - t) ** 2", "input", "in no simple way")],
    "05_layernorm": [
        ("g - g.mean(", "g - 2 * g.mean(", "input", "the mean is left out, or subtracted twice"),
        ("g - g.mean(-1, keepdims=True) -", "g -", "input", "the mean is left out, or subtracted twice"),
        (" - xhat * (g * xhat).mean(-1, keepdims=True)", "", "input", "is xhat * mean(g * xhat) left out?"),
    ],
    "06_cross_entropy": [("/ len(counted)", "/ len(p)", "input", "it is 0.8 times what it should be")],
    "07_tied_table": [
        ("np.add.at(dtable, ids, dx * (1 - x * x))", "pass", "table", "only at 4 of 7 indices of axis 0"),
        (
            "np.add.at(dtable, ids, dx * (1 - x * x))",
            "dtable[ids] += dx * (1 - x * x)",
            "table",
            "occurs more than once",
        ),
    ],
    "08_residual": [
        ("dh = dy + ln_2", "dh = ln_2", "input, ln_1.weight, attn.c_proj.bias", "in no simple way"),
        (
            "ln_2.backward(mlp.backward(dy))",
            "ln_2.backward(dy + mlp.backward(dy))",
            "input, ln_2.weight",
            "in no simple way",
        ),
        ("dh + ln_1", "ln_1", "input", "in no simple way"),
    ],
    "09_kv_cache": [("np.tri(T, S, S - T", "np.tri(T, S, 0", "o at 3-4, o at 5-5", "in no simple way")],
    "10_adamw": [
        (
            "m / (1 - beta1**t), v / (1 - beta2**t)",
            "m, v",
            "change of w at step 1, change of w at step 2",
            "3.16228 times",
        ),
        (
            "beta1 * m + (1 - beta1) * g",
            "beta1 * m + (1 - beta1) * (g + weight_decay * w)",
            "change of m at step 3",
            "",
        ),
    ],
    "11_bpe": [
        (
            "[(rank[pair], place) for place, pair in enumerate(pairwise(ids)) if pair in rank]",
            "[]",
            '"then"',
            "[116, 104,",
        ),
        ("min(found)", "min(found, key=lambda one: one[1])", '"enn"', "it is [260], but should be [101, 258]"),
    ],
    "12_cross_attention": [
        ("do @ v.swapaxes(-1, -2)", "do @ v.swapaxes(1, 2)", "", "12_cross_attention.py:48: ValueError: matmul"),
        (
            "ds @ k * scale, ds.swapaxes(-1, -2) @ q",
            "ds @ k * scale, (q.swapaxes(-1, -2) @ ds)",
            "input k",
            "transpose it",
        ),
    ],
    "13_label_smoothing": [
        (
            "dlogits[counted] = p",
            "dlogits -= e / p.shape[-1] / len(p)\n    dlogits[counted] = p",
            "input",
            "it should be zero",
        ),
    ],
    "14_parts_of_a_batch": [
        (
            "sum(n * grad for n, grad in zip(counts, grads, strict=True)) / total",
            "sum(grads) / len(grads)",
            "grad",
            "wrong only at 536 of 544",
        ),
        ("n * loss for", "loss for", "loss", "in no simple way"),
    ],
}


def solved(path):
    """The text of an exercise with its solution behind it, whose function takes the empty one's place."""
    return path.read_text("utf-8") + "\n\n" + (FOLDER / "solutions" / path.name).read_text("utf-8")


def say(path, text, tmp_path, capsys):
    """(exit status, wrong rows, what is said of the first of them or on standard error) of an exercise's text."""
    mine = tmp_path / path.name
    mine.write_text(text, "utf-8")
    status = main(["gradcheck", str(mine)])
    out, err = capsys.readouterr()
    wrong = [line for line in out.splitlines() if " WRONG " in line]
    return status, [line[21:49].strip() for line in wrong], wrong[0].partition("WRONG ")[2] if wrong else err


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_an_unsolved_one_says_so(path, capsys):
    assert main(["gradcheck", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"numgpt: .*{path.name}:[0-9]+: not solved yet: .+\n", err)


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_a_solution_is_right(path, tmp_path, capsys):
    assert say(path, solved(path), tmp_path, capsys) == (0, [], "")


@pytest.mark.parametrize(
    ("path", "bug"),
    [(path, bug) for path in EXERCISES for bug in BUGS[path.stem]],
    ids=lambda value: getattr(value, "stem", ""),
)
def test_a_wrong_one_is_found(path, bug, tmp_path, capsys):
    text, instead, tensors, says = bug
    right = solved(path)
    assert right.count(text) == 1
    status, wrong, said = say(path, right.replace(text, instead), tmp_path, capsys)
    assert status == (1 if tensors else 2)
    assert set(tensors.split(", ") if tensors else []) <= set(wrong)
    assert says in said


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_an_empty_answer_is_wrong(path, tmp_path, capsys):
    """What is left when somebody deletes the line that says that it is not solved."""
    empty = re.sub(r"raise NotImplementedError\(.*\)", "pass", path.read_text("utf-8"))
    status, _, said = say(path, empty, tmp_path, capsys)
    assert status in (1, 2)
    assert said.count("\n") <= 1


def test_each_has_a_hint_a_bug_a_check_and_a_solution():
    assert 10 <= len(EXERCISES) <= 15
    assert [path.name for path in EXERCISES] == sorted(path.name for path in FOLDER.glob("solutions/*"))
    for n, path in enumerate(EXERCISES, 1):
        text = path.read_text("utf-8")
        assert text.startswith(f'"""Exercise {n}: ')
        assert "\nHint: " in text
        assert re.search(r"\nThe bug that people make: [^\0]*?https://github\.com/\S+/(issues|pull)/\d+\n", text)
        assert f"\n    numgpt gradcheck docs/exercises/{path.name}\n" in text
