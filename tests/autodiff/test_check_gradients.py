"""`check_gradients`: mistakes are found and named, and what is right is not accused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff.checking import GradientReport
from retrograde.errors import GradientError, UsageError

Function = Callable[[Any], Any]

X = np.array([[0.7, -1.2, 0.4], [2.1, 0.3, -0.8]])


def _total(function: Function) -> Function:
    return lambda x: np.sum(function(x))


# What is wrong is found, and named.

MISTAKES: dict[str, tuple[Function, Function, str]] = {
    "sign": (np.sin, lambda x: -np.cos(x), "wrong sign"),
    "factor": (np.exp, lambda x: 2.0 * np.exp(x), r"off by a factor of (2|2.000\d*|1.99\d*)$"),
    "mean of a sum": (np.sin, lambda x: np.cos(x) / x.size, r"factor of 0.166\d*, one over the number of elements"),
    "one axis": (np.sin, lambda x: np.cos(x) * 3, r"factor of (3|2.99\d*), the extent of axis 1"),
    "missing term": (lambda x: x * x + 0.5 * x, lambda x: 2 * x, "off by the same number everywhere, -0.5"),
    "missing factor": (lambda x: x * np.tanh(x), np.tanh, "wrong in 6 of 6 entries"),
    "one entry": (np.sin, lambda x: np.cos(x) + 1e-3 * (x == 2.1), r"wrong in 1 of 6 entries: x\[1, 0\]"),
    "zero": (np.sin, lambda x: 0.0 * x, "it is zero; is the argument used"),
    "other order": (np.sin, lambda x: np.cos(x)[:, ::-1], "the right numbers at the wrong places"),
    "nan": (np.sin, lambda x: np.where(x > 2, np.nan, np.cos(x)), "1 of 6 are nan, where the differences are finite"),
    "infinite": (np.sin, lambda x: np.where(x > 2, np.inf, np.cos(x)), "1 of 6 are infinite"),
    "nearly": (np.exp, lambda x: (1 + 1e-5) * np.exp(x), r"off by a factor of 1.00001$"),
}


_DTYPES: list[Any] = [np.float64, np.float32, np.float16]
_FINE = ("nearly", "one entry")


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in MISTAKES for dtype in (_DTYPES[:1] if name in _FINE else _DTYPES)]
)
def test_a_mistake_is_named(name: str, dtype: Any) -> None:
    function, gradient, words = MISTAKES[name]
    report = rg.check_gradients(_total(function), X.astype(dtype), gradient=gradient, points="given")
    assert report.verdict == "wrong"
    (finding,) = report.findings
    assert finding.startswith("x, given gradient, at the point given: ")
    assert re.search(words, finding), finding


def test_a_transposed_gradient_is_named() -> None:
    square = np.array([[0.5, 1.5], [-0.7, 2.0]])
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    report = rg.check_gradients(lambda x: np.sum(weights * x * x), square, gradient=lambda x: (2 * weights * x).T)
    assert "it is transposed: the axes are in another order" in report.findings[0]


def test_a_conjugated_gradient_is_named() -> None:
    z = np.array([0.5 + 1.0j, -0.3 + 0.2j])
    report = rg.check_gradients(lambda z: np.sum(np.real(z * z)), z, gradient=lambda z: 2 * z)
    assert "it is the complex conjugate of what it should be" in report.findings[0]
    assert rg.check_gradients(lambda z: np.sum(np.real(z * z)), z, gradient=lambda z: 2 * np.conjugate(z))


def test_a_wrong_entry_of_a_large_array_is_located() -> None:
    x = np.linspace(-1.0, 1.0, 5000)
    report = rg.check_gradients(_total(np.sin), x, gradient=lambda x: np.cos(x) * (np.arange(5000) != 1234), samples=0)
    assert report.verdict == "wrong"
    assert any("x[1234]" in finding for finding in report.findings)
    assert report.worst[0].place == "x[1234]"
    assert report.worst[0].found == 0
    factor = rg.check_gradients(_total(np.sin), x, gradient=lambda x: 3 * np.cos(x), samples=0)
    assert "off by a factor of 3" in factor.findings[0]


def _primitive(reverse: Any, forward: Any, function: Function = np.sin) -> Any:
    return rg.primitive(lambda x: function(x), reverse={"x": reverse}, forward={"x": forward})


def test_rules_that_are_not_transposes_of_each_other() -> None:
    wrong_forward = _primitive(lambda g, x: g * np.cos(x), lambda d, x: -d * np.cos(x))
    report = rg.check_gradients(wrong_forward, X)
    assert {finding.split(",")[1] for finding in report.findings if "," in finding} >= {" forward"}
    assert any(finding.startswith("reverse is the transpose of forward: it is not") for finding in report.findings)
    assert not [finding for finding in report.findings if finding.startswith("x, reverse")]
    wrong_reverse = _primitive(lambda g, x: 2 * g * np.cos(x), lambda d, x: d * np.cos(x))
    assert not rg.check_gradients(wrong_reverse, X, modes="reverse")
    assert rg.check_gradients(wrong_reverse, X, modes="forward")


def test_a_wrong_second_derivative() -> None:
    """The first derivative is right, and its own derivative is not."""
    slope = _primitive(lambda g, x: g * np.sin(x), lambda d, x: d * np.sin(x), np.cos)
    outer = _primitive(lambda g, x: g * slope(x), lambda d, x: d * slope(x))
    assert rg.check_gradients(outer, X)
    report = rg.check_gradients(outer, X, order=2)
    assert not report
    assert all("over reverse" in finding for finding in report.findings)
    assert "it has the wrong sign" in report.findings[0]


def test_a_second_derivative_that_is_not_symmetric() -> None:
    matrix = np.array([[1.0, 2.0], [0.5, 3.0]])
    image = rg.primitive(lambda x: matrix @ x, reverse={"x": lambda g: matrix @ g}, forward={"x": lambda d: matrix @ d})
    form = rg.primitive(
        lambda x: 0.5 * x @ matrix @ x,
        reverse={"x": lambda g, x: g * image(x)},
        forward={"x": lambda d, x: np.sum(d * image(x))},
    )
    report = rg.check_gradients(form, np.array([1.0, 2.0]), order=2)
    assert any(finding.startswith("the Hessian is symmetric: it is not") for finding in report.findings)


def test_second_derivatives_that_are_zero_are_symmetric() -> None:
    """What rounding leaves of them is not compared."""
    report = rg.check_gradients(lambda x: np.std(x, axis=1), np.array([[0.3, 0.9], [1.1, -0.4]]), order=2)
    assert report, str(report)


# Kinks, jumps and edges are told from mistakes.


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 1.0])
def test_anything_between_the_slopes_is_right_at_a_kink(slope: float) -> None:
    x = np.array([0.0, -1e-9, 2.0])
    report = rg.check_gradients(_total(np.abs), x, gradient=lambda x: np.where(x, np.sign(x), slope), points="given")
    assert report, str(report)
    assert report.groups[0].counts == ({"agrees": 2, "kink": 1} if slope else {"agrees": 3})
    assert slope == 0 or "at a kink" in report.notes[0]


def test_a_mistake_at_a_kink_is_one() -> None:
    report = rg.check_gradients(_total(np.abs), np.zeros(2), gradient=lambda x: 1.5 + x, points="given")
    assert report.groups[0].counts == {"mistake": 2}


def test_the_ties_of_maximum_are_no_mistakes() -> None:
    assert rg.check_gradients(lambda x: np.maximum(x, 0.0), np.array([0.0, 1.0, -1.0]))
    assert rg.check_gradients(lambda x, y: np.maximum(x, y), X, X, method="forward", rtol=1e-4, points="given")


def test_wrong_at_zero_only() -> None:
    def gradient(x: Any) -> Any:
        return np.where(x == 0, 7.0, 2 * x)

    square = _total(lambda x: x * x)
    assert rg.check_gradients(square, X, gradient=gradient)
    report = rg.check_gradients(square, X, gradient=gradient, points=("given", "zero"))
    assert [group.passed for group in report.groups] == [True, False]
    assert "at the point zero: it is off by the same number everywhere, 7" in report.findings[0]


def test_a_jump_is_not_called_a_mistake() -> None:
    report = rg.check_gradients(_total(np.floor), np.array([1.0, 2.0]), gradient=np.zeros_like, points="given")
    assert report.verdict == "unclear"
    assert not report
    assert "2 of 2 are unclear" in report.notes[0]
    with pytest.raises(GradientError, match="2 of 2 are unclear"):
        report.raise_if_failed()


def test_an_infinite_derivative() -> None:
    def gradient(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return 0.5 / np.sqrt(x)

    assert rg.check_gradients(_total(np.sqrt), np.array([0.0, 1.0]), gradient=gradient, points="given")
    report = rg.check_gradients(_total(np.sin), np.array([0.0, 1.0]), gradient=gradient, points="given")
    assert report.groups[0].counts == {"infinite": 1, "mistake": 1}
    root = _primitive(lambda g, x: g * gradient(x), lambda d, x: d * gradient(x), np.sqrt)
    report = rg.check_gradients(root, np.array([0.0, 1.0]), points="given")
    assert report.identities == ()
    assert "not checked, since a derivative at the point given is not finite" in report.notes[0]


def test_values_that_are_not_finite_leave_a_point_out() -> None:
    def reciprocal(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.sum(1.0 / x)

    report = rg.check_gradients(
        reciprocal, np.array([1.0, 2.0]), gradient=lambda x: -1.0 / x**2, points=("given", "zero")
    )
    assert report
    assert report.notes == ("the function gives infinity (result) at the point zero, which is left out",)
    report = rg.check_gradients(lambda x: x * np.nan, np.ones(2), modes="reverse")
    assert report.verdict == "unclear"
    assert "gives nan (result[0]) at the point given" in report.notes[0]


def test_differences_that_are_not_finite() -> None:
    def island(x: Any) -> Any:
        return np.sum(np.where(x == 1.0, x, np.nan))

    report = rg.check_gradients(island, np.ones(2), gradient=np.zeros_like, points="given")
    assert report.verdict == "unclear"
    assert "2 of 2 differences are not finite: beside the point the function gives nan or infinity" in report.notes


def test_bounds() -> None:
    def root(x: Any) -> Any:
        assert np.all(x >= 0)
        assert np.all(x <= 4)
        return np.sum(x * np.sqrt(x))

    def gradient(x: Any) -> Any:
        return 1.5 * np.sqrt(x)

    x = np.array([1.0, 0.0, 1e-8, 4.0])
    report = rg.check_gradients(root, x, gradient=gradient, bounds=(0, 4), points=("given", "sampled", "boundary"))
    assert report, str(report)
    assert {group.point for group in report.groups} == {"given", "sampled 1", "sampled 2", "lower bound", "upper bound"}
    wrong = rg.check_gradients(root, x, gradient=lambda x: 1.5 * np.sqrt(x) + (x == 0), bounds=(0, 4))
    assert "wrong in 1 of 4 entries: x[1]" in wrong.findings[0]


# What is right is not accused.

RIGHT: dict[str, tuple[Function, Function, str]] = {
    "sin": (np.sin, np.cos, "real"),
    "exp": (np.exp, np.exp, "real"),
    "log": (np.log, lambda x: 1 / x, "positive"),
    "log of small numbers": (np.log, lambda x: 1 / x, "tiny"),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), "positive"),
    "cbrt": (np.cbrt, lambda x: 1 / (3 * np.cbrt(x) ** 2), "positive"),
    "tan": (np.tan, lambda x: 1 + np.tan(x) ** 2, "unit"),
    "arcsin": (np.arcsin, lambda x: 1 / np.sqrt(1 - x * x), "unit"),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x), "real"),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, "positive"),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, "real"),
    "power": (lambda x: x**2.5, lambda x: 2.5 * x**1.5, "positive"),
    "abs": (np.abs, np.sign, "real"),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) + 0.0 * x, "real"),
    "x abs x": (lambda x: x * np.abs(x), lambda x: 2 * np.abs(x), "real"),
    "log1p": (np.log1p, lambda x: 1 / (1 + x), "positive"),
    "expm1": (np.expm1, np.exp, "real"),
    "sinh": (np.sinh, np.cosh, "real"),
    "sinc": (lambda x: np.sin(x) / x, lambda x: np.cos(x) / x - np.sin(x) / x**2, "real"),
    "bump": (lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x), "real"),
    "narrow bump": (lambda x: np.exp(-((1e8 * x) ** 2)), lambda x: -2e16 * x * np.exp(-((1e8 * x) ** 2)), "small"),
    "fast": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x), "real"),
    "very fast": (lambda x: np.sin(1e4 * x), lambda x: 1e4 * np.cos(1e4 * x), "real"),
    "steep": (lambda x: np.tanh(1e3 * x), lambda x: 1e3 * (1 - np.tanh(1e3 * x) ** 2), "real"),
    "cancelling": (lambda x: (1 + 1e-6 * x) ** 2 - 1, lambda x: 2e-6 * (1 + 1e-6 * x), "real"),
    "beside a large number": (lambda x: x * x + 1e8, lambda x: 2 * x, "real"),
    "constant": (lambda x: 0 * x + 3, lambda x: 0 * x, "real"),
    "floor": (np.floor, lambda x: 0 * x, "real"),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2, "real"),
    "single precision inside": (lambda x: np.sin(x.astype(np.float32)), np.cos, "real"),
    "of large numbers": (np.sin, np.cos, "large"),
    "of mixed magnitudes": (np.exp, np.exp, "mixed"),
}


def _drawn(kind: str, random: np.random.Generator, size: int) -> Any:
    x = random.standard_normal(size)
    return {
        "real": x,
        "positive": np.abs(x) + 0.1,
        "unit": 0.9 * np.tanh(x),
        "tiny": np.exp(3 * x - 20),
        "large": 1e6 * x,
        "small": 1e-8 * x,
        "mixed": x * 10.0 ** random.integers(-8, 1, size),
    }[kind]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_accused(name: str) -> None:
    """At random points, of every dtype, by many seeds: not one false alarm, and not one that is unclear."""
    function, gradient, kind = RIGHT[name]
    alarms: list[str] = []
    dtypes = [np.float64] * 6 + ([np.float32, np.float16] * 2 if kind in ("real", "positive", "unit") else [])
    for seed, dtype in enumerate(dtypes):
        x = _drawn(kind, np.random.default_rng(seed), (3, 40)[seed % 2]).astype(dtype)
        report = rg.check_gradients(_total(function), x, gradient=gradient, seed=seed, samples=1)
        alarms += [] if report else [f"{seed}, {dtype.__name__}: {report}"]
    assert not alarms, alarms[0]


METHODS = ["forward", "backward", "central", "four_point", "six_point", "complex_step", "richardson"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_accepts_what_is_right_and_refuses_what_is_not(method: str) -> None:
    one_sided = method in ("forward", "backward")
    for function, gradient in ((np.sin, np.cos), (lambda x: x * x * x, lambda x: 3 * x * x), (np.exp, np.exp)):
        options: dict[str, Any] = {"method": method, "rtol": 1e-5 if one_sided else None}
        report = rg.check_gradients(_total(function), X, gradient=gradient, **options)
        assert report, str(report)
        assert (report.method, report.evaluations > 0) == (method, True)

        def off(x: Any, gradient: Any = gradient) -> Any:
            return gradient(x) * (1 + 1e-3)

        assert not rg.check_gradients(_total(function), X, gradient=off, **options)


@pytest.mark.parametrize(("method", "digits"), [("forward", 6), ("central", 9), ("six_point", 11), ("richardson", 11)])
def test_the_step_is_chosen_well(method: str, digits: int) -> None:
    """The estimates are as good as the method can be, at any scale of the argument."""
    for scale in (1e-6, 1.0, 1e5):
        x = scale * np.array([0.7])
        report = rg.check_gradients(
            lambda x, s=scale: np.sum(np.sin(x / s)), x, gradient=lambda x, s=scale: np.cos(x / s) / s,
            method=method, points="given",
        )  # fmt: skip
        assert report.groups[0].largest_error < 10.0**-digits
        assert report.worst[0].error < 10.0 ** (2 - digits) / scale


def test_a_complex_step_needs_an_analytic_function() -> None:
    with pytest.raises(UsageError, match="a step into the imaginary direction does not give the derivative"):
        rg.check_gradients(_total(np.abs), X, gradient=np.sign, method="complex_step")
    with pytest.raises(UsageError, match="a function with complex arguments or results"):
        rg.check_gradients(lambda z: np.sum(z), X + 1j, modes="forward", method="complex_step")


# Containers, complex numbers, several arguments, outputs of every kind.


def test_containers_and_several_outputs() -> None:
    def predict(parameters: Any, inputs: Any, label: str) -> Any:
        assert label == "label"
        hidden = np.tanh(inputs @ parameters["weights"][0] + parameters["bias"])
        return {"out": hidden, "total": np.sum(hidden), "count": 3}

    parameters = {"weights": [np.ones((2, 2)) / 3], "bias": 0.5, "steps": 7}
    report = rg.check_gradients(predict, parameters, X.T, "label", order=2)
    assert report, str(report)
    names = {group.argument for group in report.groups}
    assert names == {"parameters['weights'][0]", "parameters['bias']", "inputs"}
    assert {group.mode for group in report.groups} == {
        "reverse", "forward", "reverse over reverse", "forward over reverse",
    }  # fmt: skip
    assert any("result['out'][" in entry.place or "result['total']" in entry.place for entry in report.worst)


def test_complex_functions() -> None:
    z = np.array([0.5 + 1.0j, -0.3 + 0.2j])
    assert rg.check_gradients(lambda z: np.sin(z) * np.conjugate(z), z, order=2)
    assert rg.check_gradients(lambda x: np.exp(1j * x), X)
    assert rg.check_gradients(lambda z: np.real(z), z.astype(np.complex64))
    halved = rg.primitive(lambda z: z * z, reverse={"z": lambda g, z: 2 * g * z}, forward={"z": lambda d, z: 2 * d * z})
    report = rg.check_gradients(halved, z)
    assert {finding.split(",")[1] for finding in report.findings if "point" in finding} == {" reverse"}


def test_arguments_to_differentiate_by() -> None:
    def product(x: Any, y: Any) -> Any:
        return np.sum(x * y)

    for wrt, names in ((0, {"x"}), ("y", {"y"}), ((0, "y"), {"x", "y"}), (None, {"x", "y"})):
        assert {group.argument for group in rg.check_gradients(product, X, 2.0 * X, wrt=wrt).groups} == names
    assert rg.check_gradients(product, X, 2 * X, gradient=lambda x, y: (y, x))
    assert rg.check_gradients(product, X, 2 * X, wrt="y", gradient=lambda x, y: x)
    assert not rg.check_gradients(product, X, 2 * X, wrt="y", gradient=lambda x, y: y)


def test_functions_that_write_into_their_arguments_leave_them_alone() -> None:
    def relax(u: Any) -> Any:
        u[1:-1] += 0.5 * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        return np.sum(u * u)

    x = np.array([1.0, 0.0, 4.0, 2.0])
    assert rg.check_gradients(relax, x)
    np.testing.assert_array_equal(x, [1.0, 0.0, 4.0, 2.0])


def test_arrays_of_no_elements() -> None:
    report = rg.check_gradients(lambda x, y: np.sum(x) + y * y, np.zeros((0, 2)), 3.0)
    assert report
    assert {group.argument for group in report.groups} == {"y"}
    nothing = rg.check_gradients(np.sin, np.zeros((0, 2)))
    assert (nothing.verdict, nothing.notes) == ("unclear", ("nothing was compared",))


def test_half_precision_is_checked_in_double() -> None:
    """A gradient that rounding spoils is told from one that is wrong."""

    def fast(x: Any) -> Any:
        return np.sin(50 * x)

    report = rg.check_gradients(_total(fast), X.astype(np.float16), gradient=lambda x: 50 * np.cos(50 * x))
    assert report
    assert sum(group.counts.get("rounding", 0) for group in report.groups) > 0
    assert any("off by rounding" in note for note in report.notes)
    assert not rg.check_gradients(_total(fast), X.astype(np.float16), gradient=lambda x: 50 * np.sin(50 * x))


# The report.


def test_a_report_goes_through_json_and_is_reproducible() -> None:
    def gradient(x: Any) -> Any:
        return np.where(x > 2, np.nan, np.cos(x) * 1.5)

    report = rg.check_gradients(_total(np.sin), X, gradient=gradient, seed=5)
    text = report.to_json()
    assert '"nan"' in text
    again = GradientReport.from_json(text)
    assert again.to_json() == text
    assert again.verdict == report.verdict
    assert again.findings == report.findings
    assert rg.check_gradients(_total(np.sin), X, gradient=gradient, seed=5).to_json() == text
    assert rg.check_gradients(_total(np.sin), X, gradient=gradient, seed=6).to_json() != text
    right = rg.check_gradients(_total(np.sin), X, order=2)
    assert GradientReport.from_json(right.to_json()) == right


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "retrograde gradient report", "version": 99}'])
def test_texts_that_are_no_reports(text: str) -> None:
    with pytest.raises(UsageError, match=r"no gradient report|version 99; this release reads"):
        GradientReport.from_json(text)


def test_a_report_is_readable() -> None:
    report = rg.check_gradients(_total(np.sin), X, gradient=lambda x: 2 * np.cos(x))
    text = str(report)
    for words in ("wrong", "off by a factor of 2", "By argument", "Worst", "x[1, 0]", "█", "evaluations", "seed 0"):
        assert words in text
    with pytest.raises(GradientError, match="off by a factor of 2"):
        report.raise_if_failed()
    with pytest.raises(AssertionError):
        report.raise_if_failed()
    right = rg.check_gradients(_total(np.sin), X, points="sampled", order=2)
    right.raise_if_failed()
    assert "Against each other" in str(right)
    assert "the Hessian is symmetric" in str(right)
    assert {group.point for group in right.groups} == {"sampled 1", "sampled 2"}


def test_tolerances() -> None:
    def off(x: Any) -> Any:
        return np.cos(x) + 1e-4

    assert not rg.check_gradients(_total(np.sin), X, gradient=off)
    assert rg.check_gradients(_total(np.sin), X, gradient=off, atol=1e-3)
    assert rg.check_gradients(_total(np.sin), X, gradient=off, rtol=1e-2)
    assert not rg.check_gradients(_total(np.sin), X, gradient=off, atol=1e-5)


# Bad input.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "method='guess' was asked for; there are"),
        ({"modes": ("sideways",)}, "modes='sideways' was asked for; there are"),
        ({"modes": ()}, "modes="),
        ({"points": "there"}, "points='there' was asked for"),
        ({"points": "boundary"}, "there are no bounds; give bounds"),
        ({"order": 3}, "order=3 was asked for"),
        ({"rtol": -1.0}, "rtol=-1.0 was asked for"),
        ({"atol": np.nan}, "atol=nan was asked for"),
        ({"samples": -1}, "samples=-1"),
        ({"directions": 0}, "directions=0 were asked for"),
        ({"bounds": (1, 0)}, r"bounds=\(1, 0\) were given"),
        ({"wrt": "z"}, "wrt='z' names no argument"),
        ({"wrt": 3}, "wrt=3 names no argument"),
        ({"gradient": np.cos, "order": 2}, "order=2 was asked for with a gradient of your own"),
        ({"gradient": lambda x: x[0]}, r"has shape \(3,\) for x, which has shape \(2, 3\)"),
        ({"gradient": lambda x: 1j * x}, "is complex for x, which is real"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rg.check_gradients(_total(np.sin), X, **options)


def test_functions_that_cannot_be_checked() -> None:
    with pytest.raises(UsageError, match="hold no array of a floating or complex dtype"):
        rg.check_gradients(_total(np.sin), np.arange(3))
    with pytest.raises(UsageError, match="hold no array"):
        rg.check_gradients(lambda: 1.0)
    with pytest.raises(UsageError, match="<lambda> returned nothing of a floating or complex dtype"):
        rg.check_gradients(lambda x: "text", X)
    with pytest.raises(UsageError, match="a gradient was given for a function with 6 real results"):
        rg.check_gradients(np.sin, X, gradient=np.cos)
    with pytest.raises(UsageError, match=r"the gradient that was given is .* return it built alike"):
        rg.check_gradients(lambda p: np.sum(p["a"]), {"a": X}, gradient=lambda p: {"b": X})
    random = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"gave two different results for the same arguments.*seed"):
        rg.check_gradients(lambda x: np.sum(x * random.standard_normal(x.shape)), X)
