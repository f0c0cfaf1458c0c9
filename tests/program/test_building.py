"""Programs built by hand: their text, the types they are given, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde.rules  # noqa: F401  (declares the primitives)
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import (
    PRIMITIVES,
    Block,
    Branch,
    Loop,
    Place,
    Primitive,
    ProgramBuilder,
    Size,
    StackType,
    Symbol,
    array_type,
    type_of,
)
from retrograde.program.check import check
from retrograde.program.clone import clone
from retrograde.program.types import broadcast_extents


def test_the_text_of_a_program() -> None:
    builder = ProgramBuilder("relax")
    u, table = builder.input("u", "float64", ("n",)), builder.input("table", "float32", ("n", 3))

    def step(i: Any, u: Any) -> Any:
        u = u.copy()
        u[1:-1] = (u[2:] + u[:-2]) / 2.0
        return builder.branch(u[i] < 0.0, lambda: -u, lambda: u * 2.0)

    u = builder.loop(builder.input("steps", "int64"), step, u)
    program = builder.finish(
        u=u, row=table[0, ::-1], same=np.where(u > 0.0, u, 1.0), known=np.array([1.0, 2.0]) * u[:, None]
    )
    assert str(program) == "\n".join(
        [
            "program relax(u: float64[n], table: float32[n, 3], steps: int64):",
            "    o: float64[n] = for i in range(steps) with a = u:",
            "        b: float64[n] = positive(a)",
            "        c: float64[n-2] = b[2:]",
            "        d: float64[n-2] = b[:-2]",
            "        e: float64[n-2] = c + d",
            "        f: float64[n-2] = e / 2.0",
            "        g: float64[n] = update b[1:-1] = f",
            "        h: float64 = g[i]",
            "        j: bool = h < 0.0",
            "        m: float64[n] = if j:",
            "            k: float64[n] = negative(g)",
            "            give k",
            "        else:",
            "            l: float64[n] = g * 2.0",
            "            give l",
            "        next m",
            "    p: float32[3] = table[0, ::-1]",
            "    q: bool[n] = o > 0.0",
            "    r: float64[n] = where(q, o, 1.0)",
            "    s: float64[n, 1] = o[:, None]",
            "    t: float64[n, 2] = <float64 of shape (2,)> * s",
            "    return u=o, row=p, same=r, known=t",
        ]
    )


@pytest.mark.parametrize(
    ("index", "sizes"),
    [
        ((slice(1, -1),), "n-2, 4"),
        ((slice(None), slice(1, 3)), "n, 2"),
        ((slice(None, None, -1), Ellipsis, None), "n, 4, 1"),
        ((slice(0, 5),), "?, 4"),
        ((0,), "4"),
        ((np.array([[0, 1]]), slice(None)), "1, 2, 4"),
        ((slice(None), np.array([0, 1, 2])), "n, 3"),
        ((np.array([0, 1]), None, np.array([0, 1])), "2, 1"),
    ],
)
def test_the_sizes_of_a_part(index: Any, sizes: str) -> None:
    symbol = ProgramBuilder("parts").input("x", "float64", ("n", 4))[index]
    assert str(symbol.variable.type) == f"float64[{sizes}]"


def test_sizes_are_followed_and_python_numbers_are_weak() -> None:
    builder = ProgramBuilder("types")
    x, y = builder.input("x", "float32", ("n", 1)), builder.input("y", "float32", ("m",))
    assert str((x * 2.0 + y).variable.type) == "float32[n, m]"
    assert str((x + 1j).variable.type) == "complex64[n, 1]"
    assert str((x * np.float64(2.0)).variable.type) == "float64[n, 1]"
    assert str((x + builder.input("z", "float32", ("k", 1))).variable.type) == "float32[?, 1]"
    assert str(np.sum(x, axis=1, keepdims=True).variable.type) == "float32[n, 1]"
    assert str((x.T @ x).variable.type) == "float32[1, 1]"
    assert str(np.reshape(x, (-1,)).variable.type) == "float32[n]"
    assert str(np.broadcast_to(x, (x.shape[0], 5)).variable.type) == "float32[n, 5]"
    assert str(np.zeros_like(x).variable.type) == "float32[n, 1]"
    assert (x.ndim, x.dtype, x.shape[1], len(y[:3][:, None].shape)) == (2, np.float32, 1, 2)
    assert type_of(2.0) == array_type("float64")
    assert str(StackType(array_type("int64", (Size("n", -1),)))) == "stack of int64[n-1]"


def test_a_size_is_read_once() -> None:
    builder = ProgramBuilder("sizes")
    x = builder.input("x", "float64", ("n",))
    program = builder.finish(count=x.size, mean=np.sum(x) / x.shape[0], less=x[1:].shape[0])
    assert [str(value) for value in program(np.array([1.0, 3.0]))] == ["2", "2.0", "1"]
    assert sum(statement.primitive.name == "size" for statement in program.block.statements) == 2  # type: ignore[union-attr]


def test_a_carried_value_of_changing_size_is_widened() -> None:
    builder = ProgramBuilder("growing")
    x = builder.input("x", "float64", ("n",))
    shorter = builder.loop(2, lambda i, x: x[1:] * 2.0, x)
    program = builder.finish(shorter=shorter)
    assert str(shorter.variable.type) == "float64[?]"
    np.testing.assert_array_equal(program(np.array([1.0, 2.0, 3.0]))[0], [12.0])


def test_a_carried_value_keeps_dtype_and_rank() -> None:
    builder = ProgramBuilder("changing")
    x = builder.input("x", "float64", ("n",))
    with pytest.raises(
        UsageError, match=r"gave complex128\[n\] where float64\[n\] is expected.*keeps its dtype and rank"
    ):
        builder.loop(2, lambda i, x: x * 1j, x)
    with pytest.raises(UsageError, match="gave 1 values where 2 are expected"):
        builder.loop(2, lambda i, x, y: x, x, x)
    with pytest.raises(UsageError, match=r"gave float64 where float64\[n\] is expected"):
        builder.branch(True, lambda: x, lambda: 1.0)


def test_a_value_of_a_body_used_outside() -> None:
    builder = ProgramBuilder("leaking")
    x = builder.input("x", "float64")
    inside: list[Symbol] = []

    def body(i: Any, x: Any) -> Any:
        inside.append(x * 2.0)
        return inside[-1]

    builder.loop(2, body, x)
    with pytest.raises(UsageError, match=r"uses b: float64 where it is not set.*returned from it"):
        builder.finish(out=inside[0])


def test_a_stack_is_no_array() -> None:
    builder = ProgramBuilder("stacks")
    stack = Symbol(builder, builder.variable(StackType(array_type("float64"))))
    with pytest.raises(UsageError, match="was used as an array; a stack can only be consumed by a loop"):
        _ = stack.dtype
    with pytest.raises(UsageError, match=r"shape of .* was asked for; a stack has none"):
        _ = stack.shape


def test_a_program_that_makes_no_sense() -> None:
    builder = ProgramBuilder("twice")
    x = builder.input("x", "float64")
    y = x * 2.0
    program = builder.finish(out=y)
    program.block.statements.append(program.block.statements[0])
    with pytest.raises(UsageError, match=r"program twice sets a: float64 twice"):
        check(program)
    program.block.statements[:] = [Branch(True, Block(), Block([], [], [1.0]), [y.variable])]
    with pytest.raises(UsageError, match=r"sets \[a: float64\], and gives \[0, 1\] values"):
        check(program)


def test_symbols_of_two_programs() -> None:
    x, y = ProgramBuilder("one").input("x", "float64"), ProgramBuilder("other").input("y", "float64")
    with pytest.raises(UsageError, match="belongs to program other, and was used in one"):
        _ = x + y


def test_the_truth_of_a_symbol() -> None:
    x = ProgramBuilder("deciding").input("x", "float64")
    with pytest.raises(UnsupportedError, match=r"only the run knows it; use np.where, or the builder's branch"):
        assert x > 0.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[0, 0, 0], "3 indices were given for an array of 2 axes"),
        (lambda x: x["row"], "an index by str was asked for in a program; use ints, slices, ..., None, integer"),
        (lambda x: x[True], "an index by bool was asked for in a program"),
        (lambda x: x[np.array([0.5])], "an index by an array of float64 was asked for in a program"),
        (lambda x: x + np.ones(5), r"axes of sizes \[4, 5\] cannot be broadcast together"),
        (lambda x: x @ np.ones((5, 2)), "the axes summed over have sizes 4 and 5"),
        (lambda x: np.packbits(x), r"numpy\.packbits has no derivative rule, and an operand is a Symbol"),
    ],
)
def test_what_a_program_refuses(function: Any, message: str) -> None:
    x = ProgramBuilder("refusing").input("x", "float64", ("n", 4))
    with pytest.raises((UsageError, UnsupportedError), match=message):
        function(x)


def test_inputs_that_cannot_be() -> None:
    builder = ProgramBuilder("inputs")
    builder.input("x", "float64")
    with pytest.raises(UsageError, match="has an input 'x' already; give this one another name"):
        builder.input("x", "float64")
    with pytest.raises(UsageError, match="a size of -1 was asked for"):
        builder.input("y", "float64", (-1,))


def test_a_primitive_that_is_declared_wrongly() -> None:
    def like(x: Any) -> Any:
        return x

    with pytest.raises(UsageError, match="a primitive named 'add' is already declared"):
        Primitive("add", like, ("x",), result=like)
    with pytest.raises(UsageError, match=r"reverse rules for \['x'\] and forward rules for \[\]; declare both"):
        Primitive("half", like, ("x",), result=like, reverse={"x": lambda g: g})
    with pytest.raises(UsageError, match=r"for 'x' reads \['z'\]; it can read \['out', 'x', 'x_shape'\]"):
        Primitive("half", like, ("x",), result=like, reverse={"x": lambda g, z: g * z}, linear=("x",))
    assert "half" not in PRIMITIVES
    assert repr(PRIMITIVES["sum"]) == "<primitive sum(x, axis, keepdims)>"


def test_broadcasting_of_sizes() -> None:
    n = Size("n")
    assert broadcast_extents((n, 1), (3,), ()) == (n, 3)
    assert broadcast_extents((n,), (None,)) == (None,)
    assert broadcast_extents((1,), (1,)) == (1,)


def test_a_primitive_that_is_not_declared() -> None:
    with pytest.raises(UsageError, match=r"no primitive 'multiplied' is declared; import retrograde\.rules"):
        _ = PRIMITIVES["multiplied"]


def test_the_text_of_a_loop_with_a_condition() -> None:
    builder = ProgramBuilder("halved")
    x, limit = builder.input("x", "float64"), builder.input("limit", "int64")
    builder.place = Place("f.py", 3, "f")
    x = builder.while_loop(lambda i, x: x > 1.0, lambda i, x: x * 0.5, x, limit=limit)
    program = builder.finish(x=x)
    assert str(program).splitlines() == [
        "program halved(x: float64, limit: int64):",
        "    h: int64, j: float64 = for i in range(limit) with a = 0, b = x:",
        "        while of i2, e, f:",
        "            g: bool = f > 1.0",
        "            give g",
        "        c: int64 = a + 1",
        "        d: float64 = b * 0.5",
        "        next c, d",
        "    return x=j",
    ]
    copied = clone(program)
    assert str(copied) == str(program)
    assert copied.block.statements[0].place == Place("f.py", 3, "f")
    assert program(12.0, 10) == (0.75,)
    assert program(12.0, 2) == (3.0,)


def test_a_loop_without_an_end_is_no_program() -> None:
    builder = ProgramBuilder("endless")
    builder.append(Loop(None, False, [], [], Block([builder.variable(array_type("int64"))]), []))
    with pytest.raises(UsageError, match="has no count and no condition"):
        builder.finish(x=1.0)
    builder = ProgramBuilder("uncounted")
    x = builder.while_loop(lambda i, x: x > 1.0, lambda i, x: x * 0.5, builder.input("x", "float64"))
    builder._root.statements[0].initial[0] = 1  # pyright: ignore
    with pytest.raises(UsageError, match="its first carried value to count the iterations from 0"):
        builder.finish(x=x)
