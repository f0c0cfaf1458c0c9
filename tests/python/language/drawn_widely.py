"""Random functions with more of the language than `drawn_functions`: complex and short numbers, masks, dicts, calls."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from language.drawn_functions import HELPERS, Drawer, N

_HELPERS = """
def first_above(v, level):
    for i in range(len(v)):
        if v[i] > level:
            return v[i] * i
    return level * 0.5


def halved(v, depth):
    if depth == 0:
        return v
    return 0.5 * halved(v, depth - 1) + 0.1


def moments(v, *, about=0.0):
    off = v - about
    return {"mean": off.mean(), "spread": (off * off).sum()}


def pushed(state, by):
    u, w = state
    u[1:] -= by * w[:-1]
    return u, w + by * u
"""

_STATEMENTS = r"""
{z!} = {z} * {z2}
{z!} = np.exp(1j * {v})
{z!} = {z}.conj() * (0.5 + 0.2j)
{z!} = 0.3 * np.fft.fft({z})
{z}[{i}] = {s} + 0.5j * {s2}
{z}[1:] += {z2}[:-1]
{z} *= 0.7 - 0.1j
{z}[{v} > 0.0] = 0.5j
{z!} = {v} + 1j * {v2}
{z}.real[{i}] = {s}
{z}.imag *= 0.5
{v!} = {z}.real * {v2}
{v!} = np.abs({z}) ** 2
{p!} = np.vdot({z}, {z2}).real * 0.1
{v!} = {z}[:].imag
{h!} = 0.5 * {h} - {h2}
{h}[{i}] = {s}
{h} += {v}
{h}[1:] *= {h2}[:-1]
{h!} = np.tanh({h}) * {v}.astype(np.float32)
{v!} = {h}.astype(float)
{v!} = {h} * {v2}
{p!} = float({h}[{i}]) * 0.5
{h!} = np.where({h} > 0.1, {h}, {h2})
{q!} = np.argsort({v})
{q!} = np.array([2, 0, 4, 1, 0])
{q!} = ({q} + 1) % 5
{q}[{i}] = 3
{v}[{q}] = {e}
{v}[{q}] += {s}
{v!} = {v2}[{q}]
{v!} = {m}[{q}, {i}]
{m}[{q}, 0] += {s}
{m}[{q}] *= 0.5
{m}[:, {q}] = 0.5 * {m2}
{p!} = {v}[{q}[{i}]]
{v}[{q}[{i}]] -= {s}
np.add.at({v}, {q}, {e})
{m}[np.arange(5), {q}] = {e}
{b!} = {v} > {s}
{b!} = ({v} < {v2}) & ~{b}
{b}[{i}] = True
{v}[{b}] = {v2}[{b}]
{v}[{b}] += 0.5 * {v2}[{b}]
{m}[{b}] = {v}
{m}[:, {b}] *= 0.5
{m}[{m2} > 0.2] = {s}
{m}[{m} < 0.0] *= 0.3
{v!} = np.where({b}, {e}, {v2})
{p!} = {v}[{b}].sum()
{p!} = 0.1 * {b}.sum() + {s}
{m}[1:, 1:] += 0.5 * {m2}[:-1, :-1]
{m}[::2][:, 1] = {s}
{m}[{i}, ::-1] = {e}
{m!} = {m2}[::-1].T
{m}.T[{i}] = {e}
{m}.diagonal()[:].sum()
{m}.flat[3] = {s}
{m}.reshape(-1)[{i}] += {s}
{v}, {v2} = {v2}, {v}.copy()
{v!} = {m}.sum(axis=1) * 0.2
{m!} = {m2} - {m2}.mean(axis=0, keepdims=True)
{m!} = 0.2 * np.einsum("ij,jk->ik", {m}, {m2})
{v!} = np.linalg.solve({m} @ {m}.T + 3.0 * np.eye(5), {v2})
{p!} = np.linalg.norm({v} + 0.3)
{p!} = {v}.max() - {m}.min()
{v!} = np.array([{v2}[j] * j for j in range(5)])
{p!} = sum({v}[j] * {v2}[4 - j] for j in range(5)) * 0.2
{p!} = first_above({v}, {s})
{v!} = halved({v2}, 3)
{p!} = moments({v}, about={s})["spread"] * 0.2
{v!}, {v2!} = pushed(({v}, {v2}), 0.3)
{v!} = (lambda w, by=0.5: by * w + {s})({e})
{p!} = {s} if {c} else ({s2} if {c2} else 0.3)
{v!} = {e} if {c} else {v2}
{p!} = max({s}, {s2}, 0.1)
{v!} = {v2} ** 2 - 0.5
{v!} = np.sqrt(np.abs({v2}) + 0.1)
{v!} = {v2} * rng.normal(1.0, 0.3, size=5)
{p!} = {p} * rng.uniform(0.5, 1.0)
{v} -= {v2}.mean()
{v!} = {v2}.copy()\n{v!}[1:] = {v}[:-1]
{v}[:] = {v2}[::-1]
{v!} = np.zeros(5)\n{v!}[::2] = {v2}[:3]
pair = ({v}, {v2})\n{v!} = pair[0] * pair[1]
named = {"u": {v}, "w": {e}}\nnamed["u"][{i}] = {s}\nnamed["w"] = named["w"] * named["u"]\n{v!} = named["w"]
parts = []\nfor j in range(5):\n    parts.append({v}[j] * {v2}[-j])\n{v!} = np.array(parts)
for row in {m}:\n    row *= 0.5\n    row[1] += {s}
for j, row in enumerate({m}):\n    row[j:] -= 0.2 * {v}[j:]
for j in range(1, 5):\n    {m}[j, :j] -= 0.1 * {m}[j, :j] * {v}[j]
for j in range(5):\n    {v}[j] = {v}[j] - 0.1 * ({m}[j, :j] @ {v2}[:j])
for j in range(4, 0, -1):\n    {v}[j - 1] += 0.3 * {v}[j] * {v2}[j]
for j in range(5):\n    for l in range(j + 1):\n        {m}[j, l] += 0.1 * {v}[l] * {v2}[j]
while True:\n    {p} = 0.5 * {p} - 0.01\n    if abs({p}) < 0.3:\n        break\n    {v} *= 0.9
left = 4\nwhile left > 0:\n    left -= 1\n    if {c}:\n        continue\n    {v}[left] *= {s}
for j in range(5):\n    if {v}[j] > 0.4:\n        {p} = {v}[j] * 0.5\n        break\nelse:\n    {p} = {p} + 0.1
cube = np.zeros((2, 5, 5))\ncube[0] = {m}\ncube[1, {i}] = {e}\ncube[:, 0, :] += {v}\n{m!} = cube.sum(axis=0)
old = {v}.copy()\nfor _ in range(k):\n    old, {v2} = {v2} * 0.5, old + 0.1 * {v2}
old = {v}.copy()\nfor _ in range(k):\n    {v}[1:] = 0.5 * old[:-1] + {s}\n    old = {v}
u = np.array({e})\nfor _ in range(k):\n    u[1:-1] = np.tanh({v}[2:] * {v}[:-2])\n    {v} = u
longer = {v}\nfor _ in range(k):\n    longer = np.concatenate((longer, {v2}[:1] * 0.5))\n{p!} = longer.sum() * 0.1
shorter = {v}\nfor _ in range(k):\n    shorter = shorter[1:] * 0.5 + {v2}[: len(shorter) - 1]\n{p!} = shorter.sum()
if {c}:\n    if {c2}:\n        {v}[{i}] = {s}\n    else:\n        {p} = {s2}\nelif {b}.any():\n    {m}[0] = {v}
"""


class WideDrawer(Drawer):
    """Writes one function, of templates and of what its base draws.

    In a template, `{v}` is a vector, `{m}` a matrix, `{p}` a number, `{z}` complex, `{h}` short, `{q}` integers, `{b}`
    a mask, `{i}` an index, `{s}` a number's expression, `{e}` a vector's, `{c}` a condition; `{v!}` binds a name.
    """

    helpers = HELPERS + _HELPERS
    templates = tuple(line.replace("\\n", "\n") for line in _STATEMENTS.strip().splitlines())

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.names = {"z": ["z"], "h": ["h"], "q": ["q"], "b": ["b"]}

    def source(self) -> str:
        """The function's text."""
        self.lines = ["def f(x, y, a, s, k, z, h, q, b, rng):"]
        self.depth = 1
        self._block(self.random.randint(5, 9))
        results = [self.random.choice(names) for names in (self.vectors, self.numbers, self.matrices)]
        results += [self.random.choice(self.names[letter]) for letter in "zh"]
        self._say(f"return {', '.join(results)}")
        return "\n".join(self.lines) + "\n"

    @staticmethod
    def arguments(seed: int) -> tuple[Any, ...]:
        """Two vectors, a matrix, a float, an int, a complex vector, a short one, integers, a mask, a generator."""
        drawn = np.random.default_rng(seed)
        return (
            drawn.uniform(-1, 1, N),
            drawn.uniform(-1, 1, N),
            drawn.uniform(-1, 1, (N, N)),
            float(drawn.uniform()),
            3,
            drawn.uniform(-1, 1, N) + 1j * drawn.uniform(-1, 1, N),
            drawn.uniform(-1, 1, N).astype(np.float32),
            np.array([3, 1, 0, 4, 2]),
            drawn.uniform(-1, 1, N) > 0.2,
            np.random.default_rng(seed),
        )

    def _inner(self, count: int) -> None:
        names = {letter: list(known) for letter, known in self.names.items()}
        super()._inner(count)
        self.names = names

    def _statement(self) -> None:
        if self.random.random() < 0.35:
            super()._statement()
            return
        drawn: dict[str, str] = {}
        bound: list[tuple[list[str], str]] = []

        def fill(match: re.Match[str]) -> str:
            key = match[1]
            if key not in drawn:
                drawn[key] = self._drawn(key, bound)
            return drawn[key]

        text = re.sub(r"\{(\w+!?)\}", fill, self.random.choice(self.templates))
        for line in text.split("\n"):
            self._say(line)
        for names, name in bound:
            if name not in names:
                names.append(name)

    def _drawn(self, key: str, bound: list[tuple[list[str], str]]) -> str:
        of_names = {"v": self.vectors, "m": self.matrices, "p": self.numbers, **self.names}
        of_expressions = {"i": self._index, "s": self._scalar, "e": self._vec, "c": self._condition}
        letter = key[0]
        if letter in of_expressions:
            return of_expressions[letter]()
        known = of_names[letter]
        if not key.endswith("!"):
            return self.random.choice(known)
        name = self.random.choice(known) if self.random.random() < 0.4 else self._new(letter)
        bound.append((known, name))
        return name
