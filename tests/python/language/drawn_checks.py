"""What is asked of a random function: values as Python gives them, gradients as differences give, in every form."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from language.corpus import as_text, function_of, leaves_of
from language.drawn_functions import Drawer
from retrograde.autodiff.programs.reversal import reverse
from retrograde.errors import UnsupportedError
from retrograde.program.model import Program
from retrograde.python.lowering import lower
from retrograde.python.nests import nests_of
from retrograde.python.nests.demoted import Demoted
from retrograde.python.reading import read


@dataclass(frozen=True)
class Drawn:
    """A random function.

    Attributes:
        drawer: what writes it.
        seed: of the arguments and cotangents.
    """

    drawer: Drawer
    seed: int

    @cached_property
    def source(self) -> str:
        """Its text."""
        return self.drawer.source()

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function `f` of the text, whose source can be had as if it stood in a file."""
        return function_of(self.drawer.helpers + self.source, str(self.seed))

    def given(self) -> tuple[Any, ...]:
        """Arguments for it, made anew."""
        return self.drawer.arguments(self.seed)

    def read(self) -> ReadFunction | None:
        """What was read of it, or None where it is refused."""
        try:
            return ReadFunction(self, read(self.function, self.given(), {}))
        except UnsupportedError:
            return None


class ReadFunction:
    """A random function that was read."""

    def __init__(self, drawn: Drawn, reading: Any) -> None:
        self.source = drawn.source
        self.reading = reading
        self.program: Program = reading.program
        self.inputs: list[Any] = reading.inputs(drawn.given(), {})
        self.random = np.random.default_rng(drawn.seed)
        made = self.program(*self.inputs)
        self.outputs = dict(zip(self.program.output_names, made, strict=True))
        self.wrt = [variable.name for variable in self.program.inputs if variable.type.differentiable]
        self.of = [name for name, value in self.outputs.items() if np.asarray(value).dtype.kind in "fc"]
        self.cotangents = [self._like(self.outputs[name]) for name in self.of]
        values = (*self.inputs, *self.outputs.values())
        self.short = any(np.asarray(value).dtype in (np.float32, np.complex64) for value in values)

    def _like(self, value: Any) -> Any:
        array = np.asarray(value)
        drawn = self.random.standard_normal(array.shape)
        drawn = drawn + 1j * self.random.standard_normal(array.shape) if array.dtype.kind == "c" else drawn
        return np.asarray(drawn).astype(array.dtype)[()]

    @cached_property
    def reversed(self) -> Program:
        """The program of its gradients."""
        return reverse(self.program, self.wrt, self.of, keep_outputs=False)

    @cached_property
    def gradients(self) -> tuple[Any, ...]:
        """What that gives, evaluated."""
        return self.reversed(*self.inputs, *self.cotangents)

    def values_agree(self, drawn: Drawn) -> None:
        """Check results and changed arguments against Python's own run."""
        mine = drawn.given()
        expected = leaves_of(drawn.function(*mine))
        found = leaves_of(self.reading.rebuild_return([self.outputs[name] for name in self.reading.returned]))
        np.testing.assert_equal(len(found), len(expected))
        for one, other in zip(found, expected, strict=True):
            self.close(one, other, "the return value")
        names = drawn.source[drawn.source.index("(") + 1 : drawn.source.index(")")].split(", ")
        for name, before, changed in zip(names, drawn.given(), mine, strict=True):
            if name not in self.reading.unclear and isinstance(changed, np.ndarray):
                value = self.outputs[name] if name in self.reading.mutated else before
                self.close(value, changed, f"the argument {name}")

    def text_agrees(self) -> None:
        """Check the readable text of the gradients against what they are."""
        given = deepcopy(self.inputs)
        self._all_close(as_text(self.reversed)(*given, *self.cotangents), "the text")

    def nests_agree(self) -> bool:
        """Check the loop nests of the gradients, run by Python; False where there are none."""
        try:
            nests = nests_of(lower(self.reversed))
        except Demoted:
            return False
        names: dict[str, Any] = dict(nests.namespace)
        exec(compile(nests.text, "<nests>", "exec"), names)
        self._all_close(names[nests.driver](*self.inputs, *self.cotangents), "the loop nests")
        return True

    def differences_agree(self) -> bool:
        """Check the gradients against differences along a direction; False where they do not converge."""
        names = [variable.name for variable in self.program.inputs]
        places = [names.index(name) for name in self.wrt]
        directions = [self._like(self.inputs[place]) for place in places]

        def along(step: float) -> float:
            moved = list(self.inputs)
            for place, direction in zip(places, directions, strict=True):
                moved[place] = moved[place] + step * direction
            made = dict(zip(self.program.output_names, self.program(*moved), strict=True))
            return sum(_inner(part, made[name]) for name, part in zip(self.of, self.cotangents, strict=True))

        found = sum(_inner(one, other) for one, other in zip(self.gradients, directions, strict=True))
        steps = (2e-3, 1e-3) if self.short else (2e-6, 1e-6)
        first, second = ((along(step) - along(-step)) / (2 * step) for step in steps)
        scale = max(1.0, abs(first))
        if abs(first - second) > (1e-2 if self.short else 1e-6) * scale:
            return False
        tolerance = (3e-2 if self.short else 1e-5) * scale
        assert abs(found - second) < tolerance, f"gradient {found}, differences {second} of\n{self.source}"
        return True

    def _all_close(self, found: Any, what: str) -> None:
        for one, other in zip(found, self.gradients, strict=True):
            self.close(one, other, what, 1e-9, 1e-10)

    def close(self, one: Any, other: Any, what: str, relative: float = 1e-12, absolute: float = 1e-13) -> None:
        """Check that two values agree, up to the precision of the shortest numbers in the function."""
        relative, absolute = (1e-3, 1e-3) if self.short else (relative, absolute)
        np.testing.assert_allclose(one, other, relative, absolute, err_msg=f"{what} of\n{self.source}")


def _inner(one: Any, other: Any) -> float:
    return float(np.real(np.vdot(one, other)))
