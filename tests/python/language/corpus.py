"""A corpus of small functions, and what is asked of each: Python's own values, and gradients by finite differences."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrograde.autodiff.containers import leaves
from retrograde.autodiff.programs.reversal import reverse
from retrograde.python.reading import read


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

    def gradients_agree(self, tolerance: float = 2e-6) -> None:
        """Check the reversed program against finite differences in random directions."""
        random = np.random.default_rng(5)
        inputs = self.reading.inputs(self.case.arguments(), {})
        wrt = [variable.name for variable in self.program.inputs if variable.type.differentiable]  # pyright: ignore
        outs = dict(zip(self.program.output_names, self.program(*inputs), strict=True))
        of = [name for name, out in outs.items() if np.asarray(out).dtype.kind in "fc"]
        assert wrt, "a case with a gradient has arguments of floats"
        assert of, "a case with a gradient has results of floats"
        cotangents = [_random_like(random, outs[name]) for name in of]
        gradients = dict(
            zip(wrt, reverse(self.program, wrt, of, keep_outputs=False)(*inputs, *cotangents), strict=True)
        )
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


def _random_like(random: np.random.Generator, value: Any) -> Any:
    array = np.asarray(value)
    drawn = random.standard_normal(array.shape)
    drawn = drawn + 1j * random.standard_normal(array.shape) if array.dtype.kind == "c" else drawn
    return drawn.astype(array.dtype)[()] if not isinstance(value, float) else float(drawn)


def _inner(one: Any, other: Any) -> float:
    return float(np.real(np.vdot(one, other)))
