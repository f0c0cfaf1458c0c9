"""Branches, calls, closures, containers, captured values: what does not depend on data is executed while reading."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from reading_checks import agrees, agrees_on, differentiates, run

from retrograde.errors import UnsupportedError, UsageError
from retrograde.nn import elu
from retrograde.program import Branch
from retrograde.python.reading import read

RATE = 0.3
TABLE = np.array([0.5, -1.0, 2.0])
SETTINGS = {"scale": 2.0, "names": ["a", "b"], "weights": TABLE}


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def branches(x, y):
    if x[0] > 0.0:
        z = x * y
    elif x[1] > 0.0 and y[0] > 0.0:
        z = x + y
    else:
        z = -x
        y = y * 2.0
    w = np.sum(y) if 0.0 < x[2] <= 1.0 else 0.5
    return z * w, (x[0] > 0.0 or not y[0] > 0.0), x[1] if x[1] > x[2] else 1.0


@pytest.mark.parametrize("seed", range(10))
def test_branches_by_data(seed: int) -> None:
    random = np.random.default_rng(seed)
    reading = agrees(branches, random.standard_normal(3), random.standard_normal(3))
    agrees_on(reading, branches, random.standard_normal(3), random.standard_normal(3))
    assert any(isinstance(statement, Branch) for statement in reading.program.block.statements)
    differentiates(branches, random.standard_normal(3), random.standard_normal(3), wrt="y", of="return_0")


def branch_writes(x, flag):
    y = x.copy()
    row = y[0]
    if x[0, 0] > 0.0:
        y[1] = 2.0 * row
        row += 1.0
    else:
        row[:] = 0.0
        y = np.ones_like(x)
    return y + row if flag else y


def test_writes_in_branches_change_what_views_show(random: Any) -> None:
    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((2, 3))
        for flag in (True, False):
            reading = agrees(branch_writes, x, flag)
            assert not reading.fits((x, not flag), {})


def writes_perhaps(x):
    y = x
    if x[0] > 0.0:
        y = x * 2.0
    y[1] = 3.0
    return y.sum()


def reads_after_writing_perhaps(x):
    u = x.copy()
    v = u
    if x[0] > 0.0:
        v = u * 2.0
    v[1] = 3.0
    return u + v


def test_an_array_that_may_be_another_one_is_refused_only_where_it_matters(random: Any) -> None:
    reading = read(writes_perhaps, (random.standard_normal(3),))
    assert set(reading.unclear) == {"x"}
    with pytest.raises(
        UnsupportedError, match=r"line \d+, in reads_after_writing_perhaps: `return u \+ v`.*take a copy"
    ):
        read(reads_after_writing_perhaps, (random.standard_normal(3),))


def helper(x, *others, scale=1.0, **options):
    for other in others:
        x = x + scale * other
    return x * options.get("factor", 1.0), len(others)


def calls(x, y):
    first, count = helper(x, y, y, scale=0.5)
    second, _ = helper(*(x, y), **{"factor": 3.0})
    triple = lambda v, k=3: k * v  # noqa: E731

    def inner(v):
        return triple(v) + first * RATE

    doubled = functools.partial(np.multiply, 2.0)
    return inner(second) + doubled(x), count


def test_calls_closures_and_lambdas(random: Any) -> None:
    agrees(calls, random.standard_normal(3), random.standard_normal(3))
    differentiates(calls, random.standard_normal(3), random.standard_normal(3), wrt="x", of="return_0")


def comprehensions(x, n):
    squares = [x[i] ** 2 for i in range(n) if i % 2 == 0]
    table = {f"key_{i}": x * i for i in range(3)}
    nested = [a * b for a in (1.0, 2.0) for b in (x[0], x[1])]
    return sum(squares) + sum(v.sum() for v in table.values()) + max(nested) + len(table)


def test_comprehensions(random: Any) -> None:
    agrees(comprehensions, random.standard_normal(6), 5)
    differentiates(comprehensions, random.standard_normal(6), 5, wrt="x")


def containers(params, x):
    hidden = np.tanh(x @ params["layers"][0]["W"] + params["layers"][0]["b"])
    params = {**params, "out": params["out"] * 2.0}
    _, *rest = params["layers"]
    stack = [hidden]
    stack.append(hidden @ params["out"])
    stack += [stack[-1] * 0.5]
    (a, b), c = (stack[0], stack.pop()), len(rest)
    return {"value": (a.sum() + b.sum()) * c, "hidden": a, "count": c}


def test_containers_of_arrays(random: Any) -> None:
    params = {
        "layers": [{"W": random.standard_normal((3, 4)), "b": random.standard_normal(4)}, {"W": None}],
        "out": random.standard_normal(4),
    }
    x = random.standard_normal((2, 3))
    reading = agrees(containers, params, x)
    names = [variable.name for variable in reading.program.inputs]
    assert names == ["params_layers_0_W", "params_layers_0_b", "params_out", "x"]
    assert reading.arguments == {"params": ["params_layers_0_W", "params_layers_0_b", "params_out"], "x": ["x"]}


def mutates_containers(params, rate):
    for name in params:
        params[name] -= rate * np.sin(params[name])
    return None


def test_arrays_inside_of_arguments_that_are_written(random: Any) -> None:
    reading = agrees(mutates_containers, {"u": random.standard_normal(3), "v": random.standard_normal(2)}, 0.5)
    assert reading.mutated == {"params": ["params_u", "params_v"]}


def captured(x):
    return x * RATE + TABLE * SETTINGS["scale"] + SETTINGS["weights"] * len(SETTINGS["names"])


def test_captured_arrays_and_floats_are_read_anew(random: Any, monkeypatch: Any) -> None:
    reading = agrees(captured, random.standard_normal(3))
    monkeypatch.setitem(globals(), "RATE", 0.7)
    monkeypatch.setitem(globals(), "TABLE", np.array([3.0, 1.0, 2.0]))
    agrees_on(reading, captured, random.standard_normal(3))
    monkeypatch.setitem(globals(), "TABLE", np.array([3.0, 1.0, 2.0], np.float32))
    assert not reading.fits((np.ones(3),), {})
    monkeypatch.setitem(SETTINGS, "names", ["a"])
    monkeypatch.setitem(globals(), "TABLE", np.array([3.0, 1.0, 2.0]))
    assert not reading.fits((np.ones(3),), {})


def make_scaled(factor, offset):
    def scaled(x):
        return x * factor + offset

    return scaled


def test_closures_from_outside(random: Any) -> None:
    scaled = make_scaled(2.0, np.ones(3))
    reading = agrees(scaled, random.standard_normal(3))
    assert [variable.name for variable in reading.program.inputs] == ["x", "factor", "offset"]
    agrees(make_scaled(3, 0.5), random.standard_normal(3))


def test_lambdas_of_one_line(random: Any) -> None:
    first, second = lambda x: x * 2.0, lambda x: x + 1.0
    agrees(first, random.standard_normal(3))
    agrees(second, random.standard_normal(3))


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Spring:
    stiffness: float
    rest: Any

    def force(self, x):
        return -self.stiffness * (x - self.rest)


class Counter:
    def __init__(self, start):
        self.value = start

    def add(self, x):
        self.value = self.value + x
        return self


SPRING = Spring(2.0, np.array([1.0, 2.0, 3.0]))


def objects(x):
    point = Point(x, x * 2.0)
    spring = Spring(3.0, x[0])
    counter = Counter(0.0)
    for i in range(4):
        counter.add(x * i)
    return point.y + spring.force(point.x) + SPRING.force(x) + counter.add(x).value


def test_objects_of_the_user(random: Any) -> None:
    agrees(objects, random.standard_normal(3))
    differentiates(objects, random.standard_normal(3), wrt="x")


class Oscillator:
    def __init__(self, stiffness):
        self.stiffness = stiffness

    def run(self, x, v, steps):
        point, spring = Point(x, v), Spring(self.stiffness, 0.0)
        for _ in range(steps):
            point = Point(point.x + 0.1 * point.y, point.y + 0.1 * spring.force(point.x))
            spring = Spring(spring.stiffness * 0.99, spring.rest + 0.01)
            if point.x[0] > 0.5:
                spring.stiffness = spring.stiffness * 0.5
        return point.x + spring.rest

    def __call__(self, x):
        return -self.stiffness * x


def powers(x, y, n=3):
    for _ in range(n):
        x = x * y
    return x


def test_methods_partial_functions_and_callable_objects(random: Any) -> None:
    oscillator = Oscillator(np.array([1.0, 2.0]))
    reading = agrees(oscillator.run, random.standard_normal(2), random.standard_normal(2), 6)
    assert [variable.name for variable in reading.program.inputs] == ["x", "v", "steps", "self_stiffness"]
    differentiates(oscillator.run, random.standard_normal(2), random.standard_normal(2), 6, wrt="x")
    agrees(oscillator, random.standard_normal(2))
    agrees(functools.partial(powers, n=4), random.standard_normal(3), 2.0)
    agrees(functools.partial(powers, random.standard_normal(3)), 2.0)


def divided(x):
    with np.errstate(divide="ignore"):
        return 1.0 / x


def many(x, *others, **options):
    for other in others:
        x = x + other
    return x * options.get("scale", 1.0)


def test_states_of_errors_and_any_number_of_arguments(random: Any) -> None:
    agrees(divided, random.standard_normal(3))
    x, y = random.standard_normal(3), random.standard_normal(3)
    reading = agrees(many, x, 1.0, y, scale=2.0)
    assert reading.arguments == {"x": ["x"], "others": ["others_0", "others_1"], "options": ["options_scale"]}
    agrees(many, x)


def scalars(x, n, flag):
    k = n // 2 + n % 3
    if flag and n > 2:
        k = -k
    y = math.sin(x) * k + abs(x) ** 2 + min(x, 0.5) + max(n, 3)
    return y, k, n / 2, isinstance(x, float), n in (1, 5), 2 <= n < 9


def test_numbers(random: Any) -> None:
    reading = agrees(scalars, 0.7, 5, True)
    agrees_on(reading, scalars, -1.2, 8, True)
    differentiates(scalars, 0.7, 5, True, wrt="x", of="return_0")


def defaults(x, rate=0.5, steps=3, *, offset=None):
    for _ in range(steps):
        x = x * rate
    return x if offset is None else x + offset


def test_defaults_and_keywords(random: Any) -> None:
    agrees(defaults, random.standard_normal(3))
    reading = agrees(defaults, random.standard_normal(3), steps=2, offset=random.standard_normal(3))
    assert reading.arguments["steps"] == ["steps"]
    assert agrees(defaults, random.standard_normal(3), 0.25).arguments["offset"] == []


def aliased(a, b):
    c = a
    c[0] = b[0] * 2.0
    d = b[1:]
    d += a[:-1]
    a[1:] = b[1:] = d * 0.5
    return c


def test_names_of_one_array(random: Any) -> None:
    reading = agrees(aliased, random.standard_normal(4), random.standard_normal(4))
    assert set(reading.mutated) == {"a", "b"}
    x = random.standard_normal(4)
    with pytest.raises(UsageError, match="pass a copy"):
        reading.inputs((x, x), {})


def swapped(a, b, steps):
    for _ in range(steps):
        b[1:-1] = 0.5 * (a[:-2] + a[2:])
        a, b = b, a
    return a


def test_arguments_that_change_places_in_a_loop(random: Any) -> None:
    for steps in (0, 1, 2, 3):
        x, y = random.standard_normal(3), random.standard_normal(3)
        reading = read(swapped, (x, y, 2))
        assert set(reading.mutated) == {"a", "b"}
        found = run(reading, x, y, steps)
        np.testing.assert_array_equal(found["return"], swapped(x, y, steps))
        np.testing.assert_array_equal(found["a"], x)
        np.testing.assert_array_equal(found["b"], y)


def swapped_by_data(a, b, steps):
    for _ in range(steps):
        b *= a
        if a[0] > 0.0:
            a, b = b, a


def test_arguments_that_change_places_in_some_iterations_are_unclear(random: Any) -> None:
    reading = read(swapped_by_data, (random.standard_normal(3), random.standard_normal(3), 3))
    assert set(reading.unclear) == {"a", "b"}


def sizes(x, y):
    if x.shape[0] != y.shape[0]:
        raise ValueError("lengths differ")
    assert x.ndim == 2
    n, m = x.shape
    return np.zeros((n, m)) + x * y[:, None], len(x), x.size, n * m


def test_sizes_are_known_as_far_as_they_are_equal(random: Any) -> None:
    reading = agrees(sizes, random.standard_normal((3, 4)), random.standard_normal(3))
    agrees_on(reading, sizes, random.standard_normal((5, 2)), random.standard_normal(5))
    assert str(reading.program.block.results[0].type) == "float64[k, p]"
    assert not reading.fits((np.ones((3, 4)), np.ones(4)), {})
    assert not reading.fits((np.ones((3, 4), np.float32), np.ones(3)), {})
    assert not reading.fits((np.ones((3, 4, 1)), np.ones(3)), {})
    with pytest.raises(ValueError, match="lengths differ"):
        read(sizes, (np.ones((3, 4)), np.ones(5)))


def integers_are_sizes(n, x):
    y = np.empty((n, n))
    for i in range(n):
        y[i] = x * i
    return y + x


def test_integers_that_are_sizes_of_arrays(random: Any) -> None:
    reading = agrees(integers_are_sizes, 4, random.standard_normal(4))
    assert str(reading.program.block.results[0].type) == "float64[n, n]"
    agrees_on(reading, integers_are_sizes, 6, random.standard_normal(6))


def keeps_dtype(x, rate):
    for i in range(3):
        x = x * rate + i * 0.5
    return x


def test_python_numbers_are_weak(random: Any) -> None:
    reading = agrees(keeps_dtype, random.standard_normal(3).astype(np.float32), 0.3)
    assert reading.program.block.results[0].type.dtype == np.float32


def test_places_are_those_of_the_source() -> None:
    program = read(sizes, (np.ones((3, 4)), np.ones(3))).program
    places = {statement.place for statement in program.block.statements}
    first = sizes.__code__.co_firstlineno
    assert {place.line for place in places if place} == {first + 1, first + 5}
    assert all(place.file == __file__ and place.function == "sizes" for place in places if place)


def over_ranges(x, y, n):
    products = [x[i] * np.sin(y[i]) for i in range(n)]
    total = sum(x[i] * y[i] for i in range(n)) + sum([row.sum() for row in np.outer(x, y)], 1.0)
    rows = np.array([y * value for value in products])
    return total, rows, max(products), products[2], len(products), np.stack([y + i for i in range(len(x))])


def test_comprehensions_over_ranges_are_loops(random: Any) -> None:
    x, y = random.standard_normal(40), random.standard_normal(40)
    reading = agrees(over_ranges, x, y, 40)
    agrees_on(reading, over_ranges, x[:35], y[:35], 35)
    differentiates(over_ranges, x, y, 40, wrt="y", of="return_0")
    differentiates(over_ranges, x, y, 40, wrt="x", of="return_1")


def lists_are_needed(x, n):
    parts = [x * i for i in range(n)]
    return [*parts, x]


def test_a_list_that_is_used_as_one_is_read_element_by_element(random: Any) -> None:
    reading = agrees(lists_are_needed, random.standard_normal(3), 4)
    assert not reading.fits((random.standard_normal(3), 5), {})


def columns(positions):
    x, z = positions[:, 0:1], positions[:, 2:3]
    return (x.T - x) * (z.T - z)


def test_columns_are_known_to_be_columns(random: Any) -> None:
    reading = agrees(columns, random.standard_normal((8, 3)))
    agrees_on(reading, columns, random.standard_normal((5, 4)))
    assert not reading.fits((random.standard_normal((8, 2)),), {})
    agrees(columns, random.standard_normal((2, 3)))


def replaces_items(params, steps):
    for i in range(steps):
        for key, value in params.items():
            params[key] = value - 0.1 * np.sin(value)
        params["b"][0] += i
    return params["a"].sum() + params["b"].sum()


def adds_items(params):
    params["c"] = params["a"] * 2.0
    return params["c"]


def test_items_of_arguments_that_are_replaced(random: Any) -> None:
    reading = agrees(replaces_items, {"a": random.standard_normal(3), "b": random.standard_normal(2)}, 3)
    assert reading.mutated == {"params": ["params_a", "params_b"]}
    reading = read(adds_items, ({"a": random.standard_normal(3)},))
    assert "return it" in reading.unclear["params"]


def staggered(wide, narrow, corner):
    inner = wide[1:-1] - narrow
    rows = corner.shape[0]
    return inner * wide[: rows - 1], corner[0] * np.array([1.0, 2.0, 3.0])


def test_sizes_that_have_to_go_together_do(random: Any) -> None:
    wide, narrow, corner = random.standard_normal(9), random.standard_normal(7), random.standard_normal((8, 3))
    reading = agrees(staggered, wide, narrow, corner)
    assert [str(variable.type) for variable in reading.program.inputs] == [
        "float64[m+2]",
        "float64[m]",
        "float64[m+1, 3]",
    ]
    assert str(reading.program.block.results[0].type) == "float64[m]"
    agrees_on(reading, staggered, wide[:6], narrow[:4], corner[:5])
    assert not reading.fits((wide, narrow[:6], corner), {})


def activated(x, alpha):
    return elu(x, alpha=alpha)


def test_constants_of_primitives_are_taken_as_they_are(random: Any) -> None:
    reading = agrees(activated, random.standard_normal(4), 0.3)
    assert not reading.fits((random.standard_normal(4), 0.4), {})
