"""What scripts/tools/mutate.py counts as a small change."""

from tools import mutate

SOURCE = '''
"""A text."""

def area(x: int = 2, *, flag=True) -> float:
    """Another."""
    y = x * f(x, 3)
    if y < 0:
        raise ValueError("y must be at least " + "0")
    total += -y
    return y if flag and x else None
'''


def test_every_change_of_a_small_source():
    found = {(line, before, after) for line, before, after, _ in mutate.mutants(SOURCE)}
    assert {(before, after) for line, before, after in found if line not in (7, 9)} == {
        ("2", "3"),
        ("True", "False"),
        ("y = x * f(x, 3)", "pass"),
        ("x * f(x, 3)", "x / f(x, 3)"),
        ("f(x, 3)", "f(3, x)"),
        ("3", "4"),
        ("raise ValueError('y must be at least ' + '0')", "pass"),
        ("y if flag and x else None", "None if flag and x else y"),
        ("flag and x", "flag or x"),
    }
    assert {after for line, _, after in found if line == 9} == {"pass", "total -= -y", "total = -y", "y"}
    assert {after for line, before, after in found if before in ("y < 0", "0")} == {"y <= 0", "1"}


def test_the_tree_is_left_as_it_was():
    assert len({compile_to(tree) for *_, tree in mutate.mutants(SOURCE)}) == len(list(mutate.mutants(SOURCE)))
    unchanged = list(mutate.mutants(SOURCE))[-1][-1]
    assert compile_to(unchanged) == compile_to(mutate.ast.parse(SOURCE))


def compile_to(tree):
    return mutate.ast.unparse(tree)


def test_every_file_has_its_tests():
    for part, tests in mutate.PARTS.items():
        assert (mutate.ROOT / part).exists()
        assert tests
