"""Check every link inside a folder of HTML pages, and that no page loads anything from another server.

python scripts/tools/check_site.py build/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}  # without a click


class Page(HTMLParser):
    """The targets of a page's links, what it loads, and the anchors in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.places: set[str] = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value or "")
            if (tag, name) in LOADED:
                self.loads.add(value or "")
            if (tag, name) in LOADED or (tag, name) == ("a", "href"):
                self.links.add(value or "")


def problems(folder: Path) -> list[str]:
    """A line for each broken link and for everything that is loaded from elsewhere."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        here = path.relative_to(folder.resolve())
        found += [f"{here} loads {target}" for target in sorted(page.loads) if urlsplit(target).netloc]
        for link in sorted(page.links):
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            if not file.is_file():
                found.append(f"{here}: there is no {link}")
            elif file in pages and unquote(target.fragment) not in pages[file].places:
                found.append(f"{here}: there is no anchor {link}")
    return found


def main() -> None:
    found = problems(Path(sys.argv[1]))
    print("\n".join(found) or "every link leads somewhere, and nothing is loaded from elsewhere")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
