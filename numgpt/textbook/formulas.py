"""The formulas of the docstrings, `dx = rstd * (g - mean_C(g))`, as MathML.

    formula   a list, or several with = += > or < between                 q, k, v = heads(x @ W_attn + b_attn)
    term      products with * @ or / between; a / between spaces divides   xhat_i xhat_j / C
              everything before it by everything after it
    product   factors side by side                                         -1/N sum_n log p
    factor    a number, a name, (a formula), [a condition], ...            [v = targets[n]]
              and after it, without a space, an [index], an argument in brackets, powers, or a divisor
              x[n,i]  exp(-z^2)  x^T  1/N

A name must be in the glossary; it may have a subscript after a _. `sum over the places ... of` is a sum whose range is
given in words; from a word of WORDS on, the rest of a formula is in words too. Anything outside this language raises
FormulaError.
"""

import re
from collections.abc import Callable, Iterator
from html import escape
from itertools import takewhile
from typing import NamedTuple

WORDS = {"for", "where", "times", "with", "as", "so", "on", "and", "in"}
GREEK = {"mu": "μ", "eps": "ε", "beta": "β", "pi": "π", "Phi": "Φ", "phi": "φ", "inf": "∞", "sum": "∑"}
SIGNS = {"-": "−", "<": "&lt;", ">": "&gt;", "...": "⋯"}
TOKEN = re.compile(
    r"(?P<range>sum over .*? of )"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z]+\d*(?:_\w+|_\{[^}]*\})?'?(?:\.[a-z]+)?)"
    r"|(?P<sign>\.\.\.|\+=|[=+\-*/@^()\[\],:<>])"
)
GAP = '<mspace width="0.2em"/>'

Known = Callable[[str], str | None]  # name -> the anchor of its entry in the glossary, None if there is none


class FormulaError(ValueError):
    """A formula that is outside this language, and where."""


class Token(NamedTuple):
    """blank: whether whitespace comes before it. end: where it ends in the text."""

    kind: str
    text: str
    blank: bool
    end: int


class Part(NamedTuple):
    """MathML; inner: the inside of a formula in round brackets."""

    body: str
    inner: str | None = None
    is_number: bool = False

    @property
    def bare(self) -> str:
        """Without brackets around it, as a fraction or a power shows it."""
        return self.inner or self.body


def is_remark(text: str) -> bool:
    """Whether a text is not a formula but words beside one."""
    return text.split()[0] in WORDS


def mathml(text: str, known: Known) -> tuple[str, str]:
    """(the <math> element of a formula, the remark after it). Raises FormulaError for anything else."""
    parser = Parser(text, known)
    body = parser.formula()
    rest = text[parser.place() :].strip()
    if rest and rest.split()[0] not in WORDS:
        raise FormulaError(f"{text!r}: {rest!r} is neither formula nor a remark that begins with a word of WORDS")
    return whole(body, text[: parser.place()], ' display="block"'), rest


def equation(text: str, known: Known) -> tuple[str, int]:
    """(<math>, its length) of the equation that a sentence begins with. Raises FormulaError if there is none."""
    parser = Parser(text, known)
    parser.tokens = list(takewhile(parser.may_stand, parser.tokens))
    body = parser.formula()
    if " = " not in text[: parser.place()]:
        raise FormulaError(f"{text!r} does not begin with an equation")
    return whole(body, text[: parser.place()]), parser.place()


def symbol(text: str, known: Known) -> str:
    """The <math> element of a letter, perhaps with an index, without a link. Raises FormulaError for anything else."""
    math, remark = mathml(text, known)
    if remark:
        raise FormulaError(f"{text!r} is more than a symbol")
    return "<math>" + re.sub(r"<a [^>]*>|</a>", "", math.partition(">")[2])


def whole(body: str, text: str, display: str = "") -> str:
    """The element. Its role is group, as the role of mathematics allows no links; its name is the formula."""
    return f'<math{display} role="group" aria-label="{escape(" ".join(text.split()))}">{body}</math>'


class Parser:
    """By recursive descent; each method reads what it is named after, and returns its MathML."""

    def __init__(self, text: str, known: Known) -> None:
        self.text, self.known, self.n = text, known, 0
        self.tokens = list(read(text))

    def may_stand(self, token: Token) -> bool:
        """Whether a token can belong to an equation, not to the sentence around it."""
        return token.kind != "name" or token.text == "d" or self.entry(token.text)[0] is not None

    def place(self) -> int:
        """Where in the text the last token taken ends."""
        return self.tokens[self.n - 1].end if self.n else 0

    def peek(self) -> Token:
        """The next token, which may be the end."""
        return self.tokens[self.n] if self.n < len(self.tokens) else Token("end", "", True, len(self.text))

    def at(self, *signs: str, blank: bool | None = None) -> bool:
        """Whether the next token is one of these signs, with or without a space before it."""
        token = self.peek()
        return token.kind == "sign" and token.text in signs and blank in (None, token.blank)

    def take(self) -> str:
        """Take the next token; return its text."""
        if self.n == len(self.tokens):
            raise self.missing("something")
        self.n += 1
        return self.tokens[self.n - 1].text

    def expect(self, sign: str) -> None:
        """Take that sign."""
        if not self.at(sign):
            raise self.missing(sign)
        self.n += 1

    def missing(self, what: str) -> FormulaError:
        """The error for something missing."""
        return FormulaError(f"{self.text!r}: {what} is missing before {self.text[self.place() :]!r}")

    def formula(self) -> str:
        found = "" if self.at("=", "+=") else self.list()
        while self.at("=", "+=", ">", "<"):
            found += sign(self.take()) + self.list()
        return found

    def list(self) -> str:
        found = self.sum()
        while self.at(",") and self.tokens[self.n + 1 :]:
            self.n += 1
            found += '<mo separator="true">,</mo>' + self.sum()
        return found

    def sum(self) -> str:
        found = sign(self.take(), ' form="prefix"') if self.at("+", "-") else ""
        found += self.term().body
        while self.at("+", "-"):
            found += sign(self.take()) + self.term().body
        return found

    def term(self) -> Part:
        found = self.product()
        while self.at("*", "@") or self.at("/", blank=True):
            operator, right = self.take(), self.product()
            if operator == "/":
                found = fraction(found, right)
            else:
                times = GAP if operator == "@" else "<mo>·</mo>" if found.is_number else "<mo>⊙</mo>"
                found = Part(found.body + times + right.body, is_number=right.is_number)
        return found

    def product(self) -> Part:
        found = self.factor()
        while self.peek().kind in ("range", "number", "name") or self.at("(", "...") or self.at("[", blank=True):
            found = Part(found.body + GAP + self.factor().body)
        return found

    def factor(self) -> Part:
        found = self.atom()
        while self.at("^", blank=False):
            self.n += 1
            power = '<mi class="word">⊤</mi>' if self.peek().text == "T" else None
            if power:
                self.n += 1
            found = Part(f"<msup><mrow>{found.body}</mrow><mrow>{power or self.atom().bare}</mrow></msup>")
        if self.at("/", blank=False):
            self.n += 1
            found = fraction(found, self.factor())
        return found

    def atom(self) -> Part:
        """A number, a name with its index or argument, or something in brackets."""
        token = self.peek()
        if token.kind == "range":
            words = self.take().removeprefix("sum over ").strip().removesuffix("of")
            return Part(f"<munder><mo>∑</mo><mtext>{escape(words)}</mtext></munder>")
        if token.kind == "number":
            found = f"<mn>{self.take()}</mn>"
            if self.peek().kind == "name" and not self.peek().blank:  # 2i
                return Part(f"<mrow>{found}{self.name(self.take())}</mrow>")
            return Part(found, is_number=True)
        if token.kind == "name":
            return self.name_with_argument(self.take())
        if self.at("..."):
            return Part(sign(self.take()))
        return self.bracketed("[", "]") if self.at("[") else self.bracketed("(", ")")

    def name_with_argument(self, name: str) -> Part:
        """A name, perhaps with an index or argument in brackets right after it."""
        found = self.name(name)
        if self.at("[", blank=False):
            found = f"<msub>{found}<mrow>{self.index()}</mrow></msub>"
        if self.at("(", blank=False):
            argument = self.bracketed("(", ")")
            if name == "sqrt":
                return Part(f"<msqrt>{argument.inner}</msqrt>")
            found = f"<mrow>{found}<mo>&#x2061;</mo>{argument.body}</mrow>"
        return Part(found)

    def bracketed(self, left: str, right: str) -> Part:
        self.expect(left)
        inner = self.formula()
        self.expect(right)
        body = f"<mrow><mo>{left}</mo>{inner}<mo>{right}</mo></mrow>"
        return Part(body, f"<mrow>{inner}</mrow>" if left == "(" else None)

    def index(self) -> str:
        """The inside of [ ] after a name: sums, : and ... with commas between."""
        self.expect("[")
        found = ""
        while not self.at("]"):
            found += sign(self.take()) if self.at(":", ",") else self.sum()
        self.n += 1
        return found

    def name(self, name: str) -> str:
        """A name, its subscript, and the link to its entry in the glossary."""
        if name == "d":
            return '<mi class="word">d</mi>'
        entry, base, subscript = self.entry(name)
        if entry is None:
            raise FormulaError(f"{self.text!r}: {name!r} is not in the glossary")
        found, below = link(base, entry), f"<mi>{escape(subscript)}</mi>"
        if base == "sum" and subscript:
            return f"<munder>{found}{below}</munder>"
        return f"<msub>{found}{below}</msub>" if subscript else found

    def entry(self, name: str) -> tuple[str | None, str, str]:
        """(anchor in the glossary, name without its subscript, subscript)."""
        if entry := self.known(name):
            return entry, name, ""
        base, _, subscript = name.partition("_")
        return self.known(base), base, subscript.strip("{}")


def read(text: str) -> Iterator[Token]:
    """The tokens up to anything that is not one, or to a word of WORDS."""
    end = 0
    while match := TOKEN.match(text, len(text) - len(text[end:].lstrip())):
        if match["name"] in WORDS:
            return
        yield Token(str(match.lastgroup), match[0], match.start() > end, match.end())
        end = match.end()


def link(name: str, entry: str) -> str:
    """A name without its subscript, linked to its entry."""
    if match := re.fullmatch(r"([A-Za-z]+)(\d)", name):
        return f"<msub>{link(match[1], entry)}<mn>{match[2]}</mn></msub>"
    if name.endswith("hat"):
        return f'<mover accent="true">{link(name.removesuffix("hat"), entry)}<mo stretchy="false">^</mo></mover>'
    letter = GREEK.get(name, name).replace("'", "′")
    kind = "mo" if name in ("sum", "inf") else 'mi class="word"' if len(letter.rstrip("′")) > 1 else "mi"
    return f'<{kind}><a href="#{entry}" tabindex="-1">{letter}</a></{kind[:2]}>'


def sign(text: str, form: str = "") -> str:
    """An operator."""
    return f"<mo{form}>{SIGNS.get(text, text)}</mo>"


def fraction(above: Part, below: Part) -> Part:
    """One part over another, both without the brackets around them."""
    return Part(f"<mfrac><mrow>{above.bare}</mrow><mrow>{below.bare}</mrow></mfrac>")
