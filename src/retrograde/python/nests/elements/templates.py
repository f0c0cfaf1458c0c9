"""How each elementwise primitive is spelled for one element: templates in Python for Numba.

A template is chosen by the kind of the dtype that NumPy computes in. Numba's own promotion is not NumPy's (integers
become 64 bits wide, a float32 beside a Python number becomes a float64), so operands are cast to that dtype first,
constants are typed, and narrow integers are cast back (`scalars.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


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
