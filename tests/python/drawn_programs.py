"""Random programs: many versions of arrays alive at once, views of them, loops that swap, branches, stacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program import PRIMITIVES, Program, ProgramBuilder

P = PRIMITIVES
SIZE = 5


class RandomProgram:
    """Draws a program of vectors, matrices and numbers.

    Args:
        seed: what to draw from.
        steps: how many statements a block has.
        smooth: only operations with derivatives.
        turned: also transposes and flips: NumPy adds up in the order of the memory, so that copies change last bits.
    """

    def __init__(self, seed: int, steps: int = 8, smooth: bool = False, turned: bool = False) -> None:
        self.random = np.random.default_rng(seed)
        self.steps = steps
        self.smooth = smooth
        self.turned = turned
        self.builder = ProgramBuilder(f"random{seed}")
        b = self.builder
        self.vectors = [b.input("u", "float64", ("n",)), b.input("v", "float64", ("n",))]
        self.matrices = [b.input("A", "float64", ("n", "n"))]
        self.numbers = [b.input("c", "float64")]
        self.counts: list[Any] = [b.input("steps", "int64")]

    def program(self) -> Program:
        """The program."""
        self._block(self.steps, 0)
        outputs = self._some(self.vectors, 2) + self._some(self.matrices, 1) + self._some(self.numbers, 1)
        loss: Any = 0.0
        for output in outputs:
            loss = loss + np.sum(output * output)
        names = {f"out{at}": output for at, output in enumerate(outputs)}
        return self.builder.finish(**names, loss=loss)

    def arguments(self, count: int) -> tuple[Any, ...]:
        """Inputs for the program."""
        random = np.random.default_rng(int(self.random.integers(1 << 30)))
        u, v, a = (random.uniform(0.5, 1.5, shape) for shape in (SIZE, SIZE, (SIZE, SIZE)))
        return u, v, a, 0.7, count

    def _one(self, values: list[Any]) -> Any:
        return values[int(self.random.integers(len(values)))]

    def _some(self, values: list[Any], most: int) -> list[Any]:
        return [self._one(values) for _ in range(1 + int(self.random.integers(most)))]

    def _block(self, steps: int, depth: int) -> None:
        for _ in range(steps):
            kinds: list[Callable[[], None]] = [
                self._elementwise,
                self._update,
                self._view,
                self._matrix,
                self._add,
                self._name,
            ]
            if depth < 2:
                kinds += [lambda: self._loop(depth), lambda: self._branch(depth), lambda: self._while(depth)]
            self._one(kinds)()

    def _name(self) -> None:
        """The user gives a value a name."""
        self.builder.hint(self.vectors[-1], self._one(["x", "y", "u"]))

    def _elementwise(self) -> None:
        x, y = self._one(self.vectors), self._one([*self.vectors, *self.numbers])
        f = self._one([np.sin, np.tanh, lambda x: x * 0.5 + 0.1, lambda x: -x, lambda x: np.multiply(x, x)])
        self.vectors.append(f(x * y) * 0.9)
        self.numbers.append(np.sum(x) * 0.1 if self._one([0, 1]) else x[self._one([0, 1, -1])])

    def _view(self) -> None:
        x, a = self._one(self.vectors), self._one(self.matrices)
        n = x.shape[0]
        views: list[Callable[[], Any]] = [
            lambda: x[::-1] if self.turned else a[self._one([0, 1])],
            lambda: a[self._one([0, 2])],
            lambda: a[:, self._one([1, -1])],
            lambda: np.broadcast_to(self._one(self.numbers), (n,)),
            lambda: P["broadcast_to"](0.0, (n,)),
        ]
        self.vectors.append(self._one(views)())
        if self._one([0, 1]) and self.turned:
            self.matrices.append(a.T)

    def _matrix(self) -> None:
        a, x = self._one(self.matrices), self._one(self.vectors)
        choices: list[Callable[[], Any]] = [
            lambda: np.sin(a * x),
            lambda: x[:, None] * a * 0.5,
            lambda: P["update"](a, (slice(None), self._one([0, 1])), x),
            lambda: P["update"](a, self._one([0, 3]), self._one([*self.vectors, *self.numbers])),
            lambda: P["add_at"](a, (slice(1, None), slice(None, -1)), a[:-1, 1:]),
        ]
        self.matrices.append(self._one(choices)())

    def _index(self) -> Any:
        return self._one(
            [0, -1, 2, slice(1, -1), slice(None, None, 2), slice(2, None), Ellipsis, slice(None), slice(1, None)]
        )

    def _update(self) -> None:
        x, index = self._one(self.vectors), self._index()
        value = self._one([0.25, self._one(self.numbers), self._one(self.vectors)[index]])
        if not isinstance(index, slice) and index is not Ellipsis:
            value = self._one([self._one(self.numbers), 0.5, x[index] * 0.5])
        self.vectors.append(P[self._one(["update", "update", "add_at"])](x, index, value))

    def _add(self) -> None:
        x, places = self._one(self.vectors), self._one([np.array([0, 2, 2, 1]), np.array([3, 3])])
        y = self._one(self.vectors)
        name = "add_at" if self.smooth else self._one(["update", "add_at"])
        self.vectors.append(P[name](x, places, y[places] * 0.5))
        if not self.smooth:
            self.vectors.append(P["update"](y, y > 0.3, 0.2))

    def _kept(self) -> tuple[list[Any], ...]:
        return list(self.vectors), list(self.matrices), list(self.numbers), list(self.counts)

    def _restore(self, kept: tuple[list[Any], ...]) -> None:
        self.vectors, self.matrices, self.numbers, self.counts = (list(part) for part in kept)

    def _carried(self) -> list[Any]:
        return [*self._some(self.vectors, 3), *self._some(self.matrices, 2), self._one(self.numbers)]

    def _returned(self, like: list[Any]) -> tuple[Any, ...]:
        """Values of the same kinds: of late ones rather than of early ones."""
        pools = {1: self.vectors, 2: self.matrices, 0: self.numbers}
        return tuple(self._one(pools[value.ndim][-4:]) for value in like)

    def _take(self, values: tuple[Any, ...]) -> None:
        for value in values:
            {1: self.vectors, 2: self.matrices, 0: self.numbers}[value.ndim].append(value)

    def _body(self, depth: int, like: list[Any], index: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
        self._take(carried)
        if index is not None:
            self.counts.append(index)
            self.vectors.append(P["update"](self._one(self.vectors), index, self._one(self.numbers)))
            self.numbers.append(self._one(self.vectors)[index])
        self._block(3, depth + 1)
        return self._returned(like)

    def _loop(self, depth: int) -> None:
        like, kept = self._carried(), self._kept()
        count = self._one([*self.counts, 2, 0])
        late = self._one([True, False])

        def body(i: Any, *carried: Any) -> tuple[Any, ...]:
            self._restore(kept)
            return self._body(depth, like, (i + 1) if late else i, carried)

        after = self.builder.loop(count, body, *like)
        self._restore(kept)
        self._take(after)

    def _while(self, depth: int) -> None:
        like, kept = self._carried(), self._kept()
        holds = self._one([lambda i, x: (i < 2) & (x > -3.0), lambda i, x: np.sin(x) < 0.5])

        def condition(i: Any, *carried: Any) -> Any:
            return holds(i, np.sum(carried[0]) * 0.3)

        def body(i: Any, *carried: Any) -> tuple[Any, ...]:
            self._restore(kept)
            return self._body(depth, like, None, carried)

        after = self.builder.while_loop(condition, body, *like, limit=self._one([3, self.counts[0]]))
        self._restore(kept)
        self._take(after)

    def _branch(self, depth: int) -> None:
        like, kept = self._carried(), self._kept()
        condition = np.sum(self._one(self.vectors)) > self._one([-1.0, 1.0, 3.0])

        def side() -> tuple[Any, ...]:
            self._restore(kept)
            self._block(2, depth + 1)
            return self._returned(like)

        after = self.builder.branch(condition, side, side)
        self._restore(kept)
        self._take(after)
