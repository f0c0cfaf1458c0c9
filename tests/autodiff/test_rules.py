"""Every rule of every primitive, on sample inputs: against finite differences, against each other, and in programs."""

from __future__ import annotations

import dis
from typing import Any

import numpy as np
import pytest
from rule_samples import SAMPLES
from samples.sample import Sample

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.program import PRIMITIVES, ProgramBuilder
from retrograde.program.array_like import ArrayLike
from retrograde.program.kinds import as_tuple
from retrograde.program.primitive import Primitive
from retrograde.program.types import is_differentiable, type_of

_OF_STACKS = ("add_stacks", "zero_stack")
_LOADS = ("LOAD_FAST", "LOAD_FAST_LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")
_ALL = [
    pytest.param(name, sample, id=f"{name} {sample}") for name in sorted(PRIMITIVES) for sample in SAMPLES.get(name, [])
]
_SMOOTH = [case for case in _ALL if PRIMITIVES[case.values[0]].reverse and case.values[0] not in _OF_STACKS]
_CONSTANT = [case for case in _ALL if not PRIMITIVES[case.values[0]].reverse and case.values[0] not in _OF_STACKS]
_COMPLEX_STEP = [case for case in _SMOOTH if case.values[0] not in ("maximum", "conjugate", "real", "imag", "astype")]


def _real_only(case: Any) -> bool:
    sample = case.values[1]
    return sample.analytic and not any(np.iscomplexobj(one) for one in sample.operands if hasattr(one, "shape"))


def _pairing(one: Any, other: Any) -> float:
    """The real inner product of two arrays, or of two lists of arrays."""
    if isinstance(one, (list, tuple)):
        return sum(_pairing(*pair) for pair in zip(one, other, strict=True))
    return float(np.real(np.sum(np.conjugate(one) * other)))


class Case:
    """A primitive as a function of its differentiable operands, and random tangents and cotangents for it."""

    def __init__(self, name: str, sample: Sample) -> None:
        self.primitive = PRIMITIVES[name]
        self.sample = sample
        random = np.random.default_rng(3)
        names = self.primitive.names(len(sample.operands))
        self.places = [
            at
            for at, operand in enumerate(names)
            if operand in self.primitive.reverse and is_differentiable(np.asarray(sample.operands[at]).dtype)
        ]
        self.inputs = [np.asarray(sample.operands[at]) for at in self.places]
        self.outs = [np.asarray(out) for out in self(*self.inputs)]
        self.tangents = [_random_like(random, x) for x in self.inputs]
        self.others = [_random_like(random, x) for x in self.inputs]
        self.cotangents = [_random_like(random, out) for out in self.outs]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The results that have derivatives."""
        operands = list(self.sample.operands)
        for at, value in zip(self.places, inputs, strict=True):
            operands[at] = value
        outs = self.primitive(*operands, **self.sample.static)
        outs = outs if self.primitive.outputs else (outs,)
        outs = self.sample.through(*outs) if self.sample.through else outs
        return tuple(out for out in outs if is_differentiable(out.dtype))

    def scalar(self, *inputs: Any) -> Any:
        """The results paired with the cotangents, through NumPy code: something to take a gradient of."""
        pairs = zip(self.cotangents, self(*inputs), strict=True)
        return sum(np.sum(np.real(np.conjugate(cotangent) * out)) for cotangent, out in pairs)

    def gradients(self, *inputs: Any) -> Any:
        return rg.grad(self.scalar, tuple(range(len(inputs))), backend="tape")(*inputs)

    def curved(self, *inputs: Any) -> Any:
        """Of a nonlinear function of the results, so that the rule of a linear primitive has a second order, too."""
        pairs = zip(self.cotangents, self(*inputs), strict=True)
        return sum(np.sum(np.real(np.conjugate(cotangent) * np.sin(out) * out)) for cotangent, out in pairs)

    def moved(self, step: float) -> list[Any]:
        return [x + step * d for x, d in zip(self.inputs, self.tangents, strict=True)]


def _random_like(random: np.random.Generator, x: Any) -> Any:
    drawn = random.standard_normal(x.shape)
    return drawn + 1j * random.standard_normal(x.shape) if np.iscomplexobj(x) else drawn


def _difference(function: Any, case: Case, step: float = 2e-4) -> Any:
    """The four-point central difference in the direction of the tangents."""
    two_below, below, above, two_above = (function(*case.moved(count * step)) for count in (-2, -1, 1, 2))

    def combined(at: Any) -> Any:
        return (8.0 * (at(above) - at(below)) - (at(two_above) - at(two_below))) / (12.0 * step)

    if isinstance(above, tuple):
        return [combined(lambda values, place=place: values[place]) for place in range(len(above))]
    return combined(lambda value: value)


def test_every_primitive_has_samples() -> None:
    assert set(SAMPLES) == set(PRIMITIVES)


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_a_rule_uses_what_it_says_it_reads(name: str) -> None:
    primitive = PRIMITIVES[name]
    for rules in (primitive.reverse, primitive.forward):
        for operand, rule in rules.items():
            code: Any = rule.function.__code__
            if code.co_flags & 0x04:  # it takes whatever the primitive has: made by `linear`
                continue
            parameters = set(code.co_varnames[: code.co_argcount])
            used = {step.argval for step in dis.get_instructions(code) if step.opname in _LOADS}
            assert parameters <= used, f"{name}, {operand}: {parameters - used} is read and not used"


@pytest.mark.parametrize(("name", "sample"), _SMOOTH)
def test_the_reverse_rule_agrees_with_finite_differences(name: str, sample: Sample) -> None:
    case = Case(name, sample)
    gradients = case.gradients(*case.inputs)
    for gradient, x in zip(gradients, case.inputs, strict=True):
        assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)
    np.testing.assert_allclose(_pairing(gradients, case.tangents), _difference(case.scalar, case), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "sample"), _SMOOTH)
def test_the_forward_rule_agrees_with_finite_differences(name: str, sample: Sample) -> None:
    case = Case(name, sample)
    outs, tangents = rg.jvp(case, tuple(case.inputs), tuple(case.tangents), backend="tape")
    for out, expected, tangent, difference in zip(outs, case.outs, tangents, _difference(case, case), strict=True):
        assert (np.shape(tangent), tangent.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_allclose(tangent, difference, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "sample"), _SMOOTH)
def test_forward_and_reverse_are_transposes(name: str, sample: Sample) -> None:
    case = Case(name, sample)
    _, tangents = rg.jvp(case, tuple(case.inputs), tuple(case.tangents), backend="tape")
    _, pullback = rg.vjp(case, backend="tape")(*case.inputs)
    carried = pullback(tuple(case.cotangents))
    np.testing.assert_allclose(
        _pairing(case.cotangents, tangents), _pairing(carried, case.tangents), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("name", "sample"), [case for case in _COMPLEX_STEP if _real_only(case)])
def test_the_forward_rule_agrees_with_a_analytic(name: str, sample: Sample) -> None:
    case = Case(name, sample)
    _, tangents = rg.jvp(case, tuple(case.inputs), tuple(case.tangents), backend="tape")
    steps = case(*(x + 1e-30j * d for x, d in zip(case.inputs, case.tangents, strict=True)))
    for tangent, stepped in zip(tangents, steps, strict=True):
        np.testing.assert_allclose(tangent, np.imag(stepped) / 1e-30, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("name", "sample"), _SMOOTH)
def test_second_derivatives(name: str, sample: Sample) -> None:
    """Forward over reverse and reverse over reverse, against differences of gradients."""
    case = Case(name, sample)
    every = tuple(range(len(case.inputs)))
    gradient = rg.grad(case.curved, every, backend="tape")
    products = rg.hvp(case.curved, tuple(case.inputs), tuple(case.tangents))
    for product, difference in zip(products, _difference(gradient, case), strict=True):
        np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-7)

    def along(*inputs: Any) -> Any:
        parts = zip(gradient(*inputs), case.others, strict=True)
        return sum(np.sum(np.real(np.conjugate(g) * w)) for g, w in parts)

    second = rg.grad(along, every, backend="tape")(*case.inputs)
    np.testing.assert_allclose(_pairing(second, case.tangents), _pairing(products, case.others), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("name", "sample"), _CONSTANT)
def test_a_primitive_without_derivative_gives_plain_results(name: str, sample: Sample) -> None:
    primitive = PRIMITIVES[name]
    expected: Any = primitive.evaluate(*sample.operands, **sample.static)
    with rg.GradientTape() as tape:
        operands = [tape.watch(x) if getattr(x, "dtype", np.dtype(int)).kind == "f" else x for x in sample.operands]
        found = primitive(*operands, **sample.static)
    for out, value in zip(found, expected, strict=True) if primitive.outputs else [(found, expected)]:
        assert not isinstance(out, ArrayLike)
        np.testing.assert_array_equal(out, value)


# Their results are plain, or seen by rules alone, which do not write.
_NEVER_WRITTEN = ("stop_gradient", "sum_to", "free_of_phases", *_OF_STACKS)


@pytest.mark.parametrize(("name", "sample"), [case for case in _ALL if case.values[0] not in _NEVER_WRITTEN])
def test_a_result_that_shares_memory_is_declared_to_be_a_view(name: str, sample: Sample) -> None:
    """A view that is not known as one would let writes in place give wrong numbers."""
    primitive = PRIMITIVES[name]
    operands = [x.copy() if isinstance(x, np.ndarray) else x for x in sample.operands]
    outs = primitive.evaluate(*operands, **sample.static)
    for out in outs if primitive.outputs else [outs]:
        shared = [isinstance(x, np.ndarray) and np.shares_memory(out, x) for x in operands]
        known = primitive.views is not None and primitive.views(*operands)
        assert not any(shared[1:] if known else shared), f"{name} gives a view and says that it does not"


def _in_a_program(name: str, sample: Sample) -> tuple[Any, list[Any]]:
    """A program of one instruction, its sizes unknown, and its arguments."""
    builder = ProgramBuilder(name)
    primitive = PRIMITIVES[name]
    operands: list[Any] = []
    arguments: list[Any] = []
    names = primitive.names(len(sample.operands))
    for at, (operand, value) in enumerate(zip(names, sample.operands, strict=True)):
        if hasattr(value, "dtype") and operand != "index":
            sizes = (None,) * value.ndim
            value, array = builder.input(_input_name(primitive, at), value.dtype, sizes), value
            arguments.append(array)
        operands.append(value)
    outs = primitive(*operands, **sample.static)
    return builder.finish(**dict(zip(primitive.outputs or ("out",), as_tuple(outs), strict=True))), arguments


def _input_name(primitive: Primitive, at: int) -> str:
    return f"{primitive.operands[0]}_{at}" if primitive.variadic else primitive.operands[at]


def _programmable(case: Any) -> bool:
    name, sample = case.values
    return name not in _OF_STACKS and name != "last_writes" and not sample.through


@pytest.mark.parametrize(("name", "sample"), [case for case in _ALL if _programmable(case)])
def test_the_type_rule_tells_the_dtype_and_rank_of_the_result(name: str, sample: Sample) -> None:
    program, arguments = _in_a_program(name, sample)
    for out, variable in zip(program(*arguments), program.block.results, strict=True):
        result, found = variable.type, type_of(out)
        assert (found.dtype, found.rank) == (result.dtype, result.rank)
        assert all(known in (None, size) for known, size in zip(result.sizes, found.sizes, strict=True))


@pytest.mark.parametrize(("name", "sample"), [case for case in _SMOOTH if _programmable(case)])
def test_a_reversed_program_agrees_with_the_tape(name: str, sample: Sample) -> None:
    program, arguments = _in_a_program(name, sample)
    case = Case(name, sample)
    names = {_input_name(case.primitive, at): at for at in case.places}
    wrt = [variable.name for variable in program.inputs if variable.name in names]
    of = [
        output
        for output, variable in zip(program.output_names, program.block.results, strict=True)
        if variable.type.differentiable
    ]
    found = reverse(program, wrt, of, keep_outputs=False)(*arguments, *case.cotangents)
    expected = dict(zip(case.places, case.gradients(*case.inputs), strict=True))
    for operand, gradient in zip(wrt, found, strict=True):
        assert gradient.dtype == expected[names[operand]].dtype
        np.testing.assert_allclose(gradient, expected[names[operand]], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("name", "sample"), [case for case in _ALL if case.values[0] in _OF_STACKS])
def test_stacks(name: str, sample: Sample) -> None:
    """A stack's rules are checked by reversing loops twice (tests/program); here only what they give."""
    found = PRIMITIVES[name](*sample.operands)
    factor = {"add_stacks": 2.0, "zero_stack": 0.0}[name]
    for entry, expected in zip(found, sample.operands[0], strict=True):
        np.testing.assert_array_equal(entry, factor * expected)
