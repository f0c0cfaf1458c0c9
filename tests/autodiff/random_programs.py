"""Random programs with nests, writes, views, branches and conditions, as code that a builder and plain Python run."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

import retrograde.rules  # noqa: F401  (declares the primitives)
from retrograde.program import PRIMITIVES, Program, ProgramBuilder

update, add_at = PRIMITIVES["update"], PRIMITIVES["add_at"]
State = tuple[Any, Any, Any]
Code = Callable[[Any, State, tuple[Any, ...], Any], State]
"""A statement: of the control (a builder, or `Plain`), the state (a matrix, a vector, a number), the loop indices and
the size it makes the next state."""


class Plain:
    """Runs loops and branches at once, under the names that a builder has for them."""

    @staticmethod
    def loop(count: int, body: Callable[..., Any], *initial: Any) -> Any:
        """As `ProgramBuilder.loop`."""
        carried = initial
        for index in range(count):
            returned = body(index, *carried)
            carried = returned if isinstance(returned, tuple) else (returned,)
        return carried[0] if len(carried) == 1 else carried

    @staticmethod
    def branch(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """As `ProgramBuilder.branch`."""
        return then() if condition else otherwise()

    @staticmethod
    def while_loop(condition: Callable[..., Any], body: Callable[..., Any], *initial: Any, limit: int) -> Any:
        """As `ProgramBuilder.while_loop`."""
        carried, index = initial, 0
        while index < limit and condition(index, *carried):
            carried = body(index, *carried)
            index += 1
        return carried


class Maker:
    """Makes random statements, reproducibly for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def block(self, depth: int, loops: int) -> Code:
        """Some statements in a row."""
        parts = [self._statement(depth, loops) for _ in range(self._random.randint(1, 3))]

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            for part in parts:
                state = part(control, state, indices, n)
            return state

        return run

    def _statement(self, depth: int, loops: int) -> Code:
        kinds = [self._element, self._element, self._part, self._number, self._vector]
        if depth:
            kinds += [self._loop, self._loop, self._loop, self._loop_of_one, self._branch, self._while]
        return self._random.choice(kinds)(depth, loops)

    def _loop(self, depth: int, loops: int) -> Code:
        body, kind = self.block(depth - 1, loops + 1), self._random.randrange(5 if loops else 2)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            last = indices[-1] if indices else 0
            count = [n, n - 1, last, n - 1 - last, last + 1][kind]
            return control.loop(count, lambda i, *state: body(control, state, (*indices, i), n), *state)

        return run

    def _loop_of_one(self, depth: int, loops: int) -> Code:
        """A loop that carries one value, and uses what it starts as."""
        kind, row = self._random.randrange(4), self._index(loops)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            a, v, s = state
            at = row(indices, n)
            if kind == 0:
                return a, v, control.loop(n, lambda i, t: np.tanh(t) * v[i] + 0.3 * a[i, at] * s, s)
            if kind == 1:
                return a, control.loop(2, lambda i, w: np.tanh(w) * v + 0.1 * a[at] * w, v), s
            if kind == 2:
                return control.loop(n, lambda i, b: update(b, i, np.sin(b[i]) * a[n - 1 - i]), a), v, s
            both = control.loop(n - 1, lambda i, w, x: (update(x, i, w[i] * v[i]), w), v, v)
            return a, both[0] + np.tanh(both[1]), s

        return run

    def _while(self, depth: int, loops: int) -> Code:
        body, level = self.block(depth - 1, loops + 1), self._random.uniform(0.5, 3.0)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            def holds(i: Any, a: Any, v: Any, s: Any) -> Any:
                return s * s + v[i] * v[i] < level

            return control.while_loop(holds, lambda i, *state: body(control, state, (*indices, i), n), *state, limit=n)

        return run

    def _branch(self, depth: int, loops: int) -> Code:
        condition, sides = self._value(loops), (self.block(depth - 1, loops), self.block(depth - 1, loops))

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            one, other = (lambda side=side: side(control, state, indices, n) for side in sides)
            return control.branch(condition(state, indices, n) > 0.1, one, other)

        return run

    def _element(self, depth: int, loops: int) -> Code:
        value, row, column, kind = self._value(loops), self._index(loops), self._index(loops), self._random.randrange(4)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            a, v, s = state
            new, at = value(state, indices, n), (row(indices, n), column(indices, n))
            if kind == 0:
                return a, update(v, at[0], new), s
            return (update(a, at, new) if kind < 3 else add_at(a, at, new)), v, s

        return run

    def _part(self, depth: int, loops: int) -> Code:
        value, row, bound, kind = self._value(loops), self._index(loops), self._bound(loops), self._random.randrange(5)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            a, v, s = state
            new, at, to = value(state, indices, n), row(indices, n), bound(indices, n)
            if kind == 0:
                return a, update(v, slice(None, to), v[:to] * new), s
            if kind == 1:
                return a, update(v, slice(to, None), np.tanh(a[at, to:]) * v[to:]), s
            if kind == 2:
                return update(a, (at, slice(to, None)), a[at, to:] + v[to:] * a[to:, at]), v, s
            if kind == 3:
                return update(a, (slice(None), at), np.sin(a[:, at]) * v), v, s
            return update(a, (slice(1, -1), at), a[2:, at] * a[:-2, at] * 0.5), v, s

        return run

    def _number(self, depth: int, loops: int) -> Code:
        value, kind = self._value(loops), self._random.randrange(2)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            a, v, s = state
            new = value(state, indices, n)
            return a, v, (new * 1.0 if kind else 0.5 * s + new)

        return run

    def _vector(self, depth: int, loops: int) -> Code:
        kind, row = self._random.randrange(3), self._index(loops)

        def run(control: Any, state: State, indices: tuple[Any, ...], n: Any) -> State:
            a, v, s = state
            at = row(indices, n)
            new = [lambda: np.tanh(v) * a[at], lambda: v / (1.0 + v * v) + s, lambda: 0.3 * a @ v][kind]()
            return a, new, s

        return run

    def _index(self, loops: int) -> Any:
        kind, which = self._random.randrange(5 if loops else 2), self._random.randrange(max(loops, 1))

        def index(indices: tuple[Any, ...], n: Any) -> Any:
            if kind < 2:
                return (0, n - 1)[kind]
            return (indices[which], n - 1 - indices[which], indices[which] - 1)[kind - 2]

        return index

    def _bound(self, loops: int) -> Any:
        kind, which = self._random.randrange(4 if loops else 2), self._random.randrange(max(loops, 1))

        def bound(indices: tuple[Any, ...], n: Any) -> Any:
            return (1, n - 2)[kind] if kind < 2 else (indices[which], indices[which] + 1)[kind - 2]

        return bound

    def _value(self, loops: int) -> Any:
        kind = self._random.randrange(6)
        one, other = (self._index(loops), self._index(loops))
        bound, factor = self._bound(loops), self._random.uniform(0.3, 1.0)

        def value(state: State, indices: tuple[Any, ...], n: Any) -> Any:
            a, v, s = state
            i, j = one(indices, n), other(indices, n)
            if kind == 0:
                return factor * a[i, j] * v[j]
            if kind == 1:
                return np.tanh(a[i, j]) + factor * s
            if kind == 2:
                return a[i, j] / (1.5 + a[j, i] * a[j, i])
            if kind == 3:
                to = bound(indices, n)
                return factor * np.tanh(a[i, :to] @ v[:to])
            if kind == 4:
                return np.sin(s) * v[i]
            return factor * (a[i, j] - v[i])

        return value


def random_case(seed: int) -> tuple[Callable[..., Any], Program]:
    """A random function of a matrix and a vector, run by Python, and the same as a program."""
    code = Maker(seed).block(3, 0)

    def plain(a: Any, v: Any) -> tuple[Any, Any, Any]:
        return code(Plain, (a, v, np.sum(v)), (), len(v))

    builder = ProgramBuilder(f"random{seed}")
    a, v = builder.input("a", "float64", ("n", "n")), builder.input("v", "float64", ("n",))
    results = code(builder, (a, v, np.sum(v)), (), v.shape[0])
    return plain, builder.finish(**dict(zip("avs", results, strict=True)))
