"""The page: one HTML file with its style, its script and its numbers, which makes no network request."""

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

from numgpt.errors import InputError
from numgpt.explain.packing import pack

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "de")
SCRIPTS = (
    *("numbers", "sampling", "drawing", "matrix", "plot", "shared"),
    *("token_parts", "attention_part", "layer_parts", "choosing_parts", "loss_part", "backward_part", "proof_part"),
    *("learning_part", "way_part", "page"),
)


def page(data: dict[str, Any], language: str = "en") -> str:
    """The HTML of what `gather` returns.

    The policy in its head forbids every request. It allows the page's one style and one script by their hashes, so that
    even injected markup could run no script. Raises InputError for a language that has no page.
    """
    strings = read_strings(language)
    style = read("base.css") + read("style.css")
    script = '"use strict";\n' + "\n".join(read(f"{name}.js") for name in SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {sha256(script)}; style-src {sha256(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "language": language,
        "policy": policy,
        "title": html.escape(strings["title"]),
        "style": style,
        "noscript": html.escape(strings["noscript"]),
        "data": in_a_tag({"strings": strings, "numbers": pack(data)}),
        "script": script,
    }
    whole, rest = "", read("page.html")
    for name, text in parts.items():  # in the template's order, so that nothing in a text is taken for a placeholder
        before, _, rest = rest.partition("{" + name + "}")
        whole += before + text
    return whole + rest


def in_a_tag(value: Any) -> str:
    """JSON without <, > and &, so that no string in it can end the tag that holds it.

    json.dumps also escapes everything that is not ASCII, U+2028 and U+2029 included.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def read_strings(language: str) -> dict[str, str]:
    """The table of strings of a language. Raises InputError for a language that has none."""
    if language not in LANGUAGES:
        raise InputError(f"there is no page in the language {language!r}: choose from {', '.join(LANGUAGES)}")
    strings: dict[str, str] = json.loads(read(f"strings.{language}.json"))
    return strings


def read(name: str) -> str:
    """The text of a file beside this one."""
    return (FOLDER / name).read_text("utf-8")


def sha256(text: str) -> str:
    """The source expression for a Content-Security-Policy that allows exactly this text inline."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
