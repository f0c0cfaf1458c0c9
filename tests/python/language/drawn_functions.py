"""Random functions as source text: loops, branches, writes through views, containers, calls. All of them run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

N = 5
"""The length of every vector and the sides of every matrix."""

HELPERS = """
def shifted(v, by=0.25):
    return 0.5 * v + by


def written(v, i, value):
    v[i] = 0.5 * value
    return v[i] * 0.5


def bounded(v):
    if v > 0.5:
        return 0.5
    return np.sin(v)
"""


class Drawer:
    """Writes one function.

    Args:
        seed: of all choices.
    """

    helpers = HELPERS

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.vectors = ["x", "y"]
        self.matrices = ["a"]
        self.numbers = ["s"]
        self.indices: list[str] = []
        self.lists: list[str] = []
        self.depth = 0
        self.loops = 0
        self.count = 0

    def source(self) -> str:
        """The function's text."""
        self.lines = ["def f(x, y, a, s, k):"]
        self.depth = 1
        self._block(self.random.randint(4, 8))
        results = [*self.random.sample(self.vectors, min(2, len(self.vectors))), self.random.choice(self.numbers)]
        if self.random.random() < 0.5:
            results.append(self.random.choice(self.matrices))
        self._say(f"return {', '.join(results)}")
        return "\n".join(self.lines) + "\n"

    @staticmethod
    def arguments(seed: int) -> tuple[Any, ...]:
        """Arguments for a function: two vectors, a matrix, a float, an int."""
        drawn = np.random.default_rng(seed)
        return drawn.uniform(-1, 1, N), drawn.uniform(-1, 1, N), drawn.uniform(-1, 1, (N, N)), float(drawn.uniform()), 3

    # Statements.

    def _say(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def _block(self, count: int) -> None:
        for _ in range(count):
            self._statement()

    def _inner(self, count: int) -> None:
        """A block whose new names are not used behind it."""
        names = [list(part) for part in (self.vectors, self.matrices, self.numbers, self.indices, self.lists)]
        self.depth += 1
        self._block(count)
        self.depth -= 1
        self.vectors, self.matrices, self.numbers, self.indices, self.lists = names

    def _statement(self) -> None:
        simple = [
            self._number,
            self._number,
            self._vector,
            self._vector,
            self._element,
            self._element,
            self._slice,
            self._slice,
            self._matrix_write,
            self._matrix_write,
            self._alias,
            self._in_place,
            self._mask,
            self._swap,
            self._container,
            self._matrix,
            self._call,
            self._chained,
            self._gather,
        ]
        nested = [self._for, self._if, self._for, self._if, self._while, self._over]
        deep = self.depth < 4 and self.random.random() < 0.35
        self.random.choice(nested if deep else simple)()

    def _new(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def _target(self, names: list[str], letter: str) -> str:
        """A name to bind: an old one, or a new one."""
        own = [name for name in names if self.random.random() < 0.5]
        if own and self.random.random() < 0.6:
            return self.random.choice(own)
        name = self._new(letter)
        names.append(name)
        return name

    def _number(self) -> None:
        value = self._scalar()
        if self.random.random() < 0.3:
            self._say(f"{self.random.choice(self.numbers)} {self.random.choice(['+=', '-=', '*='])} {value}")
        else:
            self._say(f"{self._target(self.numbers, 'p')} = {value}")

    def _vector(self) -> None:
        value = self._vec()
        self._say(f"{self._target(self.vectors, 'v')} = {value}")

    def _matrix(self) -> None:
        a, b = (self.random.choice(self.matrices) for _ in range(2))
        value = self.random.choice(
            [
                f"0.5 * {a}",
                f"np.tanh({a} @ {b})",
                f"{a} * {b}",
                f"{a}.T.copy()",
                f"np.outer({self._vec()}, {self._vec()})",
                f"np.zeros_like({a})",
                f"np.where({a} > {b}, {a}, 0.5 * {b})",
                f"np.stack([{self._rows()}])",
            ]
        )
        self._say(f"{self._target(self.matrices, 'm')} = {value}")

    def _rows(self) -> str:
        return ", ".join(self.random.choice(self.vectors) for _ in range(N))

    def _operator(self) -> str:
        return self.random.choice(["=", "=", "+=", "-=", "*="])

    def _element(self) -> None:
        self._say(f"{self.random.choice(self.vectors)}[{self._index()}] {self._operator()} {self._scalar()}")

    def _slice(self) -> None:
        one, other = self.random.choice(
            [
                ("1:", ":-1"),
                (":-1", "1:"),
                ("::2", "::2"),
                ("1:-1", "2:"),
                ("::-1", ":"),
                (":", "::-1"),
                ("2:", ":-2"),
                ("...", ":"),
                ("1::2", ":2"),
            ]
        )
        value = self.random.choice([self._vec(f"[{other}]"), self._scalar()])
        self._say(f"{self.random.choice(self.vectors)}[{one}] {self._operator()} {value}")

    def _matrix_write(self) -> None:
        m, i, j = self.random.choice(self.matrices), self._index(), self._index()
        place, value = self.random.choice(
            [
                (f"{i}, {j}", self._scalar()),
                (f"{i}", self._vec()),
                (f":, {j}", self._vec()),
                (f"{i}, 1:", self._vec("[1:]")),
                (f"{i}][{j}", self._scalar()),
                (f"{i}][1:", self._vec("[:-1]")),
                ("1:, 0", self._vec("[1:]")),
                (":", self._vec()),
                ("::2, 1", self._vec("[::2]")),
            ]
        )
        self._say(f"{m}[{place}] {self._operator()} {value}")

    def _alias(self) -> None:
        m, i = self.random.choice(self.matrices), self._index()
        if self.random.random() < 0.7:
            value = self.random.choice(
                [
                    f"{m}[{i}]",
                    f"{m}[:, {i}]",
                    f"{m}.T[{i}]",
                    self.random.choice(self.vectors) + "[:]",
                    self.random.choice(self.vectors),
                    f"{m}.reshape(-1)[:{N}]",
                    f"{m}.ravel()[{N}:{2 * N}]",
                    f"np.diagonal({m}).copy()",
                    self.random.choice(self.vectors) + "[::-1]",
                ]
            )
            self._say(f"{self._target(self.vectors, 'v')} = {value}")
        else:
            value = self.random.choice([f"{m}.T", m, f"{m}[::-1]", f"{m}[:, :]", f"{m}.reshape({N}, -1)"])
            self._say(f"{self._target(self.matrices, 'm')} = {value}")

    def _in_place(self) -> None:
        v = self.random.choice(self.vectors)
        self._say(
            self.random.choice(
                [
                    f"{v} *= 0.5",
                    f"{v} += {self._vec()}",
                    f"{v} -= {self._scalar()}",
                    f"np.sin({v}, out={v})",
                    f"{v}.fill({self._scalar()})",
                    f"np.add.at({v}, [0, 2, 0], {self._scalar()})",
                    f"{v}.sort()",
                ]
            )
        )

    def _mask(self) -> None:
        v, w = (self.random.choice(self.vectors) for _ in range(2))
        mask = self.random.choice([f"{w} > {self._scalar()}", f"{v} < {w}", f"~({v} > 0.1)"])
        self._say(f"{v}[{mask}] {self.random.choice(['=', '*=', '+='])} {self._scalar()}")

    def _swap(self) -> None:
        v, w = (self.random.choice(self.vectors) for _ in range(2))
        i, j = self._index(), self._index()
        self._say(
            self.random.choice(
                [
                    f"{v}, {w} = {w}, {v}",
                    f"{v}[{i}], {v}[{j}] = {v}[{j}], {w}[{i}]",
                    f"{v}, {w} = 0.5 * {w}, {v} * {w}",
                ]
            )
        )

    def _chained(self) -> None:
        v, w = (self.random.choice(self.vectors) for _ in range(2))
        self._say(f"{v}[1:] = {w}[:-1] = {self._vec('[1:]')}")

    def _gather(self) -> None:
        v = self.random.choice(self.vectors)
        places = self.random.choice(
            ["[3, 0, 3]", "np.array([1, 4, 2])", "np.argsort(x)[:3]", f"[{self._index()}, 0, 1]"]
        )
        value = self.random.choice([self._vec("[1:4]"), self._scalar()])
        self._say(f"{v}[{places}] {self._operator()} {value}")

    def _container(self) -> None:
        if not self.lists or self.random.random() < 0.4:
            name = self._new("items")
            self._say(f"{name} = [{self.random.choice(self.vectors)}, {self._vec()}]")
            self.lists.append(name)
            return
        name = self.random.choice(self.lists)
        at = self.random.randint(0, 1)
        self._say(
            self.random.choice(
                [
                    f"{name}[{at}] = {self._vec()}",
                    f"{name}[{at}] += {self._scalar()}",
                    f"{name}[{at}][{self._index()}] = {self._scalar()}",
                    f"{name}[0], {name}[1] = {name}[1], {name}[0]",
                    f"{name} = [v * 0.5 for v in {name}]",
                ]
            )
        )
        self.vectors.append(self._new("v"))
        self._say(f"{self.vectors[-1]} = {name}[{1 - at}]")

    def _call(self) -> None:
        v = self.random.choice(self.vectors)
        if self.random.random() < 0.5:
            value = f"shifted({v}, by={self._scalar()})"
            self._say(f"{self._target(self.vectors, 'v')} = {value}")
        else:
            value = self.random.choice(
                [f"written({v}, {self._index()}, {self._scalar()})", f"bounded({v}[{self._index()}])"]
            )
            self._say(f"{self._target(self.numbers, 'p')} = {value}")

    def _for(self) -> None:
        index = self._new("i")
        span = self.random.choice(
            [
                f"range({N})",
                "range(k)",
                f"range(1, {N})",
                f"range({N - 1}, -1, -1)",
                f"range(0, {N}, 2)",
                "range(k, 0, -1)",
                "range(len(x))",
                "range(x.shape[0] - 2)",
                *[f"range({i})" for i in self.indices],
                *[f"range({i}, {N})" for i in self.indices],
            ]
        )
        self._say(f"for {index} in {span}:")
        before = list(self.indices)
        self.indices.append(index)
        self.loops += 1
        self._inner(self.random.randint(1, 3))
        if self.random.random() < 0.2:
            self.depth += 1
            self._say(f"if {self._condition()}:")
            self._say(f"    {self.random.choice(['break', 'continue'])}")
            self._inner_after()
            self.depth -= 1
        self.loops -= 1
        self.indices = before

    def _inner_after(self) -> None:
        self._element()

    def _over(self) -> None:
        item = self._new("e")
        kind = self.random.choice(["number", "row", "zip"])
        v = self.random.choice(self.vectors)
        before = (list(self.numbers), list(self.vectors), list(self.indices))
        if kind == "row":
            self._say(f"for {item} in {self.random.choice(self.matrices)}:")
            self.vectors.append(item)
        elif kind == "number":
            self._say(f"for {item} in {v}:")
            self.numbers.append(item)
        else:
            index, other = self._new("i"), self._new("e")
            self._say(f"for {index}, ({item}, {other}) in enumerate(zip({v}, {self.random.choice(self.vectors)})):")
            self.numbers += [item, other]
            self.indices.append(index)
        self._inner(self.random.randint(1, 2))
        self.numbers, self.vectors, self.indices = before

    def _while(self) -> None:
        counter = self._new("c")
        self._say(f"{counter} = 0")
        condition = self.random.choice(
            [f"{counter} < 3", f"{counter} < k and ({self._condition()})", f"({self._condition()}) and {counter} < 4"]
        )
        self._say(f"while {condition}:")
        self.depth += 1
        self._say(f"{counter} += 1")
        self.depth -= 1
        self._inner(self.random.randint(1, 3))

    def _if(self) -> None:
        self._say(f"if {self._condition()}:")
        self._inner(self.random.randint(1, 2))
        if self.random.random() < 0.3:
            self._say(f"elif {self._condition()}:")
            self._inner(1)
        if self.random.random() < 0.6:
            self._say("else:")
            self._inner(self.random.randint(1, 2))

    # Expressions.

    def _condition(self) -> str:
        one, other = self._leaf(), self._leaf()
        return self.random.choice(
            [
                f"{one} > {other}",
                f"{one} < 0.3",
                f"not {one} > 0.0",
                f"0.0 < {one} < 0.8",
                f"{one} > 0.2 or {other} < -0.5",
                f"{one} > -0.3 and k > 2",
                f"np.any({self.random.choice(self.vectors)} > 0.9)",
                *[f"{i} > 1" for i in self.indices],
                *[f"{i} % 2 == 0" for i in self.indices],
            ]
        )

    def _index(self) -> str:
        return self.random.choice(
            [
                "0",
                "1",
                "-1",
                "2",
                *[f"{i} % {N}" for i in self.indices * 2],
                *[f"({i} + 1) % {N}" for i in self.indices],
            ]
        )

    def _leaf(self) -> str:
        v, m = self.random.choice(self.vectors), self.random.choice(self.matrices)
        return self.random.choice(
            [
                self.random.choice(self.numbers),
                f"{v}[{self._index()}]",
                f"{m}[{self._index()}, {self._index()}]",
                "0.7",
                *[f"0.1 * {i}" for i in self.indices],
            ]
        )

    def _scalar(self) -> str:
        v, w = (self.random.choice(self.vectors) for _ in range(2))
        m = self.random.choice(self.matrices)
        one, other = self._leaf(), self._leaf()
        return self.random.choice(
            [
                one,
                one,
                f"{one} * {other}",
                f"0.5 * ({one} + {other})",
                f"np.sin({one})",
                f"np.tanh({one} - {other})",
                f"0.2 * ({v} @ {w})",
                f"np.mean({v})",
                f"np.max({v})",
                f"0.1 * {m}[{self._index()}].sum()",
                f"{m}[1:, {self._index()}] @ {v}[:-1] * 0.2",
                f"({one} if {self._condition()} else {other})",
                f"abs({one})",
                f"min({one}, {other})",
                f"{one} / 2",
                f"0.3 * np.dot({m}, {v})[{self._index()}]",
            ]
        )

    def _vec(self, part: str = "") -> str:
        v, w = (self.random.choice(self.vectors) for _ in range(2))
        m = self.random.choice(self.matrices)
        values = [
            f"{v}{part}",
            f"{v}{part} * {w}{part}",
            f"0.5 * ({v}{part} - {w}{part})",
            f"np.sin({v}{part})",
            f"{v}{part} * {self._leaf()}",
            f"np.where({v}{part} > 0, {v}{part}, 0.1 * {w}{part})",
            f"np.maximum({v}{part}, {w}{part})",
        ]
        if not part:
            values += [
                f"0.3 * ({m} @ {v})",
                f"{v}.copy()",
                f"np.cumsum({v}) * 0.3",
                f"{m}[{self._index()}] * {v}",
                f"{m}.mean(axis={self.random.randint(0, 1)})",
                f"np.zeros({N})",
                f"np.empty_like({v}) * 0.0",
                f"np.sort({v})",
                f"{v}[[1, 0, 3, 2, 4]]",
                f"np.roll({v}, 1)",
                f"np.clip({v}, -0.5, 0.5)",
                f"np.concatenate(({v}[2:], {w}[:2]))",
                f"np.linspace(0.0, 1.0, {N}) * {v}",
                f"np.diag({m}) * 0.5",
            ]
        return self.random.choice(values)
