"""How each elementwise primitive is spelled for one element: templates in Python for Numba.

A template is chosen by the kind of the dtype that NumPy computes in. Numba's own promotion is not NumPy's (integers
become 64 bits wide, a float32 beside a Python number becomes a float64), so operands are cast to that dtype first,
constants are typed, and narrow integers are cast back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elementary import ELEMENTARY
from retrograde.python.nests.model import Constant, Scalar, Spelled, Whole

_COMPILED = frozenset(
    ["float32", "float64", "complex64", "complex128", "bool"]
    + [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
)


@dataclass(frozen=True, slots=True)
class Template:
    """How one element is computed.

    Attributes:
        text: with `{0}` for the first operand.
        cost: roughly, in additions.
        twice: whether an operand stands in it more than once.
    """

    text: str
    cost: int = 1
    twice: bool = False


def _dear(text: str, twice: bool = False) -> Template:
    return Template(text, 20, twice)


def _same(text: str, kinds: str = "fciub", cost: int = 1) -> dict[str, Template]:
    return dict.fromkeys(kinds, Template(text, cost))


def _math(name: str, complex_name: str = "") -> dict[str, Template]:
    real = {"f": _dear(f"math.{name}({{0}})")}
    return real | ({"c": _dear(f"np.{complex_name}({{0}})")} if complex_name else {})


def _order(text: str) -> dict[str, Template]:
    return {kind: Template(text, 1) for kind in "fiub"}


def _quotients(zero: str) -> dict[str, Template]:
    """Quotients that are 0 where an operand is: of complex numbers by the ufunc, which does not raise."""
    text = "({zero} if %s == {zero} else %s)"
    return {
        "f": Template(text % (zero, "{0} / {1}"), 5, True),
        "c": Template(text % (zero, "np.true_divide({0}, {1})"), 5, True),
    }


_CHOICE = "({0} if {0} %s {1} or {0} != {0} else {1})"
_NUMBER = "({0} if {0} %s {1} or {1} != {1} else {1})"

TEMPLATES: dict[str, dict[str, Template]] = {
    "add": _same("({0} + {1})", "fciu") | {"b": Template("({0} or {1})")},
    "subtract": _same("({0} - {1})", "fciu"),
    "multiply": _same("({0} * {1})", "fciu") | {"b": Template("({0} and {1})")},
    "divide": {"f": Template("({0} / {1})", 5), "c": Template("np.true_divide({0}, {1})", 5)},
    "negative": _same("(-{0})", "fciu"),
    "positive": _same("{0}", "fciu", 0),
    "conjugate": _same("{0}", "fiu", 0) | {"c": Template("{0}.conjugate()")},
    "square": {kind: Template("({0} * {0})", 1, True) for kind in "fciu"},
    "reciprocal": {"f": Template("({one} / {0})", 5), "c": Template("np.true_divide({one}, {0})", 5)},
    "sqrt": {"f": Template("math.sqrt({0})", 5), "c": _dear("np.sqrt({0})")},
    "cbrt": {"f": _dear("np.cbrt({0})")},
    "exp": {"f": _dear("fast_exp({0})"), "c": _dear("np.exp({0})")},
    "exp2": {"f": _dear("np.exp2({0})")},
    "expm1": {"f": _dear("fast_expm1({0})")},
    "log": {"f": _dear("fast_log({0})"), "c": _dear("np.log({0})")},
    "log2": _math("log2"),
    "log10": _math("log10", "log10"),
    "log1p": {"f": _dear("fast_log1p({0})")},
    "sin": _math("sin", "sin"),
    "cos": _math("cos", "cos"),
    "tan": _math("tan", "tan"),
    "sinh": _math("sinh", "sinh"),
    "cosh": _math("cosh", "cosh"),
    "tanh": {"f": _dear("fast_tanh({0})"), "c": _dear("np.tanh({0})")},
    "arcsin": _math("asin"),
    "arccos": _math("acos"),
    "arctan": _math("atan"),
    "arcsinh": _math("asinh"),
    "arccosh": _math("acosh"),
    "arctanh": _math("atanh"),
    "arctan2": {"f": _dear("math.atan2({0}, {1})")},
    "hypot": {"f": _dear("math.hypot({0}, {1})")},
    "copysign": {"f": Template("math.copysign({0}, {1})")},
    "deg2rad": {"f": Template("({0} * {radian})")},
    "rad2deg": {"f": Template("({0} * {degree})")},
    "floor": {"f": Template("np.floor({0})"), **_same("{0}", "iub", 0)},
    "ceil": {"f": Template("np.ceil({0})"), **_same("{0}", "iub", 0)},
    "trunc": {"f": Template("np.trunc({0})"), **_same("{0}", "iub", 0)},
    "rint": {"f": Template("np.rint({0})")},
    "absolute": {
        "f": Template("abs({0})"),
        "i": Template("abs({0})"),
        "u": Template("{0}", 0),
        "c": _dear("abs({0})"),
    },
    "fabs": {"f": Template("abs({0})")},
    "sign": {
        "f": Template("({one} if {0} > {zero} else (-{one} if {0} < {zero} else {0}))", 1, True),
        "i": Template("({one} if {0} > {zero} else (-{one} if {0} < {zero} else {zero}))", 1, True),
        "u": Template("({one} if {0} > {zero} else {zero})", 1),
    },
    "heaviside": {
        "f": Template(
            "({0} if {0} != {0} else ({one} if {0} > {zero} else ({zero} if {0} < {zero} else {1})))", 2, True
        )
    },
    "maximum": {"f": Template(_CHOICE % ">=", 1, True)}
    | {kind: Template("({0} if {0} >= {1} else {1})", 1, True) for kind in "iub"},
    "minimum": {"f": Template(_CHOICE % "<=", 1, True)}
    | {kind: Template("({0} if {0} <= {1} else {1})", 1, True) for kind in "iub"},
    "fmax": {"f": Template(_NUMBER % ">=", 1, True)}
    | {kind: Template("({0} if {0} >= {1} else {1})", 1, True) for kind in "iub"},
    "fmin": {"f": Template(_NUMBER % "<=", 1, True)}
    | {kind: Template("({0} if {0} <= {1} else {1})", 1, True) for kind in "iub"},
    "power": {"f": _dear("({0} ** {1})"), "c": _dear("np.power({0}, {1})")},
    "quiet_power": {"f": _dear("({0} ** {1})"), "c": _dear("np.power({0}, {1})")},
    "floor_divide": {
        "f": _dear("floor_quotient({0}, {1})"),
        "i": _dear("({zero} if {1} == {zero} else {0} // {1})", True),
        "u": _dear("({zero} if {1} == {zero} else {0} // {1})", True),
    },
    "remainder": {
        "f": _dear("np.remainder({0}, {1})"),
        "i": _dear("({zero} if {1} == {zero} else {0} % {1})", True),
        "u": _dear("({zero} if {1} == {zero} else {0} % {1})", True),
    },
    "fmod": {"f": _dear("np.fmod({0}, {1})")},
    "logaddexp": {"f": _dear("np.logaddexp({0}, {1})")},
    "logaddexp2": {"f": _dear("np.logaddexp2({0}, {1})")},
    "less": _order("({0} < {1})"),
    "less_equal": _order("({0} <= {1})"),
    "greater": _order("({0} > {1})"),
    "greater_equal": _order("({0} >= {1})"),
    "equal": _same("({0} == {1})"),
    "not_equal": _same("({0} != {1})"),
    "isnan": {"f": Template("math.isnan({0})"), "c": Template("np.isnan({0})"), **_same("False", "iub", 0)},
    "isfinite": {"f": Template("math.isfinite({0})"), "c": Template("np.isfinite({0})"), **_same("True", "iub", 0)},
    "isinf": {"f": Template("math.isinf({0})"), "c": Template("np.isinf({0})"), **_same("False", "iub", 0)},
    "signbit": {"f": Template("np.signbit({0})")},
    "logical_and": {"b": Template("({0} and {1})")},
    "logical_or": {"b": Template("({0} or {1})")},
    "logical_xor": {"b": Template("({0} != {1})")},
    "logical_not": {"b": Template("(not {0})")},
    "bitwise_and": {"b": Template("({0} and {1})"), **_same("({0} & {1})", "iu")},
    "bitwise_or": {"b": Template("({0} or {1})"), **_same("({0} | {1})", "iu")},
    "bitwise_xor": {"b": Template("({0} != {1})"), **_same("({0} ^ {1})", "iu")},
    "invert": {"b": Template("(not {0})"), **_same("(~{0})", "iu")},
    "erf": {"f": _dear("math.erf({0})")},
    "erfc": {"f": _dear("math.erfc({0})")},
    "gamma": {"f": _dear("math.gamma({0})")},
    "fraction": {
        "f": _dear("math.copysign({zero} if math.isinf({0}) else {0} - np.trunc({0}), {0})", True),
    },
    # What rules of derivatives use: they agree with their ufunc but where that is infinite or undefined.
    "multiply_or_zero": {
        kind: Template("({zero} if {0} == {zero} or {1} == {zero} else {0} * {1})", 2, True) for kind in "fc"
    },
    "divide_or_zero": _quotients("{0}"),
    "divide_chosen": _quotients("{0}"),
    "divide_by_length": _quotients("{1}"),
    "log_or_zero": {"f": _dear("({zero} if {0} == {zero} else fast_log({0}))", True)},
    "square_plus_one": {kind: Template("({one} + {0} * {0})", 2, True) for kind in "fc"},
    "relu": {"f": Template("({0} if {0} >= {zero} or {0} != {0} else {zero})", 1, True)},
    "sigmoid": {"f": _dear("({one} / ({one} + fast_exp(-{0})))")},
    "silu": {"f": _dear("({0} * ({one} / ({one} + fast_exp(-{0}))))", True)},
    "softplus": {
        "f": _dear("(({0} if {0} >= {zero} or {0} != {0} else {zero}) + fast_log1p(fast_exp(-abs({0}))))", True)
    },
    "log_sigmoid": {
        "f": _dear("(({0} if {0} <= {zero} or {0} != {0} else {zero}) - fast_log1p(fast_exp(-abs({0}))))", True)
    },
    "stop_gradient": _same("{0}", cost=0),
    "whole_quotient": {"f": _dear("floor_quotient({0}, {1})")},
    "ldexp": {"f": _dear("math.ldexp({0}, {1})")},
}
"""For each primitive, by the kind of the dtype that it computes in (f, c, i, u, b), the spelling of one element."""

DOUBLES = {name for name, templates in TEMPLATES.items() if "f" in templates and "fast_" in templates["f"].text} | {
    *("erf", "erfc", "gamma", "cbrt", "exp2", "log2", "logaddexp", "logaddexp2", "ldexp")
}
"""Primitives whose float32 form is computed in double precision, and rounded."""

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
