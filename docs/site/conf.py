"""How Sphinx makes the site of README, docs/ and the docstrings; scripts/site runs it.

The root of the project is the source folder, so that a link between two files is right in the repository and here.
Links to files that are no pages, such as a layer, lead to a page with the source of that file.
"""

import re
from datetime import date
from pathlib import Path
from posixpath import normpath
from textwrap import indent

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

import numgpt
from numgpt.textbook.page import page as textbook_page

ROOT = Path(__file__).parents[2]

project = "numgpt"
copyright = f"{date.today().year}, the authors of numgpt"
release = version = numgpt.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "weights/README.md", "docs/*.md", "docs/**/*.md"]
exclude_patterns = [".venv", ".git", "build", "dist"]
templates_path = ["templates"]
html_theme = "furo"
html_title = "numgpt"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["numgpt.css"]
highlight_language = "none"
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
myst_heading_anchors = 3
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}

LEARN = ["docs/course/README", "docs/exercises/README", "docs/site/textbook", "docs/explain", "docs/glossary"]
PROJECT = ["docs/proof", "docs/sources", "CONTRIBUTING", "CHANGELOG"]
OTHERS = {f"docs/{path.stem}" for path in (ROOT / "docs").glob("*.md")} - {*LEARN, *PROJECT}
CONTENTS = {"Learn": LEARN, "Use": [*sorted(OTHERS), "weights/README", "docs/site/reference"], "Project": PROJECT}
TREE = "\n```{toctree}\n:hidden:\n:caption: %s\n\n%s\n```\n"
PAGES_OF_COURSE = "\n```{toctree}\n:hidden:\n:glob:\n\n[01]*\n```\n"

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)\)")
QUOTATION = re.compile(r"^# include: (\S+)::\S+$", re.MULTILINE)
INLINE_CODE = re.compile(r"(`[^`]+`)")
VERBATIM = {"docs/explain.html": "pages/explain.html"}  # pages by themselves, and where the site has them

shown: set[str] = set()  # files and folders that pages link to


def read_page(app, docname, source):
    """The Markdown of a page, with the site's contents, and with links to files turned to the pages of their source."""
    whole = "".join(TREE % (caption, "\n".join(pages)) for caption, pages in CONTENTS.items())
    contents = {"README": whole, "docs/course/README": PAGES_OF_COURSE}
    source[0] = QUOTATION.sub(r"# \1", source[0])
    source[0] = LINK.sub(lambda match: link(docname, match), source[0]) + contents.get(docname, "")


def link(docname, match):
    """A link as it stands, or as HTML where its target is no page of the site."""
    target = normpath((Path(docname).parent / match[2]).as_posix())
    if target.endswith((".md", ".ipynb")) or not (ROOT / target).exists():  # Sphinx knows
        return match[0]
    if (ROOT / target / "README.md").is_file():
        return f"[{match[1]}]({match[2].rstrip('/')}/README.md)"
    address = VERBATIM.get(target, f"source/{target}.html")
    if target not in VERBATIM:
        shown.add(target)
    return f'<a href="{"../" * docname.count("/")}{address}">{match[1]}</a>'


def source_pages(app):
    """A page for each file or folder that pages link to."""
    for target in sorted(shown):
        path = ROOT / target
        if path.is_dir():
            body = "".join(f"<li>{child.name}</li>" for child in sorted(path.iterdir()) if child.suffix == ".py")
            body = f"<ul>{body}</ul>"
        else:
            body = highlighted(path)
        yield f"source/{target}", {"title": target, "body": f"<h1>{target}</h1>{body}"}, "page.html"


def highlighted(path):
    """The text of a file as HTML, with numbered lines that can be linked to."""
    text = path.read_text("utf-8")
    try:
        lexer = get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = get_lexer_for_filename("a.txt")
    return highlight(text, lexer, HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True))


def read_docstring(app, what, name, obj, options, lines):
    """A docstring of this project as reStructuredText: indented paragraphs are literal, `names` are code."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).rstrip())
    lines[:] = "\n\n".join(map(as_rst, paragraphs)).splitlines()


def as_rst(paragraph):
    """A paragraph of a docstring: literal where it is indented or shows a session."""
    if paragraph.startswith((" ", ">>>")):
        return "::\n\n" + indent(paragraph, "    ")
    return "\n".join(map(as_text, paragraph.splitlines()))


def as_text(line):
    """A line with `names` as code, and every other character as itself."""
    parts = INLINE_CODE.split(line)
    parts[::2] = [re.sub(r"([\\*_|`])", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [f"`{part}`" for part in parts[1::2]]
    return "".join(parts)


def make_accessible(app, pagename, templatename, context, doctree):
    """What is wider than the page can be scrolled with the keyboard; captions have a level, which the theme forgets."""
    body = context.get("body", "").replace("<pre>", '<pre tabindex="0">')
    context["body"] = body.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')
    tree = context["furo_navigation_tree"]
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def finish(app, error):
    """The first page under the name that servers look for, and the pages that are the site's as they are."""
    if error is None:
        folder = Path(app.outdir)
        (folder / "index.html").write_text((folder / "README.html").read_text("utf-8"), "utf-8")
        (folder / "pages").mkdir(exist_ok=True)
        for target, address in VERBATIM.items():
            (folder / address).write_bytes((ROOT / target).read_bytes())
        (folder / "pages/textbook.html").write_text(textbook_page(), "utf-8")


def setup(app):
    app.connect("source-read", read_page)
    app.connect("html-collect-pages", source_pages)
    app.connect("html-page-context", make_accessible, priority=900)  # after the theme
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("build-finished", finish)
