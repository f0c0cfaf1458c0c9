"""A corpus of small functions, and what is asked of each: Python's own values, and gradients by finite differences."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrograde.autodiff.containers import leaves
from retrograde.autodiff.programs.reversal import reverse
from retrograde.python.backends import runnable
from retrograde.python.lowering import lower
from retrograde.python.reading import read
from retrograde.python.text import python_text


@dataclass(frozen=True)
class Case:
    """A function and arguments for it.

    Attributes:
        function: as somebody writes it.
        arguments: made anew for each use.
        gradient: whether its results are differentiable, and smooth where the arguments are.
        exact: whether values have to agree bit for bit; else up to rounding.
        again: other arguments, of other sizes or values, for which the same program has to do.
    """

    function: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]]
    gradient: bool = True
    exact: bool = True
    again: Callable[[], tuple[Any, ...]] | None = None

    def __repr__(self) -> str:
        return self.function.__name__


@dataclass
class Corpus:
    """The cases of one file."""

    cases: list[Case] = field(default_factory=list[Case])

    @property
    def smooth(self) -> list[Case]:
        """Those that have gradients."""
        return [case for case in self.cases if case.gradient]

    def __call__(self, *arguments: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorate a function: it is to be tested with arguments, which it may change."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            again = options.pop("again", None)
            more = None if again is None else lambda: deepcopy(again)
            self.cases.append(Case(function, lambda: deepcopy(arguments), again=more, **options))
            return function

        return add


def real(*shape: int, seed: int = 0) -> Any:
    """Numbers between 0.5 and 1.5 of both signs."""
    random = np.random.default_rng(seed + 100 * len(shape) + sum(shape))
    return random.uniform(0.5, 1.5, shape) * random.choice([-1.0, 1.0], shape)


def positive(*shape: int, seed: int = 0) -> Any:
    """Numbers between 0.5 and 1.5."""
    return np.abs(real(*shape, seed=seed))


def cplx(*shape: int, seed: int = 0) -> Any:
    """Complex numbers."""
    return real(*shape, seed=seed) + 1j * real(*shape, seed=seed + 1)


def function_of(text: str, name: str) -> Callable[..., Any]:
    """The function `f` that a text defines, whose source can be had as if it stood in a file."""
    file = f"<drawn {name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, Any] = {"np": np, "__name__": "drawn"}
    exec(compile(text, file, "exec"), space)
    return space["f"]


def leaves_of(value: Any) -> list[Any]:
    """Arrays and numbers in containers."""
    return [] if value is None else [leaf for leaf in leaves(value) if leaf is not None]


class Read:
    """A case that was read."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.reading = read(case.function, case.arguments(), {})
        self.program = self.reading.program

    def agrees(self, arguments: tuple[Any, ...]) -> None:
        """Check the program against Python's own run."""
        given = deepcopy(arguments)
        assert self.reading.fits(given, {})
        outputs = dict(zip(self.program.output_names, self.program(*self.reading.inputs(given, {})), strict=True))
        self.same(leaves_of(given), leaves_of(arguments), "an argument was changed")
        mine = deepcopy(arguments)
        returned = self.case.function(*mine)
        found = self.reading.rebuild_return([outputs[name] for name in self.reading.returned])
        self.same(leaves_of(found), leaves_of(returned), "the return value")
        written = dict(zip(inspect.signature(self.case.function).parameters, mine, strict=False))
        for argument, names in self.reading.mutated.items():
            changed = {name: outputs[name] for name in names}
            theirs = leaves_of(written[argument])
            if len(theirs) == len(names):
                self.same(list(changed.values()), theirs, f"the argument {argument}")
        unwritten = [name for name in written if name not in {**self.reading.mutated, **self.reading.unclear}]
        for name in unwritten:
            before = arguments[list(written).index(name)]
            if not isinstance(before, np.random.Generator):
                self.same(leaves_of(before), leaves_of(written[name]), f"the argument {name}, not known to be written")

    def same(self, found: list[Any], expected: list[Any], what: str) -> None:
        """Compare values: bit for bit, or up to rounding."""
        assert len(found) == len(expected), what
        for one, other in zip(found, expected, strict=True):
            if not isinstance(other, (np.ndarray, np.generic, int, float, complex)):
                continue
            assert np.asarray(one).dtype == np.asarray(other).dtype, what
            assert np.shape(one) == np.shape(other), what
            if self.case.exact:
                np.testing.assert_array_equal(one, other, what)
            else:
                np.testing.assert_allclose(one, other, 1e-13, 1e-14, err_msg=what)

    def _wrt(self) -> list[str]:
        wrt = [variable.name for variable in self.program.inputs if variable.type.differentiable]
        assert wrt, "a case with a gradient has arguments of floats"
        return wrt

    def _of(self, inputs: list[Any]) -> list[str]:
        outputs = zip(self.program.output_names, self.program(*inputs), strict=True)
        of = [name for name, out in outputs if np.asarray(out).dtype.kind in "fc"]
        assert of, "a case with a gradient has results of floats"
        return of

    def reversed(self, inputs: list[Any]) -> tuple[Any, list[Any]]:
        """The program of the gradients, and cotangents for it."""
        random = np.random.default_rng(5)
        of = self._of(inputs)
        outputs = dict(zip(self.program.output_names, self.program(*inputs), strict=True))
        cotangents = [_random_like(random, outputs[name]) for name in of]
        return reverse(self.program, self._wrt(), of, keep_outputs=False), cotangents

    def gradients_agree(self, tolerance: float = 2e-6) -> None:
        """Check the reversed program against finite differences in random directions."""
        inputs = self.reading.inputs(self.case.arguments(), {})
        reversed_program, cotangents = self.reversed(inputs)
        wrt, of = self._wrt(), self._of(inputs)
        gradients = dict(zip(wrt, reversed_program(*inputs, *cotangents), strict=True))
        random = np.random.default_rng(6)
        places = {variable.name: at for at, variable in enumerate(self.program.inputs)}
        directions = {name: _random_like(random, inputs[places[name]]) for name in wrt}

        def along(step: float) -> float:
            moved = list(inputs)
            for name, direction in directions.items():
                moved[places[name]] = inputs[places[name]] + step * direction
            made = dict(zip(self.program.output_names, self.program(*moved), strict=True))
            return sum(_inner(cotangent, made[name]) for name, cotangent in zip(of, cotangents, strict=True))

        step = 1e-5
        expected = (8 * (along(step) - along(-step)) - (along(2 * step) - along(-2 * step))) / (12 * step)
        found = sum(_inner(gradients[name], direction) for name, direction in directions.items())
        np.testing.assert_allclose(found, expected, tolerance, tolerance)


def check_values(case: Case) -> None:
    """Check a case against Python's own run: with its arguments, and with others."""
    found = Read(case)
    found.agrees(case.arguments())
    if case.again is not None:
        found.agrees(case.again())


def check_gradients(case: Case) -> None:
    """Check a case's gradients against finite differences."""
    Read(case).gradients_agree()


def as_text(program: Any) -> Callable[..., tuple[Any, ...]]:
    """A program as readable Python, defined."""
    procedure = lower(program)
    space: dict[str, Any] = {}
    exec(compile(python_text(procedure), f"<text of {procedure.name}>", "exec"), space)
    function = space[procedure.name]
    return (lambda *inputs: (function(*inputs),)) if len(procedure.results) == 1 else function


def check_text(case: Case) -> None:
    """Check that the program's text, and that of its gradients, give what the programs give."""
    found = Read(case)
    inputs = found.reading.inputs(case.arguments(), {})
    before = deepcopy(inputs)
    outputs = as_text(found.program)(*inputs)
    found.same(list(outputs), list(found.program(*inputs)), "the text's outputs")
    np.testing.assert_equal(inputs, before)
    if not case.gradient:
        return
    reversed_program, cotangents = found.reversed(inputs)
    gradients = as_text(reversed_program)(*inputs, *cotangents)
    for one, other in zip(gradients, reversed_program(*inputs, *cotangents), strict=True):
        np.testing.assert_allclose(one, other, 1e-11, 1e-12)
    np.testing.assert_equal(inputs, before)


def _random_like(random: np.random.Generator, value: Any) -> Any:
    array = np.asarray(value)
    drawn = random.standard_normal(array.shape)
    drawn = drawn + 1j * random.standard_normal(array.shape) if array.dtype.kind == "c" else drawn
    return drawn.astype(array.dtype)[()]


def _inner(one: Any, other: Any) -> float:
    return float(np.real(np.vdot(one, other)))


def check_compiled(case: Case) -> None:
    """Check that compiled loop nests give the gradients that the program gives: up to the order of sums."""
    found = Read(case)
    inputs = found.reading.inputs(case.arguments(), {})
    before = deepcopy(inputs)
    reversed_program, cotangents = found.reversed(inputs)
    gradients = runnable(reversed_program, "numba").run(*inputs, *cotangents)
    for one, other in zip(gradients, reversed_program(*inputs, *cotangents), strict=True):
        np.testing.assert_allclose(one, other, 1e-11, 1e-12)
    np.testing.assert_equal(inputs, before)
