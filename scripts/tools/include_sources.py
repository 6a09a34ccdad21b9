"""Put the source that the pages of docs/ quote into them, as it is today.

A quoted block says in its first line what it quotes; what follows is replaced:

    ```python
    # include: numgpt/layers/attention.py::attention_backward
    ```

After the colons comes a function, a class, `Class.method` or a name that is assigned to; in a block of text `formulas`,
the indented paragraphs of the module's docstring, or one of them, `formulas[0]`; `Class.formulas` those of a class.

python scripts/tools/include_sources.py           # refreshes README.md, CONTRIBUTING.md and docs/, if a test fails
"""

import ast
import re
import textwrap
from pathlib import Path

from numgpt.files import atomic_write

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
INCLUDE = re.compile(r"^(```(?:python|text)\n# include: (\S+?)::(\S+)\n).*?^```$", re.DOTALL | re.MULTILINE)
FORMULAS = re.compile(r"formulas(?:\[(\d+)\])?")

Quotable = ast.Module | ast.stmt


def refreshed(page: str) -> str:
    """The text of a page with every quoted block as in the source. Raises LookupError for anything missing there."""
    return INCLUDE.sub(lambda match: match[1] + quoted_source(match[2], match[3]) + "\n```", page)


def quoted_source(path: str, name: str) -> str:
    """What `path::name` stands for; path is relative to the project's root."""
    source = (ROOT / path).read_text("utf-8")
    node: Quotable = ast.parse(source)
    for part in name.split("."):
        if wanted := FORMULAS.fullmatch(part):
            found = formulas(node)
            return "\n\n".join(found) if wanted[1] is None else found[int(wanted[1])]
        node = named(node, part, f"{path}::{name}")
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    return textwrap.dedent("\n".join(source.splitlines()[first - 1 : node.end_lineno]))


def named(node: Quotable, name: str, wanted: str) -> ast.stmt:
    """The statement in the body of `node` that defines `name`."""
    for child in getattr(node, "body", []):
        targets = getattr(child, "targets", [getattr(child, "target", None)])
        if getattr(child, "name", None) == name or any(getattr(target, "id", None) == name for target in targets):
            return child
    raise LookupError(f"there is no {wanted}")


def formulas(node: Quotable) -> list[str]:
    """The indented paragraphs of a docstring."""
    paragraphs = re.findall(r"(?:^ {4}.*\n?)+", ast.get_docstring(node) or "", re.MULTILINE)
    return [textwrap.dedent(paragraph).rstrip() for paragraph in paragraphs]


def main() -> None:
    for path in PAGES:
        before = path.read_text("utf-8")
        after = refreshed(before)
        if after != before:
            with atomic_write(path, "w") as file:
                file.write(after)
            print(f"refreshed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
