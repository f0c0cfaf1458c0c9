"""Every elementwise spelling for Numba, against NumPy's evaluation of the primitive."""

from __future__ import annotations

import warnings
from typing import Any

import numba
import numpy as np
import pytest

import retrograde.rules  # noqa: F401
from retrograde.program import PRIMITIVES
from retrograde.program.types import array_type
from retrograde.python.lowering.model import Apply, Bind, Name, Procedure
from retrograde.python.nests import nests_of
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import has_spelling

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 2.0, np.inf, -np.inf, np.nan, 1e-3, 7.25]
VALUES: dict[str, list[Any]] = {
    "float64": EDGES,
    "float32": EDGES,
    "complex128": [0j, 1 + 2j, -0.5 + 0.25j, 2 - 3j, 1j, -1.5 + 0j],
    "int64": [0, 1, -1, 2, -7, 3, 12],
    "int32": [0, 1, -1, 2, -7, 3, 12],
    "bool": [True, False],
}
STATIC: dict[str, dict[str, Any]] = {
    "astype": {"dtype": np.dtype(np.float32)},
    "nan_to_num": {"nan": 0.5, "posinf": None, "neginf": None},
}
SPELLED = sorted(name for name, primitive in PRIMITIVES.items() if has_spelling(primitive))


def run(procedure: Procedure, *arguments: Any) -> tuple[Any, ...]:
    nests = nests_of(procedure)
    module: dict[str, Any] = dict(nests.namespace)
    exec(nests.text, module)
    for name in nests.compiled:
        module[name] = numba.njit(error_model="numpy")(module[name])
    return module[nests.driver](*arguments)


def columns(dtype: str, count: int) -> list[np.ndarray[Any, Any]]:
    grid = np.meshgrid(*[np.array(VALUES[dtype], dtype)] * count, indexing="ij")
    return [part.reshape(-1) for part in grid]


def applications(dtype: str, names: list[Name]) -> list[tuple[str, Apply]]:
    found: list[tuple[str, Apply]] = []
    for name in SPELLED:
        primitive = PRIMITIVES[name]
        operands = tuple(names[: len(primitive.operands)])
        kinds = [operand.type for operand in operands]
        try:
            kind = primitive.result(*kinds, **STATIC.get(name, {}))
        except (TypeError, ValueError):
            continue
        expression = Apply(primitive, operands, STATIC.get(name, {}), kind)
        if compiles(expression, names):
            found.append((name, expression))
    return found


def compiles(expression: Apply, names: list[Name]) -> bool:
    result = Name("result", expression.type)
    try:
        nests = nests_of(Procedure("probe", names, [Bind([result], expression)], [result], ["result"]))
    except Demoted:
        return False
    return not nests.reasons


@pytest.mark.parametrize("dtype", list(VALUES))
def test_each_spelling_agrees_with_numpy(dtype: str) -> None:
    names = [Name(text, array_type(dtype, ("n",))) for text in ("x", "y", "z")]
    arrays = columns(dtype, 3)
    if len(arrays[0]) > 400:
        arrays = [array[::5].copy() for array in arrays]
    found = applications(dtype, names)
    wrong: list[str] = []
    assert len(found) > 10
    for group in (found[at : at + 12] for at in range(0, len(found), 12)):
        results = [Name(f"r_{name}", expression.type) for name, expression in group]
        binds = [Bind([result], expression) for result, (_, expression) in zip(results, group, strict=True)]
        procedure = Procedure("spelled", names, list(binds), list(results), [result.text for result in results])
        got = run(procedure, *arrays)
        for (name, expression), value in zip(group, got, strict=True):
            if not agrees(name, expression, arrays, value):
                wrong.append(name)
    assert not wrong


def agrees(name: str, expression: Apply, arrays: list[np.ndarray[Any, Any]], value: np.ndarray[Any, Any]) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        wanted = expression.primitive.evaluate(*arrays[: len(expression.operands)], **expression.static)
    assert value.dtype == expression.type.dtype, name
    wanted = np.asarray(wanted).astype(value.dtype)
    if name in ("power", "quiet_power") and value.dtype.kind == "c":
        # Where the base is 0 or the result overflows, NumPy's and Numba's complex powers say other things of no number.
        sound = np.isfinite(wanted) & (arrays[0] != 0)
        value, wanted = value[sound], wanted[sound]
    if value.dtype.kind in "fc":
        tolerance = 4 * np.finfo(value.dtype).eps
        return np.allclose(value, wanted, rtol=tolerance * 4, atol=tolerance, equal_nan=True)
    return np.array_equal(value, wanted)


def test_known_spellings_are_there() -> None:
    assert {"add", "tanh", "where", "masked", "maximum", "divide_or_zero", "astype", "square"} <= set(SPELLED)
