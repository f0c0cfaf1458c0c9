"""What a tape keeps of large arrays, and what it does in the memory of those that are nobody else's."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import test_in_place
import test_random_writes

import retrograde as rg
from retrograde.autodiff.tape import backward, residuals, tracked
from retrograde.errors import BudgetError, UsageError
from retrograde.program import PRIMITIVES, Primitive

N = 20_000
X = np.linspace(0.1, 0.9, N)
BYTES = X.nbytes


@pytest.fixture(params=["all", "none"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every array is large, and then none is."""
    limit = 1 if request.param == "all" else 1 << 60
    monkeypatch.setattr(residuals, "LARGE_BYTES", limit)
    monkeypatch.setattr(tracked, "LARGE_BYTES", limit)


def _gates(x: Any) -> Any:
    for _ in range(4):
        gate = 1.0 / (1.0 + np.exp(-x))
        x = gate * x + (1.0 - gate) * np.tanh(2.0 * x)
    return np.sum(x)


def _stencil(x: Any) -> Any:
    for _ in range(4):
        middle = 0.5 * (x[1:] + x[:-1])
        flow = (1.0 + middle * middle) * (x[1:] - x[:-1])
        x = np.concatenate((x[:1], x[1:-1] + 0.1 * (flow[1:] - flow[:-1]), x[-1:]))
    return np.sum(x * x)


def _slices(x: Any) -> Any:
    active = np.maximum(x - 0.5, 0.0) * x
    return np.sum(active[1:] * active[:-1]) + np.sum(active[2:] * x[:-2] * active[::-1][2:])


def _sines(x: Any) -> Any:
    y = x
    for _ in range(3):
        y = np.tanh(np.sin(y * 1.01) + x)
    return np.sum(y)


def _oscillator(x: Any) -> Any:
    p, q = x, 0.3 * x
    for _ in range(3):
        p, q = p + 0.1 * (q - p * p), q - 0.1 * (p * q) / (1.0 + q)
    return np.sum(p * q)


_PROGRAMS = [_gates, _stencil, _slices, _sines, _oscillator]


@pytest.mark.parametrize("program", _PROGRAMS)
def test_the_bits_are_those_of_a_tape_that_keeps_everything(
    program: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rg.grad(program, backend="tape")(X)
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        y = program(x)
    np.testing.assert_array_equal(tape.gradient(y, x), found)
    np.testing.assert_array_equal(tape.gradient(y, x), found)
    monkeypatch.setattr(residuals, "LARGE_BYTES", 1 << 60)
    monkeypatch.setattr(tracked, "LARGE_BYTES", 1 << 60)
    np.testing.assert_array_equal(rg.grad(program, backend="tape")(X), found)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("function", test_in_place._RIGHT)
def test_writes_in_place(function: Any) -> None:
    test_in_place.test_the_tape(function)


@pytest.mark.usefixtures("large")
def test_random_programs_of_writes() -> None:
    test_random_writes.test_right_or_refused(0)


def _held_bytes(program: Callable[[Any], Any], x: Any) -> int:
    """What a recording holds when the program is through."""
    gc.collect()
    tracemalloc.start()
    with rg.GradientTape() as tape:
        out = program(tape.watch(x))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert out.shape == ()
    return held


@pytest.mark.parametrize(
    ("step", "arrays"),
    [
        pytest.param(lambda y: np.tanh(np.sin(y * 1.01)), 1, id="a scaled operand is made again"),
        pytest.param(lambda y: 1.0 / (1.0 + np.exp(-y)), 1, id="a sigmoid holds its exponential"),
        pytest.param(lambda y: y + 0.1 * (1.0 + y * y) * (1.0 - y), 1, id="products hold their common operand"),
        pytest.param(lambda y: np.exp(np.tanh(y)), 1, id="an exponential is made again"),
        pytest.param(lambda y: y * 2.0 - y / 3.0, 0, id="what is linear holds nothing"),
    ],
)
def test_how_many_arrays_a_step_holds(step: Callable[[Any], Any], arrays: int) -> None:
    def program(x: Any, steps: int) -> Any:
        for _ in range(steps):
            x = step(x)
        return np.sum(x)

    few, many = (_held_bytes(lambda x, steps=steps: program(x, steps), X) for steps in (2, 12))
    assert (many - few) / BYTES == pytest.approx(10 * arrays, abs=0.5)


def test_constants_that_nobody_reads_are_not_held() -> None:
    references: list[weakref.ref[Any]] = []

    def noise() -> Any:
        made = np.ones(N)
        references.append(weakref.ref(made))
        return made

    with rg.GradientTape() as tape:
        x = tape.watch(X)
        y = x
        for _ in range(5):
            y = y + noise()
        z = np.sin(y)
        total = np.sum(z)
    assert [reference() for reference in references] == [None] * 5
    np.testing.assert_allclose(tape.gradient(total, x), np.cos(X + 5.0))


def test_what_was_overwritten_is_not_made_again_from_its_new_content() -> None:
    def program(x: Any) -> Any:
        y = x * 2.0
        z = y * 3.0
        w = y + 1.0
        y[0] = 50.0
        return np.sum(np.sin(z) + np.sin(w) * y)

    value, gradient = rg.value_and_grad(program, backend="tape")(X)
    expected = 6 * np.cos(6 * X) + 2 * np.cos(2 * X + 1) * 2 * X + np.sin(2 * X + 1) * 2
    expected[0] = 6 * np.cos(6 * X[0]) + 2 * np.cos(2 * X[0] + 1) * 50
    np.testing.assert_allclose(gradient, expected)
    assert value == program(X)


def test_the_real_part_of_a_real_array_is_the_array() -> None:
    def program(x: Any) -> Any:
        y = x * 2.0
        z = np.real(y)
        del y
        w = z * 3.0 + z
        z = z.copy()
        z[0] = 1.0
        return np.sum(np.sin(w)) + np.sum(z)

    gradient = rg.grad(program, backend="tape")(X)
    np.testing.assert_allclose(gradient[1:], 8 * np.cos(8 * X[1:]) + 2)


def _copies(program: Callable[[Any], Any], x: Any) -> float:
    """The peak of a gradient's allocations, in arrays."""
    gradient = rg.grad(program, backend="tape")
    gradient(x)
    gc.collect()
    tracemalloc.start()
    gradient(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / x.nbytes


def test_reading_elements_one_by_one_makes_one_array(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(np, "zeros_like", _counting(np.zeros_like, made))
    gradient = rg.grad(lambda x: sum(x[at] * x[at + 1] for at in range(0, 200, 2)))(X)
    assert len(made) == 1
    np.testing.assert_array_equal(gradient[:200:2], X[1:201:2])
    np.testing.assert_array_equal(gradient[200:], 0.0)


def _counting(function: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return function(*arguments, **options)

    return counted


def test_an_index_that_names_a_place_twice_adds_both_times() -> None:
    index = np.array([1, 1, 3])
    gradient = rg.grad(lambda x: np.sum(x[index]) + x[1] * 10.0 + np.sum(x[2:4]) + np.sum(x))(np.zeros(4))
    np.testing.assert_array_equal(gradient, [1.0, 13.0, 2.0, 3.0])


def test_a_number_that_is_indexed_and_read() -> None:
    def program(x: Any) -> Any:
        one = x[1]
        return one * one + np.sum(one[np.True_]) + np.sum(one[None] * 2.0) + one

    np.testing.assert_allclose(rg.grad(program, backend="tape")(X[:3]), [0.0, 2 * X[1] + 4.0, 0.0])


def test_filling_an_array_writes_into_it() -> None:
    seen: set[int] = set()

    def program(x: Any) -> Any:
        out = np.zeros_like(x)
        for at in range(50):
            out[at] = x[at] * x[at]
            out[at + 50 : at + 52] = x[at : at + 2]
            seen.add(id(out.value))
        return np.sum(out)

    gradient = rg.grad(program, backend="tape")(X)
    assert len(seen) == 1
    expected = np.zeros(N)
    expected[:50] = 2 * X[:50] + 1.0
    expected[50] = 1.0
    np.testing.assert_allclose(gradient, expected)


def test_a_write_while_somebody_holds_the_array_makes_a_new_one() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        y = x * 1.0
        plain = y.value
        y[0] = 7.0
        assert y.value is not plain
        before = y * y
        y[1] = 5.0
        total = np.sum(before)
    assert plain[0] == X[0]
    np.testing.assert_array_equal(X, np.linspace(0.1, 0.9, N))
    np.testing.assert_allclose(tape.gradient(total, x)[:3], [0.0, 2 * X[1], 2 * X[2]])


def test_a_backward_pass_through_writes_does_not_copy_the_cotangent() -> None:
    writes: list[Any] = []

    def program(x: Any, count: int) -> Any:
        y = x * 1.0
        for at in range(count):
            y[at] = 2.0 * y[at + 1]
            y[at : at + 3] = 3.0 * y[at : at + 3]
        writes.append(count)
        return np.sum(y * X)

    for count in (3, 100):
        assert _copies(lambda x, count=count: program(x, count), X) < 4.5
    direction = np.cos(np.arange(N))
    step = 1e-6 * direction
    difference = (program(X + step, 5) - program(X - step, 5)) / 2e-6
    np.testing.assert_allclose(rg.grad(lambda x: program(x, 5), backend="tape")(X) @ direction, difference, rtol=1e-6)


def test_a_sum_that_others_hold_is_not_added_to() -> None:
    given = np.ones(N)
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        y = x + 0.0
        z = y + y
    first, of_y = tape.gradient([z, y], (x, y), [given, given])
    np.testing.assert_array_equal(given, 1.0)
    np.testing.assert_array_equal(first, 3.0)
    np.testing.assert_array_equal(of_y, 3.0)
    np.testing.assert_array_equal(tape.gradient([z, y], x, [given, given]), 3.0)


def test_a_small_part_of_a_cotangent_does_not_hold_it() -> None:
    share = backward._unpinned(np.ones(N)[:10])
    assert share.base is None
    half = np.ones(N)[1:]
    assert backward._unpinned(half) is half


def test_a_long_chain_frees_as_it_goes() -> None:
    """The peak of a gradient is little more than what its recording holds."""

    def program(x: Any) -> Any:
        for _ in range(50):
            x = np.tanh(x)
        return np.sum(x)

    assert _copies(program, X) < 50 + 5


_OVERWRITING = [
    pytest.param(primitive, operand, id=f"{name} by {operand}")
    for name, primitive in PRIMITIVES.items()
    for operand, rule in primitive.reverse.items()
    if rule.overwriting is not None and set(primitive.operands) <= {"x", "y"}
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(("primitive", "operand"), _OVERWRITING)
def test_a_share_in_the_memory_of_the_cotangent_has_the_same_bits(
    primitive: Primitive, operand: str, dtype: Any
) -> None:
    random = np.random.default_rng(0)
    values: dict[str, Any] = {
        name: (random.uniform(0.1, 0.9, N) + (primitive.name == "arccosh")).astype(dtype) for name in primitive.operands
    }
    if primitive.name == "ldexp":
        values["y"] = np.arange(N) % 3
    values["out"] = primitive.evaluate(*(values[name] for name in primitive.operands))
    rule = primitive.reverse[operand]
    reads = [values[name] for name in rule.reads]
    g = random.standard_normal(N).astype(dtype)
    expected = rule.function(g, *reads).astype(dtype)
    assert rule.overwriting is not None
    memory = g.copy()
    found = rule.overwriting(memory, *reads)
    assert found is memory
    np.testing.assert_array_equal(found, expected)


def test_there_are_rules_that_overwrite() -> None:
    names = {str(case.id) for case in _OVERWRITING}
    assert {"multiply by x", "multiply by y", "tanh by x", "negative by x", "divide by y"} <= names


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_dividing_by_zero_in_place(zero: float) -> None:
    x, y = np.array([1.0, 0.0, 2.0]), np.array([2.0, zero, zero])
    with np.errstate(all="ignore"):
        gradient = rg.grad(lambda y: np.sum(np.where(y != 0, x / y, 0.0) * 3.0))(y)
    np.testing.assert_array_equal(gradient, [-0.75, 0.0, 0.0])


def test_the_share_of_a_complex_value_is_not_put_into_a_real_cotangent() -> None:
    x = X * (1 + 1j)
    gradient = rg.grad(lambda x: np.sum(np.abs(x) * X))(x)
    np.testing.assert_allclose(gradient, X * x / np.abs(x))


@pytest.mark.parametrize("size", [50, 20_000])
def test_a_plain_array_that_no_rule_reads_may_be_written(size: int) -> None:
    """A buffer that is filled anew in each iteration: what was computed from it is not made again from it."""
    x = np.linspace(0.0, 1.0, 20_000)

    def loss(x: Any, fresh: bool) -> Any:
        buffer = np.empty(size)
        total = 0.0
        for turn in range(3):
            buffer = np.empty(size) if fresh else buffer
            buffer[:] = turn
            y = np.reshape(x, (-1, size)) * 1.5 + buffer
            total = total + np.sum(np.sin(y) * y)
        return total

    np.testing.assert_array_equal(rg.grad(loss, backend="tape")(x, False), rg.grad(loss, backend="tape")(x, True))


@pytest.mark.parametrize("size", [3, 300, 20_000])
@pytest.mark.parametrize(
    "operation",
    [
        lambda x, b: x * b,
        lambda x, b: x / b,
        lambda x, b: np.where(b > 0.5, x, 2.0) * b[::-1],
        lambda x, b: np.maximum(x, b),
        lambda x, b: x[b.astype(int)],
    ],
)
def test_a_plain_array_that_is_written_before_the_gradient(operation: Any, size: int) -> None:
    """It gives the gradient of what was computed, or an error: never the gradient of something else."""
    x = np.linspace(1.0, 2.0, size)
    b = np.linspace(0.1, 1.0, size)

    def loss(x: Any, written: bool) -> Any:
        mine = b.copy()
        y = np.sum(np.sin(operation(x, mine)))
        if written:
            mine[:] = 7.0
        return y

    expected = rg.grad(loss, backend="tape")(x, False)
    with contextlib.suppress(UsageError):
        np.testing.assert_array_equal(rg.grad(loss, backend="tape")(x, True), expected)


def test_a_written_operand_is_named() -> None:
    def loss(x: Any) -> Any:
        mask = np.ones(50)
        y = x * mask
        mask[:] = 0.0
        return np.sum(y)

    with pytest.raises(UsageError, match=r"plain array \(float64 of shape \(50,\)\).*hand the operation a copy"):
        rg.grad(loss, backend="tape")(np.ones(50))


@pytest.mark.parametrize("size", [20, 300, 5000])
def test_a_buffer_that_is_written_under_a_budget(size: int) -> None:
    x = np.linspace(0.0, 1.0, size)

    def loss(x: Any, fresh: bool) -> Any:
        buffer = np.empty(size)
        for turn in range(40):
            buffer = np.empty(size) if fresh else buffer
            buffer[:] = turn
            x = np.sin(x + buffer)
        return np.sum(x)

    expected = rg.grad(loss, backend="tape")(x, True)
    for budget in (1_000_000, 55_000 + 30 * size):
        try:
            found = rg.grad(loss, budget=budget, backend="tape")(x, False)
        except (UsageError, BudgetError):
            continue
        np.testing.assert_array_equal(found, expected)
