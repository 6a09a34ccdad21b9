"""The page's numbers for a terminal: the ten parts, at the number in focus, as plain text."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from numgpt.explain.page import read_strings

MOST = 12  # rows of a table
HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def text(data: dict[str, Any], language: str = "en") -> str:
    """What `gather` returns, as lines of text. Raises InputError for a language that has no strings."""
    return "\n".join(Writer(data, read_strings(language)).lines()) + "\n"


class Writer:
    """data, the strings of a language, and where the focus is."""

    def __init__(self, data: dict[str, Any], strings: dict[str, str]) -> None:
        self.data, self.strings, self.focus = data, strings, data["focus"]
        self.ids, self.targets = data["tokens"]["ids"], data["tokens"]["targets"]
        wanted = self.focus["layer"], self.focus["head"]
        self.head = next(one for one in data["attention"]["opened"] if (one["layer"], one["head"]) == wanted)

    def lines(self) -> Iterator[str]:
        """All lines."""
        yield self.word("title")
        yield ""
        parameters = f"{self.data['about']['parameters']:,}"
        loss = number(self.data["loss"]["loss"])
        yield (
            self.word("lead", **self.data["about"] | {"parameters": parameters, "loss": loss}).partition(". ")[0] + "."
        )
        parts = (self.tokens, self.embedding, self.attention, self.mlp, self.lens, self.choosing, self.generation)
        for n, part in enumerate((*parts, self.loss, self.backward, self.learning), 1):
            yield ""
            yield f"{n}. {self.word(f'{part.__name__}_title')}"
            yield ""
            yield from part()

    def word(self, key: str, **values: Any) -> str:
        """A string of the language, without the marks for code and emphasis."""
        return re.sub("[*`]", "", self.strings[key].format(**values))

    def formula(self, key: str) -> str:
        """A formula and where it is computed."""
        source = self.data["sources"][key]
        return f"  {source['formula']}   [{source['where']}]"

    def spell(self, token: int) -> str:
        """A token in visible characters."""
        found = self.data["vocabulary"].get(str(token), f"#{token}")
        if isinstance(found, list):
            return f"<{bytes(found).hex(' ')}>"
        visible = found.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")
        return HIDDEN.sub(lambda match: f"<{ord(match[0]):02x}>", visible)

    def named(self, t: int) -> str:
        """A position and its token."""
        return f"{t} {self.spell(self.ids[t])}"

    def tokens(self) -> Iterator[str]:
        yield from table(
            [("t", "id", self.word("token"), "bytes")],
            [(t, i, self.spell(i), bytes(self.data["tokens"]["bytes"][t]).hex(" ")) for t, i in enumerate(self.ids)]
            if self.data["tokens"]["bytes"]
            else [(t, i, self.spell(i), "") for t, i in enumerate(self.ids)],
        )
        if "pieces" not in self.data["tokens"]:
            return
        yield ""
        yield self.formula("merge")
        for piece in self.data["tokens"]["pieces"]:
            ids, states = list(piece["bytes"]), []
            states.append(" ".join(map(self.spell, ids)))
            for place, new, _ in piece["steps"]:
                ids[place : place + 2] = [new]
                states.append(" ".join(map(self.spell, ids)))
            shown = states if len(states) <= MOST else [*states[:4], "…", *states[-4:]]
            yield "  " + "  →  ".join(shown)

    def embedding(self) -> Iterator[str]:
        part, t, c = self.data["embedding"], self.focus["t"], self.focus["channel"]
        k = self.data["stream"]["channels"].tolist().index(c)
        token, position, x = part["token"][t, k], part["position"][t, k], self.data["stream"]["values"][0, t, k]
        hat = (x - part["mean"][t]) * part["rstd"][t]
        yield self.formula("embed")
        yield f"    x[{t},{c}] = {number(token)} + {number(position)} = {number(x)}"
        yield self.formula("xhat")
        yield f"    x̂ = ({number(x)} - {number(part['mean'][t])}) · {number(part['rstd'][t])} = {number(hat)}"
        yield self.formula("norm")
        weight, bias, y = part["weight"][k], part["bias"][k], part["ln_1"][t, k]
        yield f"    y = {number(hat)} · {number(weight)} + {number(bias)} = {number(y)}"

    def attention(self) -> Iterator[str]:
        head, t, u, d = self.head, self.focus["t"], self.focus["u"], self.focus["d"]
        s, p = scores(head, t)
        yield f"  {self.word('opened_head', **self.focus)}"
        yield self.formula("scores")
        yield f"    s[{t},{u}] = {number(head['scale'])} · {number(s[u] / head['scale'])} = {number(s[u])}"
        yield self.formula("softmax")
        yield self.formula("gather")
        yield f"    o[{t},{d}] = {number((p * head['v'][: t + 1, d]).sum())}"
        yield ""
        rows = [(w, self.spell(self.ids[w]), s[w], p[w], head["v"][w, d], p[w] * head["v"][w, d]) for w in range(t + 1)]
        heading = ("u", self.word("key"), "s", "p", f"v[u,{d}]", "p·v")
        yield from table([heading], rows if len(rows) <= MOST else sorted(rows, key=lambda row: -row[3])[:MOST])

    def mlp(self) -> Iterator[str]:
        part, t = self.data["mlp"], self.focus["t"]
        layer = self.focus["layer"] if self.focus["layer"] in part["layers"] else part["layers"][0]
        block = part["blocks"][part["layers"].index(layer)]
        half = block["ids"].shape[1] // 2
        yield self.formula(part["activation"])
        for start, key in (0, "table_firing"), (half, "table_effect"):
            yield ""
            yield "  " + self.word(key, n=half, width=part["width"], t=self.named(t), layer=layer)
            columns = [block[name][t, start : start + half] for name in ("ids", "before", "after", "gradient")]
            heading = (self.word("neuron"), "f", "act(f)", "dL/dact", "act·dL/dact")
            yield from table([heading], [(int(i), f, a, g, a * g) for i, f, a, g in zip(*columns, strict=True)])

    def lens(self) -> Iterator[str]:
        part, t = self.data["lens"], self.focus["t"]
        yield self.formula("lens")
        yield "  " + self.word("table_lens", t=self.named(t), token=self.spell(self.targets[t]))
        rows = [
            (
                name,
                *(f"{self.spell(part['tokens'][i, t, n])} {part['probabilities'][i, t, n]:.1%}" for n in range(3)),
                part["entropy"][i, t],
                int(part["rank"][i, t]) + 1,
                f"{part['target_probability'][i, t]:.2%}",
            )
            for i, name in enumerate(part["names"])
        ]
        likely = [self.word("likely_n", n=n) for n in (1, 2, 3)]
        yield from table([(self.word("after"), *likely, self.word("entropy"), self.word("rank"), "p")], rows)

    def choosing(self) -> Iterator[str]:
        part = self.data["choosing"]
        yield "  " + ", ".join(f"{self.word(f'rule_{name}')} {value:g}" for name, value in part["rules"].items())
        order = np.argsort(-part["logits"], kind="stable")[:MOST]
        yield from table(
            [("id", self.word("token"), self.word("logit"), self.word("in_text"))],
            [(int(i), self.spell(i), part["logits"][i], self.word("yes") if i in part["seen"] else "") for i in order],
        )

    def generation(self) -> Iterator[str]:
        part = self.data["generation"]
        heading = [self.word(key) for key in ("step", "read", "new", "numbers_read", "numbers_new", "chosen")]
        yield from table(
            [(*heading, "p")],
            [
                (
                    *(n, step["read"], step["new"], part["numbers"] * step["read"], part["numbers"] * step["new"]),
                    self.spell(part["ids"][n - 1]),
                    step["probabilities"][0],
                )
                for n, step in enumerate(part["steps"], 1)
            ],
        )
        yield "  " + self.word("cache_same", difference=f"{part['difference']:.1e}")

    def loss(self) -> Iterator[str]:
        part = self.data["loss"]
        yield self.formula("loss")
        other = self.data.get("compare")
        rows = [
            (t, self.spell(self.ids[t]), self.spell(v), part["nll"][t], *([other["nll"][t]] if other else []))
            for t, v in enumerate(self.targets)
            if v >= 0
        ]
        heading = ("t", self.word("read_token"), self.word("came"), "-log p", *([other["model"]] if other else []))
        yield from table([heading], rows)
        yield f"  {self.word('loss_word')} {number(part['loss'])}" + (f", {number(other['loss'])}" if other else "")
        yield ""
        yield self.formula("dlogits")
        t = self.focus["t"]
        columns = (part[name][t] for name in ("ids", "logits", "p", "gradient"))
        heading = ("id", self.word("token"), self.word("logit"), "p", "dlogits")
        yield from table([heading], [(int(i), self.spell(i), z, p, g) for i, z, p, g in zip(*columns, strict=True)])

    def backward(self) -> Iterator[str]:
        yield from self.shares()
        yield from self.head_backward()
        yield ""
        yield f"  {self.word('proof_title')}"
        heading = tuple(self.word(key) for key in ("number", "value", "gradient", "difference"))
        rows = self.data["proof"]["rows"]
        yield from table(
            [heading],
            [
                (
                    f"{row['name']}[{','.join(map(str, row['index']))}]",
                    *(f"{row[key]:.7e}" for key in ("value", "gradient", "difference")),
                )
                for row in rows
            ],
        )
        yield ""
        yield f"  {self.word('step_title')}"
        heading = (self.word("optimizer"), "lr", self.word("change"), self.word("promised"))
        yield from table([heading], [(r["kind"], r["lr"], r["measured"], r["promised"]) for r in self.data["steps"]])
        yield from self.ablation()

    def shares(self) -> Iterator[str]:
        t = self.focus["t"]
        yield self.formula("dmid")
        yield self.formula("dx")
        yield "  " + self.word("table_shares", t=self.named(t))
        heading = (self.word("block"), *(self.word(key) for key in ("past", "through_mlp", "through_attn")), "|dL/dx|")
        shares, norms = self.data["shares"]["shares"], self.data["stream"]["gradient_norms"]
        rows = [(f"h.{i}", *(f"{x:.1%}" for x in shares[i, t]), norms[2 * i, t]) for i in range(len(shares))]
        yield from table([heading], rows[::-1])

    def head_backward(self) -> Iterator[str]:
        head, t, u, d = self.head, self.focus["t"], self.focus["u"], self.focus["d"]
        _, p = scores(head, t)
        dp = head["v"][: t + 1] @ head["do"][t]
        mean = (dp * p).sum()
        ds = p * (dp - mean)
        yield ""
        yield f"  {self.word('opened_head', **self.focus)}"
        yield self.formula("do")
        yield f"    do[{t},{d}] = {number(head['do'][t, d])}"
        yield self.formula("dp")
        yield f"    dp[{t},{u}] = {number(dp[u])}"
        yield self.formula("ds")
        yield f"    ds[{t},{u}] = {number(p[u])} · ({number(dp[u])} - {number(mean)}) = {number(ds[u])}"
        yield self.formula("dq")
        yield f"    dq[{t},{d}] = {number(head['scale'] * (ds * head['k'][: t + 1, d]).sum())}"
        yield self.formula("dqkv")

    def ablation(self) -> Iterator[str]:
        part = self.data["heads"]
        rows = [
            (f"{layer}.{head}", part["change"][i, head], part["estimate"][i, head])
            for i, layer in enumerate(part["layers"])
            for head in range(part["change"].shape[1])
        ]
        yield ""
        yield f"  {self.word('ablation_title')}"
        yield self.formula("ablation")
        rows.sort(key=lambda row: -abs(row[1]))
        yield from table([tuple(self.word(key) for key in ("head", "measured", "estimate"))], rows[:MOST])

    def learning(self) -> Iterator[str]:
        part = self.data["learning"]
        key = "checkpoint_n" if part["film"] else "after_step_n"
        rows = [
            (
                self.word(key, n=frame["label"]),
                frame["loss"],
                f"{self.spell(frame['top'][0])}",
                frame["probabilities"][0],
            )
            for frame in part["frames"]
        ]
        yield from table([(self.word("frame"), self.word("loss_word"), self.word("likely_n", n=1), "p")], rows)


def scores(head: dict[str, Any], t: int) -> tuple[np.ndarray, np.ndarray]:
    """(s, p) of a query over the keys that it sees, (t + 1,) each."""
    s = head["scale"] * (head["k"][: t + 1] @ head["q"][t])
    e = np.exp(s - s.max())
    return s, e / e.sum()


def number(x: Any) -> str:
    """A whole number as it is, any other to four significant digits."""
    return str(x) if isinstance(x, int | np.integer) else f"{float(x):.4g}"


def table(headings: list[tuple[str, ...]], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Lines of a table; columns of numbers are aligned to the right."""
    found = list(rows)
    cells = [*headings, *([cell if isinstance(cell, str) else number(cell) for cell in row] for row in found)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    left = [bool(found) and isinstance(found[0][i], str) for i in range(len(widths))]
    for row in cells:
        padded = (
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(row, widths, left, strict=True)
        )
        yield ("    " + "  ".join(padded)).rstrip()
