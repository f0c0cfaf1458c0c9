"""Where the parts of loop nests go, and the names and facts that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from retrograde.program.model import Place
from retrograde.program.types import Extent, Size
from retrograde.python.lowering.model import Name
from retrograde.python.nests.parts.affine import Affine, Facts, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices
from retrograde.python.nests.parts.model import Constant, Let, Line, Local, Nest, Part, Scalar, Step, Suite, Whole


class Emitter:
    """Parts in their order, with the state that all of them share.

    Args:
        texts: how each name of the procedure is written.
        bindings: how often each name is bound.
        sizes: the variables that hold the named sizes of the parameters.
        least_size: what these are at least.

    Attributes:
        facts: bounds of integer variables.
        out: where parts go.
    """

    def __init__(
        self, texts: dict[Name, str], bindings: Counter[Name], sizes: dict[str, Affine], least_size: int
    ) -> None:
        self.texts = texts
        self.bindings = bindings
        self.sizes = sizes
        self.facts = Facts()
        self.out: list[Part] = []
        self.views: dict[Name, Field] = {}
        self.wholes: dict[Name, Affine] = {}
        self.extents: dict[str, Indices] = {}
        self.constants: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.stacks: Any = None
        self.checked: frozenset[str] = frozenset()
        self.held: dict[Any, Affine] = {}
        self.functions: dict[str, str] = {}
        self.namespace: dict[str, Any] = {}
        self.reasons: list[tuple[Place | None, str]] = []
        self.place: Place | None = None
        self.last_reads: frozenset[str] = frozenset()
        self.unstable = {text for name, text in texts.items() if bindings[name] > 1}
        self.given: set[str] = {name for size in sizes.values() for name in size.names}
        self._taken = set(texts.values())
        self._names = {text: name for name, text in texts.items()}
        self._axes: dict[tuple[str, int], str] = {}
        for size in sizes.values():
            for name in size.names:
                self._taken.add(name)
                self.facts.lower.setdefault(name, affine(least_size))

    # Names.

    def fresh(self, hint: str) -> str:
        """A name that no variable of the text has."""
        name = next(name for name in _numbered(hint) if name not in self._taken)
        self._taken.add(name)
        return name

    def base_of(self, array: str) -> str:
        """One of the names that may share an array with a name: the same for all of them."""
        while array in self.aliases:
            array = self.aliases[array]
        return array

    def alias(self, one: str, other: str) -> None:
        """Take note that two names may stand for the same array."""
        one, other = self.base_of(one), self.base_of(other)
        if one != other:
            self.aliases[one] = other

    def extent(self, size: Extent) -> Affine | None:
        """A size that is known before the run, or held by a variable."""
        if isinstance(size, Size):
            base = self.sizes.get(size.name)
            return None if base is None else base + size.offset
        return None if size is None else affine(size)

    # Parts.

    def line(self, text: str, reads: Any = (), writes: Any = (), makes: str | None = None) -> None:
        """Put a statement: `name = …` binds the name, everything else that it writes are elements."""
        writes = frozenset({writes} if isinstance(writes, str) else writes)
        reads = frozenset({reads} if isinstance(reads, str) else reads)
        binds = {name for name in writes if text.startswith((f"{name} = ", f"{name} += "))}
        self.out.append(Line(text, reads, writes, makes, frozenset(binds)))

    def nest(self, extents: Indices, steps: list[Step], loops: list[str], free: bool = True) -> None:
        """Put loops around steps."""
        self.out.append(Nest(loops, list(extents), steps, free))

    def loops(self, rank: int) -> list[str]:
        """New index variables."""
        return [self.fresh(f"k{axis}") for axis in range(rank)]

    def reached(self) -> tuple[int, int, frozenset[str], dict[Any, Affine]]:
        """Where parts go now, and what holds there: `back_to` takes back what was put since."""
        return len(self.out), len(self.reasons), self.checked, dict(self.held)

    def back_to(self, reached: tuple[int, int, frozenset[str], dict[Any, Affine]]) -> None:
        """Take back the parts that were put since, and what they set."""
        parts, reasons, self.checked, self.held = reached
        del self.out[parts:], self.reasons[reasons:]

    @contextmanager
    def inside(self, header: str, reads: Any = (), writes: Any = ()) -> Generator[Suite]:
        """A context in which parts go under a header."""
        suite = Suite(header, [], frozenset(reads), frozenset(writes))
        self.out.append(suite)
        with self.into(suite.body):
            yield suite

    @contextmanager
    def into(self, parts: list[Part]) -> Generator[None]:
        """A context in which parts go to the end of others."""
        around, self.out = self.out, parts
        checked, held = self.checked, dict(self.held)
        try:
            yield
        finally:
            self.out = around
            self.checked, self.held = checked, held

    def let(self, value: Scalar, hint: str = "s") -> Scalar:
        """A scalar in a variable."""
        if isinstance(value, (Constant, Local, Whole)):
            return value
        name = self.fresh(hint)
        self.out.append(Nest([], [], [Let(name, value)]))
        return Local(name, value.dtype)

    # What the run checks, and what is known.

    def together(self, *shapes: Indices) -> Indices:
        """The extents of operands broadcast together; where only the run knows whether they fit, it checks."""
        rank = max(map(len, shapes))
        result: list[Affine] = []
        for axis in range(rank):
            found = [shape[axis - rank + len(shape)] for shape in shapes if axis - rank + len(shape) >= 0]
            wide = list(dict.fromkeys(extent for extent in found if extent != affine(1)))
            result.append(wide[0] if wide else affine(1))
            for other in wide[1:]:
                self.same(wide[0], other)
        return tuple(result)

    def same(self, one: Affine, other: Affine) -> None:
        """Have the run check that two extents are equal, unless they certainly are."""
        difference = one - other
        if difference == affine(0) or (
            self.facts.never_negative(difference) and self.facts.never_negative(difference.times(-1))
        ):
            return
        first, second = sorted((str(one), str(other)))
        self.check(f"{first} != {second}", (one, other), "ValueError", "sizes that have to be equal are not")

    def check(self, condition: str, involved: Indices, kind: str, message: str, guarded: Affine | None = None) -> None:
        """Have the run raise where a condition holds, before anything reads what is guarded, or else is involved."""
        names = frozenset(name for value in involved for name in value.names)
        text = f"if {condition}: raise {kind}({message!r})"
        if text in self.checked:
            return
        if not names & self.unstable:
            self.checked = self.checked | {text}
        guards = frozenset(guarded.names) if guarded is not None else frozenset[str]()
        self.out.append(Line(text, names, guards=guards or names))

    def named(self, text: str, involved: Indices) -> Affine:
        """An expression of integers that is not negative, in a variable: the same one for the same expression."""
        if text in self.held:
            return self.held[text]
        names = {each for value in involved for each in value.names}
        name = self.fresh("p")
        self.line(f"{name} = {text}", names, {name})
        self.facts.lower[name] = affine(0)
        found = variable(name)
        if not names & self.unstable:
            self.held[text] = found
        return found

    def is_given(self, value: Affine) -> bool:
        """Whether it depends on the parameters and their sizes alone."""
        return all(name in self.given for name in value.names)

    def is_unstable(self, value: Affine) -> bool:
        """Whether it depends on a variable that is bound at several places."""
        return any(name in self.unstable for name in value.names)


def _numbered(hint: str) -> Iterator[str]:
    yield hint
    for number in count(2):
        yield f"{hint}_{number}"
