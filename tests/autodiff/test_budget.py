"""The tape under a budget: its peak, its bits, how much it recomputes, and what it says where there is no room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import BudgetError, UsageError
from retrograde.planning.loops.binomial import forward_steps
from retrograde.runtime import EventLog, measure_python

STEPS, SIZE = 1000, 10_000
X = np.linspace(0.1, 1.0, SIZE)
HEURISTICS = ("auto", "dtr", "dtr_local", "lru", "largest", "random")


def _chain(x: Any, steps: int = STEPS) -> Any:
    for _ in range(steps):
        x = np.tanh(x)
    return np.sum(x)


def _on_a_tape(function: Any, *arrays: Any, **options: Any) -> tuple[Any, rg.GradientTape]:
    with rg.GradientTape(**options) as tape:
        watched = tape.watch(arrays)
        out = function(*watched)
    return tape.gradient(out, watched), tape


# Programs with something in them that is hard to drop.


ROWS = 800


def _perceptron(w: Any, v: Any, b: Any) -> Any:
    x = np.linspace(-1.0, 1.0, 30 * ROWS).reshape(ROWS, 30)
    for _ in range(6):
        x = np.tanh(x @ w + b) + x
        x = np.where(x > 0.3, x, 0.1 * x)
    return np.sum((x @ v) * (x @ v)) / x.size


def _relaxation(u: Any, rate: Any) -> Any:
    energy = 0.0
    for _ in range(8):
        u = u * 1.0
        u[1:-1] += rate * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        u[0] = u[-1] * 0.5
        energy = energy + np.sum(u * u)
    return energy


def _hourglass(x: Any) -> Any:
    down = []
    for _ in range(5):
        x = np.sin(x)
        down.append(x)
    for skipped in reversed(down):
        x = np.tanh(x + skipped)
    return np.sum(x * x)


def _views_and_indices(x: Any) -> Any:
    total = 0.0
    for turn in range(8):
        x = np.sin(x)
        rows = x.reshape(20, -1).T
        picked = rows[[3, 1, 1, turn], :]
        total = total + np.sum(np.transpose(picked) @ picked) + np.sum(x[x > 0.4]) + x[turn] * x[-1]
        x = np.concatenate([x[5:], np.exp(-x[:5])])
    return total


def _complex(x: Any) -> Any:
    z = x + 1j * np.cos(x)
    for _ in range(8):
        z = z * np.exp(1j * z.real) / (1.0 + z * np.conjugate(z))
    return np.sum(z.real * z.imag)


_RANDOM = np.random.default_rng(0)
PROGRAMS = [
    pytest.param(_perceptron, tuple(_RANDOM.standard_normal(shape) for shape in ((30, 30), (30, 2), 30)), id="layers"),
    pytest.param(_relaxation, (_RANDOM.standard_normal(4000), np.float64(0.2)), id="writes in place"),
    pytest.param(_hourglass, (_RANDOM.standard_normal(4000),), id="skips"),
    pytest.param(_views_and_indices, (_RANDOM.random(4000),), id="views and indices"),
    pytest.param(_complex, (_RANDOM.standard_normal(4000),), id="complex"),
]


def _smallest_budget(function: Any, arrays: tuple[Any, ...], strategy: str) -> int:
    """The smallest budget that works, found by asking for what the refusals name."""
    budget = 1000
    for _ in range(200):
        try:
            _on_a_tape(function, *arrays, budget=budget, strategy=strategy)
        except BudgetError as error:
            refused = error
        else:
            return budget
        assert refused.budget_bytes == budget
        assert refused.bound_bytes <= refused.minimum_bytes
        assert refused.minimum_bytes > budget
        budget = refused.minimum_bytes
    raise AssertionError("the refusals lead nowhere")


@pytest.mark.parametrize("strategy", HEURISTICS)
@pytest.mark.parametrize(("function", "arrays"), PROGRAMS)
def test_gradients_are_the_same_to_the_bit_inside_any_budget(function: Any, arrays: Any, strategy: str) -> None:
    expected, _ = _on_a_tape(function, *arrays)
    _, stored = _on_a_tape(function, *arrays, budget=1 << 40, strategy="store_all")
    most = stored.memory.peak_bytes
    smallest = _smallest_budget(function, arrays, strategy)
    assert smallest < 0.7 * most
    for part in (0.0, 0.3):
        budget = int(smallest + part * (most - smallest))
        found, tape = _on_a_tape(function, *arrays, budget=budget, strategy=strategy)
        assert tape.memory.peak_bytes <= budget
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("strategy", ["sqrt", "recompute_all"])
@pytest.mark.parametrize(("function", "arrays"), PROGRAMS)
def test_gradients_are_the_same_to_the_bit_under_fixed_strategies(function: Any, arrays: Any, strategy: str) -> None:
    expected, _ = _on_a_tape(function, *arrays)
    found, tape = _on_a_tape(function, *arrays, strategy=strategy)
    assert tape.memory.budget_bytes is None
    assert tape.memory.recomputations > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("function", "arrays"), PROGRAMS)
def test_the_measured_peak_is_inside_the_budget(function: Any, arrays: Any) -> None:
    larger = tuple(np.tile(x, 8) if np.shape(x) == (4000,) else x for x in arrays)
    budget = _smallest_budget(function, larger, "auto")
    measured = measure_python(lambda: _on_a_tape(function, *larger, budget=budget)).peak_bytes
    assert measured <= budget


def test_a_chain_in_a_twentieth_of_the_memory() -> None:
    """At most 2 x the evaluations of the best schedule that knows the length beforehand."""
    budget = STEPS * X.nbytes // 20
    expected, _ = _on_a_tape(_chain, X)
    found, tape = _on_a_tape(_chain, X, budget=budget)
    np.testing.assert_array_equal(found[0], expected[0])
    memory = tape.memory
    # The value at the start is not counted, and the cotangent takes one place of the fifty.
    optimum = forward_steps(STEPS + 1, 50)
    assert memory.peak_bytes <= budget
    # The records of a thousand operations take 15 of the places.
    assert STEPS + memory.recomputations <= 1.3 * optimum
    measured = measure_python(lambda: _on_a_tape(_chain, X, budget=budget)).peak_bytes
    assert measured <= budget


def test_a_chain_does_not_take_a_quadratic_number_of_steps_in_few_places() -> None:
    found, tape = _on_a_tape(lambda x: _chain(x, 500), X, budget=24 * X.nbytes)
    np.testing.assert_array_equal(found[0], _on_a_tape(lambda x: _chain(x, 500), X)[0][0])
    assert tape.memory.recomputations < 2 * forward_steps(501, 12)


def test_more_room_means_no_more_recomputation() -> None:
    counts = [
        _on_a_tape(lambda x: _chain(x, 200), X, budget=places * X.nbytes)[1].memory.recomputations
        for places in (10, 20, 40, 80, 160, 210)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


def test_intermediate_values_that_nobody_reads_are_kept_where_something_depends_on_them() -> None:
    """Without them, each step of this chain could only be computed again from the start."""

    def drift(x: Any, k: Any) -> Any:
        total = 0.0
        for _ in range(200):
            x = x + 0.1 * np.exp(-k)
            total = total + np.sum(np.sin(x))
        return total

    k = X[::-1].copy()
    expected, _ = _on_a_tape(drift, X, k)
    found, tape = _on_a_tape(drift, X, k, budget=40 * X.nbytes)
    np.testing.assert_array_equal(found, expected)
    assert tape.memory.recomputations < 3 * 600


# Strategies.


def test_store_all_recomputes_nothing_and_drops_what_nobody_reads() -> None:
    def loss(x: Any) -> Any:
        for _ in range(20):
            x = np.sin(x + 1.0)
        return np.sum(x)

    _, tape = _on_a_tape(loss, X, budget="10 MB", strategy="store_all")
    assert tape.memory.recomputations == tape.memory.drops == 0
    assert tape.memory.peak_bytes <= 26 * X.nbytes
    with pytest.raises(BudgetError):
        _on_a_tape(loss, X, budget=10 * X.nbytes, strategy="store_all")


def test_sqrt_keeps_the_square_root_and_runs_the_chain_twice() -> None:
    _, tape = _on_a_tape(_chain, X, strategy="sqrt")
    assert 940 <= tape.memory.recomputations <= 1000
    assert tape.memory.peak_bytes <= 110 * X.nbytes


def test_recompute_all_keeps_nothing_of_the_recording() -> None:
    with rg.GradientTape(strategy="recompute_all") as tape:
        x = tape.watch(X)
        loss = _chain(x, 100)
        assert tape.memory.peak_bytes < 12 * X.nbytes
    tape.gradient(loss, x)
    assert 90 <= tape.memory.recomputations <= 100


def test_the_same_program_is_always_treated_the_same() -> None:
    reports = [
        {_on_a_tape(lambda x: _chain(x, 100), X, budget=15 * X.nbytes, strategy=name)[1].memory for _ in range(2)}
        for name in HEURISTICS
    ]
    assert [len(found) for found in reports] == [1] * len(HEURISTICS)


# What counts.


def test_arguments_do_not_count_and_other_arrays_do() -> None:
    big = np.ones(50_000)

    def loss(x: Any, constant: Any) -> Any:
        return np.sum(x * constant)

    budget = 4 * big.nbytes
    rg.grad(loss, budget=budget)(big, big + 1.0)
    with pytest.raises(BudgetError):
        rg.grad(lambda x: sum(np.sum(x * (big + turn)) for turn in range(5)), budget=budget)(big)


def test_a_part_of_a_large_array_counts_as_a_part() -> None:
    data = np.ones((1000, 100))
    rg.grad(lambda w: sum(np.sum(data[at : at + 10] * w) for at in range(0, 100, 10)), budget=200_000)(np.ones(100))


def test_gradients_count() -> None:
    """Of many large sources, the gradients alone are more than there is room for."""
    arrays = [np.full(SIZE, float(at)) for at in range(20)]
    with pytest.raises(BudgetError):
        rg.grad(lambda xs: np.sum(sum(x * x for x in xs)), budget=15 * X.nbytes)(arrays)


def test_gradients_are_arrays_of_their_own() -> None:
    (g,), _ = _on_a_tape(lambda x: np.sum(x), X, budget="1 MB")
    assert (type(g), g.flags.owndata, g.flags.writeable) == (np.ndarray, True, True)
    cotangent = np.ones(SIZE)
    with rg.GradientTape(budget="1 MB") as tape:
        x = tape.watch(X)
        y = x + 1.0
    found = tape.gradient([y, x], [x, y], [cotangent, cotangent])
    found[0][:] = 7.0
    assert cotangent[0] == 1.0
    assert found[1][0] != 7.0


def test_arrays_go_when_nobody_needs_them() -> None:
    log = EventLog()
    with rg.GradientTape(budget="10 MB", events=log) as tape:
        x = tape.watch(X)
        y = np.sum(np.sin(np.sin(x)))
    del y
    with tape.stop_recording():
        np.sin(x)
    assert log.events[-1].live_bytes <= 2 * X.nbytes


# Errors.


def test_no_room_for_an_operation() -> None:
    with pytest.raises(BudgetError, match=r"came to the operation multiply, whose results take .* Raise") as caught:
        _on_a_tape(lambda x: np.sum(np.sin(x) * np.cos(x)), X, budget=190_000)
    assert 3 * X.nbytes < caught.value.bound_bytes <= caught.value.minimum_bytes < 3.3 * X.nbytes
    assert f"({caught.value.minimum_bytes} bytes) are enough" in str(caught.value)


def test_no_room_in_the_backward_pass_leaves_other_tapes_alone() -> None:
    with rg.GradientTape(budget=int(2.5 * X.nbytes)) as tape:
        x = tape.watch(X)
        y = np.sum(np.tanh(np.tanh(x)))
    with pytest.raises(BudgetError):
        tape.gradient(y, x)
    np.testing.assert_array_equal(rg.grad(np.sum)(X), np.ones(SIZE))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "40%"}, r"a budget of 40% was given, .* give bytes"),
        ({"budget": rg.Budget("40%")}, "a tape does not know that beforehand"),
        ({"budget": "much"}, "is not understood"),
        ({"budget": 0}, "not above 0"),
        ({"budget": 100, "strategy": "optimal"}, "has to know the whole computation.* a tape has auto, store_all"),
        ({"budget": 100, "strategy": "bset"}, "'bset' was asked for, which is none that is known"),
        ({"strategy": "dtr"}, "drops where a budget asks for it; give one"),
    ],
)
def test_budgets_and_strategies_that_a_tape_does_not_have(options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rg.GradientTape(**options)
    with pytest.raises(UsageError, match=message):
        rg.grad(np.sum, **options)(X)


def test_a_budget_inside_of_another_tape_is_refused() -> None:
    inner = rg.grad(lambda x: np.sum(np.sin(x)), budget="1 MB")
    with pytest.raises(UsageError, match="give the budget to the outermost tape"):
        rg.grad(lambda x: np.sum(inner(x)))(X)


@pytest.mark.parametrize("budget", [400_000, "400 KB", np.int64(400_000), rg.Budget("400 KB")])
def test_budgets_as_people_write_them(budget: Any) -> None:
    _, tape = _on_a_tape(np.sum, X, budget=budget)
    assert tape.memory.budget_bytes == 400_000


def test_a_tape_without_a_budget_has_no_report() -> None:
    assert rg.GradientTape().memory is None


# What surrounds the tape.


def test_derivatives_of_derivatives() -> None:
    def energy(x: Any) -> Any:
        return np.sum(np.sin(x) * np.tanh(x * x))

    x = X[:1000]
    expected = rg.grad(lambda x: np.sum(rg.grad(energy)(x) * x))(x)
    found = rg.grad(lambda x: np.sum(rg.grad(energy)(x) * x), budget=30 * x.nbytes)(x)
    np.testing.assert_array_equal(found, expected)
    forward = rg.jvp(rg.grad(energy, budget=30 * x.nbytes), (x,), (x,))
    np.testing.assert_array_equal(forward[1], rg.hvp(energy, (x,), (x,))[0])
    assert type(forward[1]) is np.ndarray


def test_a_pullback_inside_a_budget_can_be_called_again() -> None:
    expected, pullback = rg.vjp(lambda x: (np.sin(np.sin(x)), x > 0.5))(X)
    found, budgeted = rg.vjp(lambda x: (np.sin(np.sin(x)), x > 0.5), budget=8 * X.nbytes)(X)
    assert [type(part) for part in found] == [np.ndarray, np.ndarray]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    for scale in (1.0, 2.0):
        cotangents = (np.full(SIZE, scale), np.zeros(SIZE, bool))
        np.testing.assert_array_equal(budgeted(cotangents)[0], pullback(cotangents)[0])


def test_checkpoints_on_a_tape_with_a_budget_are_the_function() -> None:
    calls = []

    @rg.checkpoint
    def layer(x: Any) -> Any:
        calls.append(None)
        return np.tanh(x * x)

    found = rg.grad(lambda x: np.sum(layer(layer(x))), budget="2 MB")(X)
    assert len(calls) == 2
    np.testing.assert_array_equal(found, rg.grad(lambda x: np.sum(layer(layer(x))))(X))


def test_two_tapes_with_budgets_read_each_others_arrays() -> None:
    with rg.GradientTape(budget="4 MB") as one:
        x = one.watch(X)
        y = np.sin(x)
        with rg.GradientTape(budget="4 MB") as other:
            z = other.watch(X)
            product = np.sum(rg.stop_gradient(y) * z)
        inner = other.gradient(product, z)
    np.testing.assert_array_equal(inner, np.sin(X))
    np.testing.assert_array_equal(one.gradient(y, x, np.ones(SIZE)), np.cos(X))


def test_an_exception_of_the_caller_leaves_the_tape_usable() -> None:
    with rg.GradientTape(budget="1 MB") as tape:
        x = tape.watch(X)
        with pytest.raises(ValueError, match="broadcast"):
            np.sin(x) + np.ones(3)
        y = np.sum(np.sin(x))
    np.testing.assert_array_equal(tape.gradient(y, x), np.cos(X))


# Values as code sees them.


def test_values_without_derivative_behave_as_arrays() -> None:
    with rg.GradientTape(budget="1 MB") as tape:
        x = tape.watch(np.linspace(-1.0, 1.0, 100))
        mask: Any = x > 0.0
        assert (mask.shape, mask.dtype, len(mask), mask.sum(), int(mask.sum())) == ((100,), np.bool, 100, 50, 50)
        assert np.asarray(mask).tolist() == (np.linspace(-1.0, 1.0, 100) > 0.0).tolist()
        assert np.flatnonzero(mask)[0] == 50
        assert np.arange(100)[mask][0] == 50
        assert np.count_nonzero(~mask) == np.count_nonzero(mask ^ True) == 50
        assert np.count_nonzero(False | mask & mask) == np.count_nonzero(True & mask) == 50
        assert np.logical_and.reduce(mask[50:])
        assert not bool(mask[0])
        assert mask.nbytes == 100
        assert repr(mask).startswith("array([False")
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = mask.nothing
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(mask)[0] = True
        mask[0] = True
        assert mask.sum() == 51
        value = rg.stop_gradient(x)
        assert float(value[0]) == -1.0
        assert complex(value[0]) == -1.0
        assert np.linalg.norm(value) > 0.0
        assert (x[0] < 0.0) is np.True_
        assert range(3)[rg.stop_gradient(x).astype(int)[-1]] == 1
    assert tape.memory is not None


# What reports can show.


def test_events_tell_what_was_computed_and_dropped() -> None:
    log = EventLog()
    budget = 8 * X.nbytes
    _, tape = _on_a_tape(lambda x: _chain(x, 20), X, budget=budget, events=log)
    computed = [event for event in log if event.action == "compute"]
    dropped = [event for event in log if event.action == "free"]
    assert len(computed) == tape.memory.operations
    assert len(dropped) == tape.memory.drops > 0
    runs = [event.target for event in computed if event.operation == "tanh"]
    assert len(runs) - len(set(runs)) == tape.memory.recomputations
    assert {event.segment for event in log} == {0, 1}
    assert log.peak_bytes <= tape.memory.peak_bytes <= budget
    assert {event.target for event in dropped} <= set(runs)
