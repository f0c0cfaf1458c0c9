"""Derivatives of loops inside a budget of bytes: the same bits, fewer bytes, and what is told of it."""

from __future__ import annotations

import errno
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.python import pullbacks
from retrograde.python.budget.planned import plan_program

U = np.linspace(0.1, 0.9, 5000)
STEPS = 200
STORE_ALL = STEPS * U.nbytes


def decays(u, rate, steps):
    for _ in range(steps):
        u = np.tanh(rate * u)
    return np.sum(u)


def burgers(u, speed, steps):
    for _ in range(steps):
        u[1:-1] = u[1:-1] - speed * u[1:-1] * (u[1:-1] - u[:-2])


def until(u, limit):
    while np.sum(u) > limit:
        u = np.sin(u) * u + 0.001
    return np.sum(u * u)


def peak_bytes(call: Callable[[], Any]) -> int:
    """The most that a call has allocated at once."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(params=["python", pytest.param("numba", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_bits_are_the_same_and_the_bytes_are_fewer(backend: str, share: float):
    budget = int(share * STORE_ALL)
    derivative = rg.value_and_grad(decays, ("u", "rate"), budget=budget, backend=backend)
    value, (by_u, by_rate) = derivative(U, 0.9, STEPS)
    plain, (plain_by_u, plain_by_rate) = rg.value_and_grad(decays, ("u", "rate"), backend=backend)(U, 0.9, STEPS)
    assert (value, by_rate) == (plain, plain_by_rate)
    np.testing.assert_array_equal(by_u, plain_by_u)
    assert peak_bytes(lambda: derivative(U, 0.9, STEPS)) <= budget + 20_000
    assert peak_bytes(lambda: rg.grad(decays, backend=backend)(U, 0.9, STEPS)) >= 0.95 * STORE_ALL


def test_a_pullback_inside_a_budget(backend: str):
    budget = STORE_ALL // 10

    def through(derivative: Callable[..., Any]) -> Any:
        out, pullback = derivative(U, 0.1, STEPS)
        return out, *pullback(np.cos(out))

    plain = rg.vjp(burgers, ("u", "speed"), backend=backend)
    budgeted = rg.vjp(burgers, ("u", "speed"), backend=backend, budget=budget)
    for found, expected in zip(through(budgeted), through(plain), strict=True):
        np.testing.assert_array_equal(found, expected)
    # The outputs and their cotangents are the caller's.
    assert peak_bytes(lambda: through(budgeted)) <= budget + 2 * U.nbytes + 20_000


@pytest.mark.parametrize(
    "strategy", ["store_all", "recompute_all", "sqrt", "block", "revolve", "optimal", "interval_tree"]
)
def test_every_strategy_gives_the_same_bits(strategy: str):
    found = rg.grad(decays, strategy=strategy, backend="python")(U[:10], 0.9, 120)
    np.testing.assert_array_equal(found, rg.grad(decays, backend="python")(U[:10], 0.9, 120))


def test_checkpointing_leaves_short_loops_alone():
    derivative = rg.grad(decays, checkpoint=True, backend="python")
    assert not rg.explain(derivative, U, 0.9, 99).loops
    assert rg.explain(derivative, U, 0.9, 100).loops
    assert rg.explain(rg.grad(decays, checkpoint=True, threshold=50, backend="python"), U, 0.9, 99).loops
    for steps in (0, 1, 100):
        expected = rg.grad(decays, backend="python")(U, 0.9, steps)
        np.testing.assert_array_equal(derivative(U, 0.9, steps), expected)


def test_a_loop_of_unknown_length():
    budget = 40 * U.nbytes
    derivative = rg.grad(until, budget=budget, backend="python")
    u, limit = 0.9 * U + 0.05, 20.0
    np.testing.assert_array_equal(derivative(u, limit), rg.grad(until, backend="python")(u, limit))
    assert "as many steps as it takes" in str(rg.explain(derivative, u, limit))


def test_what_is_told_of_a_budget():
    budget = STORE_ALL // 10
    found = rg.explain(rg.grad(decays, budget=budget, backend="python"), U, 0.9, STEPS)
    assert found.budget is not None
    assert found.budget.budget_bytes == budget
    assert found.budget.peak_bytes <= budget < STORE_ALL <= found.budget.store_all_bytes
    assert found.budget.overhead > 0.0
    (loop,) = found.loops
    assert "200 steps" in loop.text
    assert "a snapshot holds u" in loop.text
    assert "u" in {part.text for part in found.recomputed}
    assert "for " in str(found)
    assert "% more time" in str(found)


def test_a_budget_that_is_too_small_names_one_that_is_not():
    with pytest.raises(rg.BudgetError, match="the smallest budget that a plan in hand meets is") as caught:
        rg.grad(decays, budget=U.nbytes, backend="python")(U, 0.9, STEPS)
    least = caught.value.minimum_bytes
    found = rg.grad(decays, budget=least, backend="python")(U, 0.9, STEPS)
    np.testing.assert_array_equal(found, rg.grad(decays, backend="python")(U, 0.9, STEPS))


def converging(u, limit, steps):
    total = 0.0
    for _ in range(steps):
        root = u
        while np.max(np.abs(root * root - u)) > limit:
            root = 0.5 * (root + u / root)
        u = u + 0.1 * np.sin(root)
        total += np.sum(root)
    return total


def counted(u, counts, steps):
    total = 0.0
    for i in range(steps):
        for _ in range(counts[i]):
            u = u + 0.01 * np.sin(u) / u
        total += np.sum(u)
    return total


def in_a_branch(u, steps, wanted):
    if np.sum(u) > wanted:
        k = 0
        while k < steps + wanted:
            u = u + 0.01 * np.sin(u) / u
            k += 1
    return np.sum(u)


@pytest.mark.parametrize(
    ("f", "arguments"),
    [
        (converging, (1e-9, 30)),
        (converging, (1e-9, 1)),
        (counted, (np.arange(30) % 11, 30)),
        (in_a_branch, (100, 0.0)),
    ],
)
@pytest.mark.parametrize("share", [1.0, 3.0, 12.0])
def test_loops_of_unknown_length_inside_of_others_keep_to_a_budget(
    f: Callable[..., Any], arguments: tuple[Any, ...], share: float
):
    with pytest.raises(rg.BudgetError) as refused:
        rg.grad(f, budget=1, backend="python")(U, *arguments)
    budget = int(share * refused.value.minimum_bytes)
    derivative = rg.grad(f, budget=budget, backend="python")
    np.testing.assert_array_equal(derivative(U, *arguments), rg.grad(f, backend="python")(U, *arguments))
    assert peak_bytes(lambda: derivative(U, *arguments)) <= budget


def test_a_share_of_what_only_the_run_knows_is_asked_for_in_bytes():
    with pytest.raises(rg.BudgetError, match=r"give it in bytes: .* only the run knows how long a loop is"):
        rg.grad(until, budget="5%", backend="python")(U, 10.0)


def test_other_sizes_are_planned_anew():
    derivative = rg.grad(decays, budget="200 kB", backend="python")
    for size, steps in ((500, 100), (1000, 50), (500, 100)):
        u = U[:size].copy()
        np.testing.assert_array_equal(derivative(u, 0.9, steps), rg.grad(decays, backend="python")(u, 0.9, steps))


def test_an_argument_that_changes_before_the_pullback_is_noticed():
    u = U.copy()
    _, pullback = rg.vjp(burgers, "u", backend="python", budget=STORE_ALL // 4)(u, 0.1, STEPS)
    u[7] = 0.0
    with pytest.raises(rg.UsageError, match="u was changed between the call of burgers and that of its pullback"):
        pullback(np.ones_like(u))


def test_an_exception_in_the_middle_of_a_replay_leaves_the_arguments_alone(monkeypatch: pytest.MonkeyPatch):
    calls = 0

    def fails_late(u, a, steps):
        for _ in range(steps):
            u[:] = np.tanh(np.linalg.solve(a, u))
        return np.sum(u)

    solve = np.linalg.solve

    def counting(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 60:
            raise np.linalg.LinAlgError("no more")
        return solve(*given)

    a, u = np.eye(3) + 0.1, np.array([0.5, 0.2, 0.1])
    before = u.copy()
    derivative = rg.grad(fails_late, strategy="recompute_all", backend="python", threshold=2)
    expected = derivative(u, a, 30)
    monkeypatch.setattr(np.linalg, "solve", counting)
    with pytest.raises(np.linalg.LinAlgError, match="no more"):
        derivative(u, a, 30)
    np.testing.assert_array_equal(u, before)
    monkeypatch.undo()
    np.testing.assert_array_equal(derivative(u, a, 30), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "fastest"}, "fastest"),
        ({"budget": "8 GiBs"}, "GiBs"),
        ({"budget": -1}, "-1"),
        ({"budget": 2e5}, "a budget of 200000.0 is not understood"),
    ],
)
def test_limits_that_mean_nothing(options: dict[str, Any], message: str):
    with pytest.raises(rg.UsageError, match=message):
        rg.grad(decays, backend="python", **options)(U[:10], 0.9, 5)


def orbits(prey, predators, rates, steps):
    states = np.zeros((steps + 1, 2))
    states[0] = prey, predators
    for n in range(steps):
        x, y = states[n]
        states[n + 1] = x + 0.01 * x * (rates[0] - y), y + 0.01 * y * (x - rates[1])
    return np.sum(states[-1] ** 2)


def root(x, target):
    while np.sum((x * x - target) ** 2) > 1e-18:
        x = x - 0.05 * (x * x - target) / x
    return np.sum(x)


@pytest.mark.parametrize(
    ("function", "arguments", "budgets"),
    [
        (orbits, (1.0, 0.5, np.array([1.0, 1.1]), 200), (12_000, 24_000, 40_000, 60_000)),
        (root, (np.array([1.0, 2.0]), np.array([2.0, 3.0])), (6_000, 30_000, 60_000)),
    ],
)
def test_a_budget_of_few_bytes_is_kept_or_refused(
    function: Callable[..., Any], arguments: tuple[Any, ...], budgets: tuple[int, ...]
):
    """What Python itself takes counts as well: frames, numbers, what arrays are beside their elements."""
    met: list[int] = []
    least: list[int] = []
    for budget in budgets:
        derivative = rg.grad(function, budget=budget, backend="python")
        try:
            for _ in range(8):  # Python keeps some of what it frees for itself.
                derivative(*arguments)
        except rg.BudgetError as error:
            least.append(error.minimum_bytes)
            continue
        assert peak_bytes(lambda: derivative(*arguments)) <= budget  # noqa: B023
        met.append(budget)
    assert met
    assert least
    assert max(budgets[: len(least)]) < min(least) <= min(met)


def test_states_go_to_disk_where_memory_has_no_room_for_them(backend: str, tmp_path: Path):
    budget = 15 * U.nbytes
    expected = rg.grad(decays, backend=backend)(U, 0.9, STEPS)
    alone = rg.grad(decays, budget=budget, backend=backend)
    for disk in (tmp_path, "1 GB", rg.DiskRoom("20 MB", tmp_path)):
        derivative = rg.grad(decays, budget=budget, disk=disk, backend=backend)
        np.testing.assert_array_equal(derivative(U, 0.9, STEPS), expected)
        if backend == "python":
            assert peak_bytes(lambda: derivative(U, 0.9, STEPS)) <= budget  # noqa: B023
        ahead, without = (steps_ahead(rg.explain(each, U, 0.9, STEPS)) for each in (derivative, alone))
        assert ahead < without
    assert not list(tmp_path.iterdir())


def steps_ahead(explained: Any) -> int:
    (loop,) = explained.loops
    return int(loop.text.partition(" steps run ahead")[0].rsplit(" ", 1)[1].replace(",", ""))


def test_a_pullback_with_states_on_disk(tmp_path: Path):
    derivative = rg.vjp(burgers, "u", budget=15 * U.nbytes, disk=tmp_path, backend="python")
    out, pullback = derivative(U, 0.1, STEPS)
    plain, plain_pullback = rg.vjp(burgers, "u", backend="python")(U, 0.1, STEPS)
    np.testing.assert_array_equal(out, plain)
    for cotangent in (np.ones_like(U), U):
        np.testing.assert_array_equal(pullback(cotangent)[0], plain_pullback(cotangent)[0])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    derivative = rg.grad(decays, budget=15 * U.nbytes, disk=tmp_path, backend="python")
    u = U.copy()
    expected = derivative(u, 0.9, STEPS)
    written = 0

    def fills(write: Callable[[Any], int], content: Any) -> None:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(content)

    monkeypatch.setattr("retrograde.runtime.disk._write_all", fills)
    with pytest.raises(rg.TierError, match=f"cannot be written to {tmp_path}.*No space left.*free room there"):
        derivative(u, 0.9, STEPS)
    np.testing.assert_array_equal(u, U)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    np.testing.assert_array_equal(derivative(u, 0.9, STEPS), expected)


def bounded(u, rate, steps):
    for _ in range(steps):
        u = np.tanh(rate * u)
    assert np.sum(u) < 0.0, "the sum is positive"
    return np.sum(u)


def test_a_run_that_fails_behind_its_loop_leaves_nothing_on_disk(backend: str, tmp_path: Path):
    derivative = rg.grad(bounded, budget=15 * U.nbytes, disk=tmp_path, backend=backend)
    with pytest.raises(AssertionError, match="the sum is positive"):
        derivative(U, 0.9, STEPS)
    assert not list(tmp_path.iterdir())
    expected = rg.grad(bounded, backend=backend)(-U, 0.9, STEPS)
    np.testing.assert_array_equal(derivative(-U, 0.9, STEPS), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"disk": "a lot", "budget": "1 MB"}, "disk='a lot' is no room on disk; give the most bytes"),
        ({"disk": 3.5, "budget": "1 MB"}, "disk=3.5 is no room on disk"),
        ({"disk": "1 GB"}, "there is none; give budget="),
        ({"disk": "1 GB", "budget": "1 MB", "backend": "tape"}, "the tape keeps all it keeps in memory"),
    ],
)
def test_a_disk_that_means_nothing(options: dict[str, Any], message: str):
    with pytest.raises(rg.UsageError, match=message):
        rg.grad(decays, **{"backend": "python", **options})(U, 0.9, STEPS)


def test_a_function_that_is_left_to_the_tape_has_nothing_on_disk():
    with pytest.raises(rg.UsageError, match="the tape keeps all it keeps in memory"):
        rg.grad(lambda x: np.sum(x * x), budget="1 MB", disk="1 GB")(U)


def test_the_text_within_a_budget_is_what_runs():
    derivative = rg.grad(decays, budget=STORE_ALL // 10, backend="python")
    text = rg.source(derivative, U, 0.9, STEPS)
    assert "def decays_reversed(u, rate, steps, d_return, schedule):" in text
    assert "`schedule` says in which order steps run" in text
    assert "2 reverse, 3 snapshot" in text
    assert "for each slot" in text
    assert "# reverses line" in text
    assert "schedule" not in rg.source(rg.grad(decays, backend="python"), U, 0.9, STEPS)
    with pytest.raises(rg.BudgetError, match="too few for decays_reversed"):
        rg.source(rg.grad(decays, budget=U.nbytes, backend="python"), U, 0.9, STEPS)
    planned = plan_program(
        rg.add_backward_pass(rg.as_program(decays, U, 0.9, STEPS), ["return"], ["u"]),
        (U, 0.9, STEPS, 1.0),
        STORE_ALL // 10,
    )
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    found = namespace["decays_reversed"](U, 0.9, STEPS, 1.0, *planned.schedules)
    np.testing.assert_array_equal(found, derivative(U, 0.9, STEPS))


def test_a_pullback_with_room_for_everything_does_not_run_the_function_again(monkeypatch: pytest.MonkeyPatch):
    runs: list[str] = []
    plain_run = pullbacks.run

    def counted(found: Any, which: str, inputs: Any) -> Any:
        runs.append(which)
        return plain_run(found, which, inputs)

    monkeypatch.setattr(pullbacks, "run", counted)
    for budget, expected in (("1 GB", ["sweep", "pullback"]), (STORE_ALL // 4, ["forward", "joint"])):
        out, pullback = rg.vjp(burgers, "u", budget=budget, backend="python")(U, 0.1, STEPS)
        pullback(np.ones_like(out))
        assert runs == expected
        runs.clear()


def test_a_budget_too_small_for_a_pullback_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pullbacks, "run", lambda *given: pytest.fail("it ran"))
    with pytest.raises(rg.BudgetError, match="too few for burgers_reversed"):
        rg.vjp(burgers, "u", budget=U.nbytes, backend="python")(U, 0.1, STEPS)


def limited(u, c):
    res = np.sin(u[1:] - u[:-1])
    one = np.where(res * (u[1:] - u[:-1]) > 0, 0, res)
    res = np.cos(u[1:] - u[:-1])
    other = np.where(res * (u[1:] - u[:-1]) > 0, 0, res)
    out = np.zeros_like(c)
    out[1:-1] = u[2:-2] - c[1:-1] * (one[2:-1] - one[1:-2] + other[2:-1] - other[1:-2])
    return out


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_is_held_for_longer_than_the_plan_says(dtype: str):
    u, c = np.linspace(0.1, 0.9, 20_000).astype(dtype), np.ones(19_998, dtype)
    derivative = rg.vjp(limited, ("u", "c"), budget="100%", backend="python")
    pullback = derivative(u, c)[1]
    explained = rg.explain(derivative, u, c)
    assert explained.budget is not None
    assert peak_bytes(lambda: pullback(c)) <= explained.budget.peak_bytes
    plain = rg.vjp(limited, ("u", "c"), backend="python")(u, c)[1]
    for found, expected in zip(pullback(c), plain(c), strict=True):
        np.testing.assert_array_equal(found, expected)


def neighbours(x: Any, c: Any) -> Any:
    y = x.copy()
    for _ in range(8):
        z = np.zeros_like(y)
        z[1:-1] += y[:-2] * 0.3
        z[1:-1] += y[2:] * 0.3
        z[:-1] -= np.minimum(y[1:], 0.0) * c[:-1]
        y[1:-1] = z[1:-1] * y[1:-1]
    return np.sum(y * y * c)


def test_sums_that_begin_with_zeros_have_the_same_bits_under_each_strategy() -> None:
    random = np.random.default_rng(3)
    x, c = random.uniform(-2.0, 2.0, 200), random.standard_normal(200)
    x[::7] = c[::5] = -0.0
    plain, frugal = (
        rg.value_and_grad(neighbours, wrt=("x", "c"), backend="numba", strategy=strategy)(x, c)
        for strategy in ("store_all", "sqrt")
    )
    for one, other in zip(plain[1], frugal[1], strict=True):
        assert one.tobytes() == other.tobytes()
