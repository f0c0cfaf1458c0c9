"""An explanation of a derivative: where it runs, what it keeps, what it computes again, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from retrograde.graph.units import format_bytes


@dataclass(frozen=True)
class Kept:
    """A value of the forward pass that is kept for the backward pass.

    Attributes:
        name: of the value.
        function, line: where it is computed; None where the source does not say.
        iterations: for how many iterations of a loop it is kept; None if it is no value of a loop, or if only the run
            tells how many there are.
        bytes: for the arguments of the call; None where only the run can tell.
        in_loop: whether each iteration of a loop keeps one.
        read_by: the lines in whose reversal it is read.
    """

    name: str
    function: str | None
    line: int | None
    iterations: int | None
    bytes: int | None
    in_loop: bool
    read_by: tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """Something about a place of the source, in words."""

    function: str | None
    line: int | None
    text: str


@dataclass(frozen=True)
class Budgeted:
    """A plan for the sizes of a call.

    Attributes:
        budget_bytes: what may be held; None without a limit.
        peak_bytes: what the plan holds at most.
        store_all_bytes: what keeping everything would hold.
        overhead: the time for computing again, as a fraction of the time without.
    """

    budget_bytes: int | None
    peak_bytes: int
    store_all_bytes: int
    overhead: float

    def __str__(self) -> str:
        limit = "no limit" if self.budget_bytes is None else format_bytes(self.budget_bytes)
        return (
            f"{limit}: at most {format_bytes(self.peak_bytes)} at once ({format_bytes(self.store_all_bytes)} with "
            f"everything kept), for {self.overhead:.0%} more time"
        )


@dataclass(frozen=True)
class Explanation:
    """What a derivative does. Print it, or take `to_json()`.

    Attributes:
        function: what is differentiated.
        backend: what it runs on: "tape", "python" or "numba".
        reason: why it does.
        read: whether its source was read; without that, nothing below is known.
        kept: what of the forward pass is kept for the backward pass.
        recomputed: what of the forward pass is computed again in the backward pass.
        compiled_regions: how many compiled functions there are.
        in_python: what runs as Python where the rest is compiled, and why.
        loops: how each loop keeps to the budget.
        budget: what the plan of this call amounts to; None without a budget or a strategy.
    """

    function: str
    backend: str
    reason: str
    read: bool
    kept: tuple[Kept, ...] = ()
    recomputed: tuple[Part, ...] = ()
    compiled_regions: int = 0
    in_python: tuple[Part, ...] = ()
    loops: tuple[Part, ...] = ()
    budget: Budgeted | None = None

    @property
    def kept_bytes(self) -> int | None:
        """All that is kept, together; None where only the run can tell."""
        sizes = [kept.bytes for kept in self.kept]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def to_json(self) -> dict[str, Any]:
        """Everything, as what JSON can hold."""
        return {**asdict(self), "kept_bytes": self.kept_bytes}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        yield f"The derivative of {self.function}"
        yield f"  backend     {self.backend}: {self.reason}"
        if not self.read:
            return
        if self.budget is not None:
            yield f"  budget      {self.budget}"
        yield from _listed("kept", f"{_bytes(self.kept_bytes)} of the forward pass", map(_kept_line, self.kept))
        yield from _listed("recomputed", "", map(_part_line, self.recomputed))
        yield from _listed("loops", "", map(_part_line, self.loops), always=False)
        if self.backend == "numba":
            yield f"  compiled    {self.compiled_regions} {'region' if self.compiled_regions == 1 else 'regions'}"
            yield from _listed("in Python", "", map(_part_line, self.in_python))


def _bytes(count: int | None) -> str:
    return "as much as the run needs" if count is None else format_bytes(count)


def _listed(title: str, total: str, lines: Iterable[str], always: bool = True) -> Iterator[str]:
    found = list(lines)
    if not found and not always:
        return
    yield f"  {title:<11} {total if found and total else 'nothing' if not found else ''}".rstrip()
    yield from (f"    {line}" for line in found)


def _where(function: str | None, line: int | None) -> str:
    return f"{function}, line {line}" if line is not None else "no line of the source"


def _kept_line(kept: Kept) -> str:
    each = ""
    if kept.in_loop:
        each = (
            f", one for each of {kept.iterations:,} iterations" if kept.iterations is not None else ", one an iteration"
        )
    lines = ", ".join(map(str, kept.read_by))
    why = f": the reversal of line {lines} reads it" if lines else ""
    return f"{kept.name} ({_where(kept.function, kept.line)}), {_bytes(kept.bytes)}{each}{why}"


def _part_line(part: Part) -> str:
    return part.text if part.line is None else f"{part.text} ({_where(part.function, part.line)})"
