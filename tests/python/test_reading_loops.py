"""Loops: over ranges in either direction, over arrays, with conditions, and with ways out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reading_checks import agrees, agrees_on, differentiates

from retrograde.errors import UnsupportedError
from retrograde.program import Loop, Program
from retrograde.python.reading import read


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(6)


def loops(program: Program) -> list[Loop]:
    return [statement for statement in program.block.statements if isinstance(statement, Loop)]


def decay(u, rate, steps):
    for _ in range(steps):
        u = np.tanh(rate * u)
    return u.sum()


def test_a_time_loop_is_one_loop_for_any_number_of_steps(random: Any) -> None:
    reading = agrees(decay, random.standard_normal(5), 0.9, 7)
    assert len(loops(reading.program)) == 1
    for steps, size in ((0, 5), (1, 3), (20, 2)):
        agrees_on(reading, decay, random.standard_normal(size), 0.3, steps)
    differentiates(decay, random.standard_normal(5), 0.9, 7, wrt="u")
    differentiates(decay, random.standard_normal(5), 0.9, 7, wrt="rate")


def burgers(u, c, steps):
    for _ in range(steps):
        u[1:-1] = u[1:-1] - c * u[1:-1] * (u[1:-1] - u[:-2])
        if u[0] > 0.5:
            u[0] = 0.5 * u[0]
        else:
            u[0] += 0.1
    return np.sum(u * u)


def test_a_loop_with_slices_a_branch_and_a_mutated_argument(random: Any) -> None:
    reading = agrees(burgers, random.uniform(size=9), 0.2, 4)
    assert reading.mutated == {"u": ["u"]}
    differentiates(burgers, random.uniform(size=9), 0.2, 4, wrt="u")
    differentiates(burgers, random.uniform(size=9), 0.2, 4, wrt="c", of="u")


def cholesky(A):
    for i in range(A.shape[0]):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[j, :j]
            A[i, j] /= A[j, j]
        A[i, i] -= A[i, :i] @ A[i, :i]
        A[i, i] = np.sqrt(A[i, i])


def test_triangular_loops_that_write_elements(random: Any) -> None:
    a = random.standard_normal((5, 5))
    a = a @ a.T + 5.0 * np.eye(5)
    reading = agrees(cholesky, a)
    assert [variable.name for variable in reading.program.inputs] == ["A"]
    assert reading.rebuild_return([]) is None
    differentiates(cholesky, a, wrt="A", of="A")


def backwards(x, n):
    y = np.zeros(n)
    for i in range(n - 2, -1, -1):
        y[i] = np.sin(x[i]) + 0.5 * y[i + 1]
    return y


def by_steps(x, first, last, step):
    total = 0.0
    for i in range(first, last, step):
        total = total + x[i] * i
    return total


def test_ranges_of_any_direction_and_step(random: Any) -> None:
    reading = agrees(backwards, random.standard_normal(6), 6)
    agrees_on(reading, backwards, random.standard_normal(9), 9)
    reading = agrees(by_steps, random.standard_normal(20), 3, 17, 4)
    for first, last, step in ((0, 20, 1), (5, 5, 2), (9, 2, 3), (15, 2, -3), (1, 18, 2), (19, -1, -1)):
        agrees_on(reading, by_steps, random.standard_normal(20), first, last, step)
    differentiates(by_steps, random.standard_normal(20), 3, 17, 4, wrt="x")


def over_rows(x, y):
    total = np.zeros(x.shape[1])
    for row, weight in zip(x, y, strict=True):
        total += weight * row
    for i, row in enumerate(x):
        total += i * np.sin(row)
    for row in reversed(x):
        total = total * 0.5 + row
    for at, (row, weight) in enumerate(zip(x, y, strict=False), start=2):
        total[0] += at * row[0] * weight
    return total


def test_loops_over_arrays(random: Any) -> None:
    reading = agrees(over_rows, random.standard_normal((4, 3)), random.standard_normal(4))
    assert len(loops(reading.program)) == 4
    agrees_on(reading, over_rows, random.standard_normal((6, 2)), random.standard_normal(6))
    differentiates(over_rows, random.standard_normal((4, 3)), random.standard_normal(4), wrt="x")


def newton(x, tolerance):
    while True:
        y = x * x - 2.0
        if abs(y) < tolerance:
            break
        x = x - y / (2.0 * x)
    return x


def relaxed(x, limit):
    count = 0
    while np.abs(x).max() > limit and count < 50:
        x = 0.5 * x + 0.1 * np.sin(x)
        count += 1
    return x, count


def test_while_loops(random: Any) -> None:
    reading = agrees(newton, 3.0, 1e-9)
    agrees_on(reading, newton, 50.0, 1e-6)
    differentiates(newton, 3.0, 1e-9, wrt="x")
    reading = agrees(relaxed, random.standard_normal(4), 0.1)
    agrees_on(reading, relaxed, random.standard_normal(7), 1e-12)
    differentiates(relaxed, random.standard_normal(4), 0.1, wrt="x", of="return_0")


def walrus(x, tolerance):
    while (error := np.abs(x * x - 2.0)) > tolerance:
        x = x - 0.3 * (x * x - 2.0) + 0.001 * error
    return x, error


def test_conditions_that_set_a_name() -> None:
    reading = agrees(walrus, 1.0, 1e-3)
    agrees_on(reading, walrus, 1.4142, 1e-3)
    differentiates(walrus, 1.0, 1e-3, wrt="x", of="return_0")


def guarded(x, n):
    i = 0
    while i < n and x[i] > 0.0:
        i += 1
    return i


def test_a_condition_asks_for_its_second_part_only_if_the_first_holds(random: Any) -> None:
    reading = agrees(guarded, np.abs(random.standard_normal(5)), 5)
    agrees_on(reading, guarded, np.array([1.0, -1.0, 1.0]), 3)


def with_ways_out(x, n):
    total = 0.0
    for i in range(n):
        if total > 3.0:
            return total * 2.0
        if x[i] < 0.0:
            continue
        for j in range(i):
            if x[j] > x[i]:
                break
            total += 0.1 * x[j]
        else:
            total += 0.01
        total += x[i]
    else:
        total = -total
    return total


@pytest.mark.parametrize("seed", range(8))
def test_ways_out_of_loops(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(12)
    differentiates(with_ways_out, x, 12, wrt="x")
    agrees(with_ways_out, x, 3)


def searched(x, target):
    found = -1
    for i in range(len(x)):
        if x[i] == target:
            found = i
            break
    return found


def nested_ways_out(x):
    best = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > 1.5:
                return best + x[i, j]
            if x[i, j] > 1.0:
                if j > 0:
                    best = best * 0.5
                    break
                best = best + 1.0
            best += x[i, j]
    return best


@pytest.mark.parametrize("seed", range(6))
def test_ways_out_of_nested_blocks(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((4, 5))
    differentiates(nested_ways_out, x, wrt="x")
    reading = agrees(searched, np.array([1.0, 4.0, 2.0]), 4.0)
    agrees_on(reading, searched, np.array([1.0, 4.0, 2.0]), 7.0)


def double_buffered(u, steps):
    old, new = u.copy(), np.zeros_like(u)
    for _ in range(steps):
        new[1:-1] = 0.25 * (old[:-2] + 2.0 * old[1:-1] + old[2:]) * old[1:-1]
        old, new = new, old
    return old


def test_buffers_that_change_places(random: Any) -> None:
    reading = agrees(double_buffered, random.standard_normal(7), 5)
    for steps in (0, 1, 2, 6):
        agrees_on(reading, double_buffered, random.standard_normal(8), steps)
    differentiates(double_buffered, random.standard_normal(7), 5, wrt="u")


def kinds_change(x, n):
    total, flag, power = 0, False, 1
    for i in range(n):
        total += x[i]
        flag = x[i] > 0.0
        power = power * 0.5
    return total, flag, power


def after_the_loop(x, n):
    for i in range(n):
        last = x[i] * 2.0
    return last + i


def test_numbers_that_change_their_type_and_names_that_outlive_a_loop(random: Any) -> None:
    agrees(kinds_change, random.standard_normal(4), 4)
    agrees(after_the_loop, random.standard_normal(4), 4)


def state_of_containers(x, steps):
    state = {"position": x, "history": [x, x]}
    pair = (x, 0.0)
    for i in range(steps):
        state["position"] = state["position"] + 0.1 * pair[0]
        state["history"][0], state["history"][1] = state["history"][1], np.sin(state["position"])
        pair = (pair[0] * 0.9, pair[1] + i)
    return state["position"], state["history"], pair


def test_containers_whose_items_a_loop_replaces(random: Any) -> None:
    reading = agrees(state_of_containers, random.standard_normal(3), 5)
    agrees_on(reading, state_of_containers, random.standard_normal(3), 0)
    differentiates(state_of_containers, random.standard_normal(3), 5, wrt="x", of="return_1")


def appended(x, n):
    history = []
    for i in range(n):
        x = np.sin(x) * (i + 1)
        history.append(x)
    return np.stack(history)


def joined(x, n):
    history = []
    for i in range(n):
        x = np.sin(x) * (i + 1)
        history += [x, x]
    return np.stack(history)


def layers(x, weights):
    for i in range(len(weights)):
        x = np.tanh(weights[i] @ x)
    return x


def test_a_loop_whose_body_needs_its_index_is_read_once_for_each(random: Any) -> None:
    reading = agrees(joined, random.standard_normal(3), 4)
    assert not loops(reading.program)
    assert not reading.fits((random.standard_normal(3), 5), {})
    weights = [random.standard_normal((3, 3)) for _ in range(3)]
    agrees(layers, random.standard_normal(3), weights)


def recursive(x, n):
    if n == 0:
        return x
    return np.sin(recursive(x, n - 1)) * n


def test_recursion_of_known_depth(random: Any) -> None:
    agrees(recursive, random.standard_normal(3), 5)


def unused(x, n):
    y = x
    for _ in range(n):
        y = np.exp(y)
    return x * 2.0


def test_an_empty_loop_and_one_of_one_iteration(random: Any) -> None:
    for count in (0, 1, 2):
        agrees(decay, random.standard_normal(3), 0.9, count)
    assert "exp" not in str(read(unused, (np.ones(3), 4)).program)


def accumulated(x, n):
    total, previous, largest = 0, None, -np.inf
    for i in range(n):
        total += x[i] * i
        if previous is not None:
            total = total + np.sin(previous)
        previous = x[i] * 2.0
        largest = max(largest, previous[0])
    return total, largest


def converged(x, tolerance):
    previous = None
    while previous is None or np.abs(x - previous).max() > tolerance:
        previous = x
        x = 0.5 * (x + 2.0 / x)
    return x


def test_a_first_iteration_that_differs_is_read_by_itself(random: Any) -> None:
    reading = agrees(accumulated, random.standard_normal((6, 3)), 6)
    assert len(loops(reading.program)) == 1
    agrees_on(reading, accumulated, random.standard_normal((9, 2)), 9)
    assert not reading.fits((random.standard_normal((6, 3)), 0), {})
    differentiates(accumulated, random.standard_normal((6, 3)), 6, wrt="x", of="return_0")
    reading = agrees(converged, random.uniform(1.0, 3.0, 4), 1e-6)
    agrees_on(reading, converged, random.uniform(1.0, 3.0, 7), 1e-9)


def counted(x, v):
    return sum(1 for u in x if u < v) * sum(u for u in x if u > v)


def test_sums_with_a_condition(random: Any) -> None:
    agrees(counted, random.standard_normal(50), 0.3)
    differentiates(counted, random.standard_normal(50), 0.3, wrt="x")


def both_ends(x, n):
    parts = []
    for i in range(n):
        if i % 2:
            parts.append(x[i])
        else:
            parts.insert(0, -x[i])
    return np.array(parts) @ np.arange(n)


def only_returns(x):
    i = 0
    while True:
        if i >= len(x):
            return x.sum()
        if x[i] > 1.0:
            return x[i]
        i += 1


def shared(u, n):
    v, w = u, u[1:]
    rows = [u.copy()] * 2
    for i in range(n):
        u += i
        w[0] *= 0.5
        rows[0][i] = v[0]
    return v.sum() + w.sum(), rows[1]


def counts_down(x, n):
    total = 0.0
    for i in range(n):
        n = n - 1
        i += 1
        total += x[i - 1] * n + i
    return total, n


def edited(x, rows, size):
    previous, current = np.zeros(size + 1), np.zeros(size + 1)
    for i in range(rows):
        for j in range(1, size + 1):
            current[j] = max(previous[j], current[j - 1]) + x[j - 1] * (i + 1)
        previous, current = current, previous
    return previous[-1]


def test_loops_of_many_kinds(random: Any) -> None:
    agrees(both_ends, random.standard_normal(5), 5)
    agrees(only_returns, random.standard_normal(5))
    agrees(only_returns, random.standard_normal(5) + 1.0)
    agrees(shared, random.standard_normal(4), 3)
    agrees(counts_down, random.standard_normal(6), 6)
    reading = agrees(edited, random.standard_normal(5), 4, 5)
    agrees_on(reading, edited, random.standard_normal(7), 3, 7)
    differentiates(edited, random.standard_normal(5), 4, 5, wrt="x")


def trajectory(u, dt, steps):
    history, energies = [u], []
    for t in range(1, steps):
        u = u + dt * np.sin(history[-1]) * t
        history.append(u)
        energies.append(np.sum(u * u) * len(energies))
    return np.array(history), sum(energies), history[-1], np.max(energies), len(history), np.stack(history, axis=1)


def test_lists_to_which_a_loop_appends_are_arrays(random: Any) -> None:
    reading = agrees(trajectory, random.standard_normal(3), 0.1, 6)
    assert len(loops(reading.program)) == 2
    agrees_on(reading, trajectory, random.standard_normal(4), 0.2, 9)
    differentiates(trajectory, random.standard_normal(3), 0.1, 6, wrt="u", of="return_0")
    differentiates(trajectory, random.standard_normal(3), 0.1, 6, wrt="dt", of="return_1")
    reading = agrees(appended, random.standard_normal(3), 4)
    assert len(loops(reading.program)) == 1
    agrees_on(reading, appended, random.standard_normal(2), 7)


def same_array(u, n):
    history = []
    for i in range(n):
        u += i
        history.append(u)
    return np.array(history)


def written_in_the_next_turn(u, n):
    history = [u]
    for i in range(n):
        u[0] = i
        u = u * 2.0
        history.append(u)
    u[1] = 7.0
    return np.array(history)


def written_behind(u, n):
    history = []
    for _ in range(n):
        u = u * 2.0
        history.append(u)
    u[1] = 7.0
    return np.array(history)


def copied(u, n):
    history = []
    for i in range(n):
        u += i
        history.append(u.copy())
    u[1] = 7.0
    return np.array(history)


def test_arrays_in_lists_are_those_that_are_written_later(random: Any) -> None:
    for function in (same_array, written_in_the_next_turn):
        assert not loops(agrees(function, random.standard_normal(3), 4).program)
    with pytest.raises(UnsupportedError, match="take a copy"):
        read(written_behind, (random.standard_normal(3), 4))
    assert loops(agrees(copied, random.standard_normal(3), 4).program)
