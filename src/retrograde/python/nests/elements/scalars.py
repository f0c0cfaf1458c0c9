"""Elementwise primitives on scalars: the template for the dtypes at hand, filled in; casts and constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.elementary import ELEMENTARY
from retrograde.python.nests.elements.templates import DOUBLES, TEMPLATES
from retrograde.python.nests.parts.model import Constant, Scalar, Spelled, Whole

_COMPILED = frozenset(
    ["float32", "float64", "complex64", "complex128", "bool"]
    + [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
)

_AS_UFUNC: Mapping[str, Any] = {
    "multiply_or_zero": np.multiply,
    "divide_or_zero": np.divide,
    "divide_chosen": np.divide,
    "divide_by_length": np.divide,
    "quiet_power": np.power,
    "log_or_zero": np.log,
    "whole_quotient": np.floor_divide,
}

_LOGICAL = {"logical_and", "logical_or", "logical_xor", "logical_not"}


def spelled(primitive: Primitive, operands: list[Scalar], weak: list[bool], static: Mapping[str, Any]) -> Scalar:
    """An elementwise primitive applied to scalars, as NumPy computes it.

    Args:
        primitive: which.
        operands: in order.
        weak: of each whether it is a Python number, which takes on the dtype of the others.
        static: the primitive's Python constants.

    Raises:
        Demoted: there is no spelling for this primitive and these dtypes.
    """
    if primitive.name in ("power", "quiet_power"):
        product = _constant_power(operands, weak)
        if product is not None:
            return product
    special = _SPECIAL.get(primitive.name)
    if special is not None:
        return special(operands, static)
    dtypes = _dtypes(primitive, operands, weak)
    if dtypes is None or primitive.name not in TEMPLATES:
        raise Demoted(f"{primitive.name} has no form for Numba")
    *inward, outward = dtypes
    if primitive.name in DOUBLES:
        inward = [np.dtype(np.float64) if dtype == np.float32 else dtype for dtype in inward]
    return _filled(primitive.name, [cast(*pair) for pair in zip(operands, inward, strict=True)], inward[0], outward)


def has_spelling(primitive: Primitive) -> bool:
    """Whether a primitive is computed element by element here."""
    return primitive.name in TEMPLATES or primitive.name in _SPECIAL


def _filled(name: str, operands: list[Scalar], inward: np.dtype[Any], outward: np.dtype[Any]) -> Scalar:
    template = TEMPLATES[name].get(inward.kind)
    if template is None or inward.name not in _COMPILED:
        raise Demoted(f"{name} of {inward} has no form for Numba")
    named = {
        "zero": constant_text(0, inward),
        "one": constant_text(1, inward),
        "radian": constant_text(np.pi / 180, inward),
        "degree": constant_text(180 / np.pi, inward),
    }
    text = template.text
    for key, value in named.items():
        text = text.replace("{" + key + "}", value)
    narrow = (inward.kind in "iu" and outward.kind in "iu" and outward.itemsize < 8) or outward.kind == "u"
    if text == "{0}" and not narrow and operands[0].dtype == outward:
        return operands[0]
    if narrow or (inward.kind == outward.kind and inward != outward):
        text = f"{dtype_text(outward)}({text})"
    return Spelled(text, tuple(operands), outward, template.cost, template.twice)


def _dtypes(primitive: Primitive, operands: list[Scalar], weak: list[bool]) -> list[np.dtype[Any]] | None:
    evaluate = _AS_UFUNC.get(primitive.name, primitive.evaluate)
    given = [operand.dtype for operand in operands]
    if primitive.name in _LOGICAL:
        return [np.dtype(bool)] * (len(operands) + 1)
    if not isinstance(evaluate, np.ufunc):
        return [*given, given[0]] if len(given) == 1 else None
    asked = [_weak_type(dtype) if soft else dtype for dtype, soft in zip(given, weak, strict=True)]
    try:
        return list(evaluate.resolve_dtypes((*asked, None)))
    except TypeError as error:
        raise Demoted(f"{primitive.name} of {', '.join(map(str, given))} is not defined") from error


def _weak_type(dtype: np.dtype[Any]) -> Any:
    return {"f": float, "c": complex, "i": int}.get(dtype.kind, dtype)


_MOST_FACTORS = 4


def _constant_power(operands: list[Scalar], weak: list[bool]) -> Scalar | None:
    """A power by a small number, which products and a square root make faster than the general function."""
    base, exponent = operands
    if not isinstance(exponent, Constant) or exponent.dtype.kind not in "if":
        return None
    dtype = base.dtype if weak[1] else np.result_type(base.dtype, exponent.dtype)
    twice = 2 * float(exponent.value)
    if base.dtype.kind == "i" and exponent.dtype.kind == "i" and exponent.value >= 0:
        return _filled_text(f"({{0}} ** {int(exponent.value)})", cast(base, dtype), 5, dtype)
    if dtype.kind != "f" or twice != int(twice) or not 0 < abs(twice) <= 2 * _MOST_FACTORS:
        return None
    whole_part, half = divmod(int(abs(twice)), 2)
    factors = ["{0}"] * whole_part + ["math.sqrt({0})"] * half
    text = f"({' * '.join(factors)})"
    if twice < 0:
        text = f"({constant_text(1, dtype)} / {text})"
    return _filled_text(text, cast(base, dtype), whole_part + 5 * half + 5 * (twice < 0), dtype)


def _filled_text(text: str, operand: Scalar, cost: int, dtype: np.dtype[Any]) -> Scalar:
    if dtype.kind == "i" and dtype.itemsize < 8:
        text = f"{dtype_text(dtype)}({text})"
    return Spelled(text, (operand,), dtype, cost, True)


HELPERS = {
    **ELEMENTARY,
    "grown": """def grown(array, needed):
    larger = np.empty((2 * needed,) + array.shape[1:], array.dtype)
    source, target = array.reshape(array.size), larger.reshape(larger.size)
    for k in range(source.size):
        target[k] = source[k]
    return larger""",
    "floor_quotient": """def floor_quotient(x, y):
    if y == 0:
        return x / y
    rest = np.fmod(x, y)
    quotient = (x - rest) / y
    if rest != 0 and (y < 0) != (rest < 0):
        quotient -= np.float32(1.0)
    if quotient == 0:
        return math.copysign(quotient, x / y)
    whole = np.floor(quotient)
    return whole + np.float32(1.0) if quotient - whole > 0.5 else whole""",
}
"""Functions that spellings call."""


# Casts and constants.


def cast(value: Scalar, dtype: np.dtype[Any]) -> Scalar:
    """A scalar in another dtype, as `astype` converts it."""
    if value.dtype == dtype:
        return value
    if dtype.name not in _COMPILED:
        raise Demoted(f"Numba does not compute in {dtype}")
    if isinstance(value, Constant):
        with np.errstate(all="ignore"):
            return Constant(np.asarray(value.value).astype(dtype)[()], dtype)
    if dtype.kind == "b":
        return Spelled(f"({{0}} != {constant_text(0, value.dtype)})", (value,), dtype, 1)
    if value.dtype.kind == "c" and dtype.kind != "c":
        real = Spelled("{0}.real", (value,), real_dtype(value.dtype), 0)
        return cast(real, dtype)
    return Spelled(f"{dtype_text(dtype)}({{0}})", (value,), dtype, 1)


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of a complex number."""
    return np.dtype(np.float32 if dtype == np.complex64 else np.float64)


def dtype_text(dtype: np.dtype[Any]) -> str:
    """How a dtype is written."""
    if dtype.name not in _COMPILED:
        raise Demoted(f"Numba does not compute in {dtype}")
    return "np.bool_" if dtype.kind == "b" else f"np.{dtype.name}"


def constant_text(value: Any, dtype: np.dtype[Any]) -> str:
    """How a number of a dtype is written, so that Numba computes in that dtype with it."""
    if dtype.kind == "b":
        return str(bool(value))
    if dtype.kind == "c":
        number = complex(value)
        text = f"complex({_float_text(number.real)}, {_float_text(number.imag)})"
        return text if dtype == np.complex128 else f"{dtype_text(dtype)}({text})"
    text = _float_text(float(value)) if dtype.kind == "f" else str(int(value))
    return text if dtype.name in ("float64", "int64") else f"{dtype_text(dtype)}({text})"


def _float_text(value: float) -> str:
    if np.isnan(value):
        return "np.nan"
    if np.isinf(value):
        return "np.inf" if value > 0 else "(-np.inf)"
    return repr(value)


# Primitives whose operands have several dtypes, or whose form depends on constants.


def _together(*operands: Scalar) -> np.dtype[Any]:
    return np.result_type(*(_as_promoted(operand) for operand in operands))


def _as_promoted(operand: Scalar) -> Any:
    return operand.value if isinstance(operand, Constant) and type(operand.value) in (int, float) else operand.dtype


def choose(condition: Scalar, one: Scalar, other: Scalar) -> Scalar:
    """One of two scalars of one dtype."""
    truth = cast(condition, np.dtype(bool))
    return Spelled("({1} if {0} else {2})", (truth, one, other), one.dtype, 1)


def _where(operands: list[Scalar], _: Mapping[str, Any]) -> Scalar:
    condition, one, other = operands
    dtype = _together(one, other)
    return choose(condition, cast(one, dtype), cast(other, dtype))


def _masked(operands: list[Scalar], _: Mapping[str, Any]) -> Scalar:
    value, condition = operands
    return choose(condition, value, Constant(0, value.dtype))


def _larger_share(operands: list[Scalar], _: Mapping[str, Any]) -> Scalar:
    share, one, other = operands
    dtype = _together(one, other)
    if share.dtype.kind not in "fc" or dtype.kind == "c":
        raise Demoted(f"larger_share of {share.dtype} has no form for Numba")
    half, zero = constant_text(0.5, share.dtype), constant_text(0, share.dtype)
    text = f"({half} * {{0}} if {{1}} == {{2}} else ({{0}} if {{1}} > {{2}} else {zero}))"
    return Spelled(text, (share, cast(one, dtype), cast(other, dtype)), share.dtype, 2, True)


def _astype(operands: list[Scalar], static: Mapping[str, Any]) -> Scalar:
    return cast(operands[0], np.dtype(static["dtype"]))


def _part(name: str) -> Callable[[list[Scalar], Mapping[str, Any]], Scalar]:
    def part(operands: list[Scalar], _: Mapping[str, Any]) -> Scalar:
        value = operands[0]
        if value.dtype.kind != "c":
            return value if name == "real" else Constant(0, value.dtype)
        return Spelled(f"{{0}}.{name}", (value,), real_dtype(value.dtype), 0)

    return part


def _absolute(operands: list[Scalar], _: Mapping[str, Any]) -> Scalar:
    value = operands[0]
    return _filled("absolute", [value], value.dtype, real_dtype(value.dtype))


def _nan_to_num(operands: list[Scalar], static: Mapping[str, Any]) -> Scalar:
    value = operands[0]
    if value.dtype.kind in "iub":
        return value
    if value.dtype.kind != "f":
        raise Demoted("nan_to_num of complex numbers has no form for Numba")
    limits = np.finfo(value.dtype)
    nan, high, low = static["nan"], static["posinf"], static["neginf"]
    high, low = limits.max if high is None else high, limits.min if low is None else low
    texts = [constant_text(number, value.dtype) for number in (nan, high, low)]
    text = "({} if {{0}} != {{0}} else ({} if {{0}} == np.inf else ({} if {{0}} == -np.inf else {{0}})))".format(*texts)
    return Spelled(text, (value,), value.dtype, 3, True)


_SPECIAL: dict[str, Callable[[list[Scalar], Mapping[str, Any]], Scalar]] = {
    "where": _where,
    "masked": _masked,
    "larger_share": _larger_share,
    "astype": _astype,
    "real": _part("real"),
    "imag": _part("imag"),
    "absolute": _absolute,
    "nan_to_num": _nan_to_num,
}


def constant_of(value: Any) -> tuple[Scalar, bool]:
    """A Python or NumPy number as a scalar, and whether it is weak: takes on the dtype of what it meets."""
    if isinstance(value, bool) or not isinstance(value, (int, float, complex)) or isinstance(value, np.generic):
        array = np.asarray(value)
        return Constant(array[()], array.dtype), False
    return Constant(value, np.asarray(value).dtype), True


def whole(value: Any) -> Whole:
    """A sum of variables as a scalar."""
    return Whole(value)
