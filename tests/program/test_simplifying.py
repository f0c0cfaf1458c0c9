"""Simplified programs: fewer instructions, the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde.rules  # noqa: F401  (declares the primitives)
from retrograde.program import PRIMITIVES, Loop, Program, ProgramBuilder
from retrograde.program.simplify import simplify

update, add_at = PRIMITIVES["update"], PRIMITIVES["add_at"]
X, A = np.array([1.0, -2.0, 3.0, 0.5]), np.arange(16.0).reshape(4, 4)


def _built(code: Callable[..., Any]) -> Program:
    builder = ProgramBuilder("code")
    x, a = builder.input("x", "float64", ("n",)), builder.input("a", "float64", ("n", "n"))
    return builder.finish(out=code(builder, x, a))


def _lines(code: Callable[..., Any]) -> list[str]:
    """The statements of a simplified program, after a check that it computes the same."""
    program = _built(code)
    simplified = simplify(program)
    np.testing.assert_array_equal(simplified(X, A)[0], program(X, A)[0])
    return [line.strip() for line in str(simplified).splitlines()[1:-1]]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (lambda b, x, a: np.negative(-x), []),
        (lambda b, x, a: x + -(x * x), 2),
        (lambda b, x, a: (x * 1.0 - 0.0) / 1.0, []),
        (lambda b, x, a: np.broadcast_to(np.reshape(x, x.shape), x.shape), []),
        (lambda b, x, a: x.astype("float64"), []),
        (lambda b, x, a: update(x, 1, x[1]), []),
        (lambda b, x, a: update(update(x, 1, 2.0), 1, 3.0), ["c: float64[n] = update x[1] = 3.0"]),
        (lambda b, x, a: update(update(update(x, 1, 2.0), 0, 5.0), 1, 3.0), 2),
        (lambda b, x, a: update(update(x, slice(0, 2), 2.0), 1, 3.0), 2),
        (lambda b, x, a: add_at(update(x, 1, 0.0), 1, x[0]), 3),
        (lambda b, x, a: update(x, 2, x[0])[2], ["b: float64 = x[0]"]),
        (lambda b, x, a: update(update(x, 2, x[0]), 1, 9.0)[2], ["b: float64 = x[0]"]),
        (lambda b, x, a: a[1][2], ["c: float64 = a[1, 2]"]),
        (lambda b, x, a: a[:, 1][2], ["c: float64 = a[2, 1]"]),
        (lambda b, x, a: a[1:, 1][2], 2),
        (lambda b, x, a: np.einsum(",b->b", x[0], x), ["b: float64 = x[0]", "d: float64[n] = b * x"]),
        (lambda b, x, a: PRIMITIVES["multiply"](np.float64(2.0), 3.0) * x, ["b: float64[n] = 6.0 * x"]),
    ],
)
def test_detours(code: Any, expected: list[str] | int) -> None:
    lines = _lines(code)
    assert (len(lines) if isinstance(expected, int) else lines) == expected


def test_a_zero_is_not_added_where_its_sign_counts() -> None:
    """`0.0 + -0.0` is 0.0."""
    program = _built(lambda b, x, a: x + 0.0)
    assert np.signbit(simplify(program)(-np.zeros(4), A)[0]).any() == np.signbit(program(-np.zeros(4), A)[0]).any()


def test_what_is_computed_twice_is_computed_once() -> None:
    assert len(_lines(lambda b, x, a: np.sin(x) * np.sin(x))) == 2


def test_a_carried_value_that_never_changes_is_not_carried() -> None:
    program = simplify(_built(lambda b, x, a: b.loop(3, lambda i, x, y: (x * y, y), x, x * 2.0)[0]))
    assert [len(statement.initial) for statement in program.block.statements if isinstance(statement, Loop)] == [1]


def test_arithmetic_of_indices_leaves_the_loop() -> None:
    def code(b: Any, x: Any, a: Any) -> Any:
        n = x.shape[0]
        return b.loop(2, lambda i, x: b.loop(n - 2, lambda j, x: update(x, j + 1, x[n - 1 - i] * x[j]), x), x)

    lines = _lines(code)
    inner = next(
        at for at, line in enumerate(lines) if "with f" in line or "range(d" in line or line.startswith("next")
    )
    assert not any("- i:" in line for line in lines[inner:])


def test_constants_in_branches_stay_there() -> None:
    """Arithmetic without variables is not moved out of a side that may not run."""

    def code(b: Any, x: Any, a: Any) -> Any:
        def written() -> Any:
            y = update(x, 0, 0.25)
            return y, y[0] * 0.5

        y, s = b.branch(x[0] < 0.0, lambda: (x, x[1]), written)
        return y * s

    program = _built(code)
    for x in (X, -X):
        np.testing.assert_array_equal(simplify(program)(x, A)[0], program(x, A)[0])


def test_an_element_that_a_loop_does_not_write_is_the_one_before_it() -> None:
    def code(b: Any, x: Any, a: Any) -> Any:
        x = update(x, 0, a[1, 1])
        return b.loop(x.shape[0] - 1, lambda i, x: update(x, i + 1, x[0] * x[i + 1]), x)

    assert not any("[0]" in line for line in _lines(code) if "update" not in line)


def test_a_version_that_others_read_through_another_name_is_kept() -> None:
    """What an instruction that changes nothing is replaced by has the readers of both."""

    def code(b: Any, x: Any, a: Any) -> Any:
        y = update(x, 1, a[0, 0])
        same = update(y, 2, y[2])
        return np.sum(same) + np.sum(update(same, 1, 3.0))

    _lines(code)


@pytest.mark.parametrize(
    "index", [slice(None, None, -1), (slice(None), None), (slice(None), slice(None, None, -1)), ()]
)
def test_what_is_scattered_everywhere_is_a_view(index: Any) -> None:
    scatter = PRIMITIVES["scatter"]

    def code(b: Any, x: Any, a: Any) -> Any:
        return scatter(a[index], index, a.shape) + 1.0

    assert not any("scatter" in line for line in _lines(code))


@pytest.mark.parametrize(
    ("subscripts", "shapes", "changes"),
    [
        ("abcd,de->abce", [("k", "l", 2, "n"), ("n", "m")], True),
        ("abcd,abce->de", [("k", "l", 2, "n"), ("k", "l", 2, "m")], True),
        ("de,abcd->abce", [("n", "m"), ("k", "l", 2, "n")], True),
        ("abcd,ed->eabc", [("k", "l", 2, "n"), ("m", "n")], True),
        ("abc,acd->abd", [("k", "l", "n"), ("k", "n", "m")], False),
        ("ab,cb->ca", [("k", "n"), ("m", "n")], False),
        ("abc,abd->cd", [("k", None, "n"), ("k", "l", "m")], True),
    ],
)
def test_contractions_become_products_of_matrices(subscripts: str, shapes: list[Any], changes: bool) -> None:
    builder = ProgramBuilder("contraction")
    inputs = [builder.input(f"x{at}", "float64", shape) for at, shape in enumerate(shapes)]
    program = builder.finish(out=PRIMITIVES["einsum"](*inputs, subscripts=subscripts))
    simplified = simplify(program, spreads=True)
    assert ("reshape" in str(simplified)) == changes
    sizes = {"k": 2, "l": 3, "n": 4, "m": 5, None: 3}
    arrays = [np.random.default_rng(3).standard_normal([sizes.get(size, size) for size in shape]) for shape in shapes]
    np.testing.assert_allclose(simplified(*arrays)[0], program(*arrays)[0], rtol=1e-13)


def test_sizes_are_followed_through_loops() -> None:
    """What is made outside of a loop and written in it has one size; what grows has none."""
    builder = ProgramBuilder("sizes")
    x, a = builder.input("x", "float64", ("n",)), builder.input("a", "float64", ("n", "n"))
    start = PRIMITIVES["broadcast_to"](0.0, (x.shape[0] - 1,))
    y = builder.loop(x.shape[0] - 1, lambda i, y: update(y, i, x[i : i + 2] @ a[i, i : i + 2]), start)
    z = builder.loop(2, lambda i, z: np.concatenate((z, z)), x)
    program = simplify(builder.finish(y=y, z=z))
    assert [str(result.type) for result in program.block.results] == ["float64[n-1]", "float64[?]"]
    assert any("float64[2]" in line for line in str(program).splitlines())
    np.testing.assert_allclose(program(X, A)[0], [X[i : i + 2] @ A[i, i : i + 2] for i in range(3)])
