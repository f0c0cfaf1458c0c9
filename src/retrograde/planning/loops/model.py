"""What a loop costs: its steps, states and residuals, and the slower tier beside memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, SupportsIndex, TypeVar, cast

from retrograde.errors import UsageError

Bytes = int | tuple[int, ...]
Cost = float | tuple[float, ...]
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Disk:
    """A tier beside memory that states can be stored in. Its bytes are no part of the budget for memory.

    Args:
        budget_bytes: the most bytes of states stored there at a time; None for as many as there are.
        write_cost: of storing one state, in the unit of the loop's costs; for each state, or one for all.
        read_cost: of restoring one state; for each state, or one for all.

    Raises:
        UsageError: a number is negative or not finite.

    Example:
        >>> Disk(budget_bytes=10**9, write_cost=2, read_cost=2.5)
        Disk(budget_bytes=1000000000, write_cost=2, read_cost=2.5)
    """

    budget_bytes: int | None = None
    write_cost: Cost = 0
    read_cost: Cost = 0

    def __post_init__(self) -> None:
        if self.budget_bytes is not None:
            object.__setattr__(self, "budget_bytes", read_count(self.budget_bytes, "budget_bytes of the disk"))
        for name in ("write_cost", "read_cost"):
            object.__setattr__(self, name, _read_many(getattr(self, name), f"{name} of the disk", None, _read_cost))


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop of n steps whose gradient is wanted. State k is what step k starts from.

    A number that is the same for every step is written once; one that differs is a sequence of n.

    Args:
        steps: how many there are; 0 is allowed.
        state_bytes: of state k, when it is stored.
        residual_bytes: of what step k keeps for its reversal, live from its ``Record`` to its ``Reverse``. None says
            that residuals cannot be kept: a step is reversed at once after it was recorded, and their bytes are part
            of ``reverse_workspace_bytes``.
        step_cost: of running step k once.
        reverse_cost: of reversing step k, without running it.
        workspace_bytes: live while step k runs, beside what is stored: the state it starts from and the one it makes.
        reverse_workspace_bytes: live while step k is reversed, beside what is stored, such as cotangents.
        disk: a slower tier for states, or None.

    Raises:
        UsageError: a number is negative, not finite or of a wrong type, or a sequence has another length than n.

    Example:
        >>> loop = Loop(3, state_bytes=(8, 8, 16), residual_bytes=24)
        >>> loop.state(2), loop.residual(2), loop.uniform
        (16, 24, False)
    """

    steps: int
    state_bytes: Bytes
    residual_bytes: Bytes | None = None
    step_cost: Cost = 1
    reverse_cost: Cost = 0
    workspace_bytes: Bytes = 0
    reverse_workspace_bytes: Bytes = 0
    disk: Disk | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", read_count(self.steps, "steps"))
        for name in ("state_bytes", "residual_bytes", "workspace_bytes", "reverse_workspace_bytes"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _read_many(getattr(self, name), name, self.steps, read_count))
        for name in ("step_cost", "reverse_cost"):
            object.__setattr__(self, name, _read_many(getattr(self, name), name, self.steps, _read_cost))
        if self.disk is not None:
            for name in ("write_cost", "read_cost"):
                _check_length(getattr(self.disk, name), f"{name} of the disk", self.steps)

    @property
    def keeps_residuals(self) -> bool:
        """Whether residuals of several steps may be live at a time."""
        return self.residual_bytes is not None

    @property
    def uniform(self) -> bool:
        """Whether every step is like every other, the cost of reversing them aside."""
        numbers: list[object] = [self.state_bytes, self.residual_bytes, self.step_cost]
        numbers += [self.workspace_bytes, self.reverse_workspace_bytes]
        if self.disk is not None:
            numbers += [self.disk.write_cost, self.disk.read_cost]
        return not any(isinstance(number, tuple) for number in numbers)

    def state(self, step: int) -> int:
        """Bytes of the state that a step starts from."""
        return at(self.state_bytes, step)

    def residual(self, step: int) -> int:
        """Bytes that a step keeps for its reversal; 0 if they are part of the workspace."""
        return 0 if self.residual_bytes is None else at(self.residual_bytes, step)

    def running_bytes(self, step: int) -> int:
        """Bytes live while a step runs and its residuals are kept, beside what was stored before."""
        return self.residual(step) + at(self.workspace_bytes, step)

    def reversing_bytes(self, step: int) -> int:
        """Bytes live while a step is reversed, its residuals included, beside what else is stored."""
        return self.residual(step) + at(self.reverse_workspace_bytes, step)

    def needed_bytes(self, step: int) -> int:
        """The larger of the two: what recording and then reversing a step takes."""
        return max(self.running_bytes(step), self.reversing_bytes(step))

    @property
    def base_cost(self) -> float:
        """The cost of running and reversing every step once."""
        return total(self.step_cost, 0, self.steps) + total(self.reverse_cost, 0, self.steps)


def at(numbers: _Number | tuple[_Number, ...], step: int) -> _Number:
    """One number out of one for all, or one for each."""
    return numbers[step] if isinstance(numbers, tuple) else numbers


def total(numbers: Cost, start: int, stop: int) -> float:
    """The sum over steps ``start`` to ``stop - 1``; exact for ints, rounded once for floats."""
    if not isinstance(numbers, tuple):
        return numbers * (stop - start)
    part = numbers[start:stop]
    return sum(part) if all(isinstance(number, int) for number in part) else math.fsum(part)


def largest(numbers: Bytes, start: int, stop: int) -> int:
    """The largest over steps ``start`` to ``stop - 1``, of which there is at least one."""
    return max(numbers[start:stop]) if isinstance(numbers, tuple) else numbers


def read_count(value: object, name: str) -> int:
    """An int of 0 or more."""
    try:
        count = operator.index(cast(SupportsIndex, value))
    except TypeError:
        raise UsageError(f"{name} of {value!r} is not an int of 0 or more") from None
    if isinstance(value, bool) or count < 0:
        raise UsageError(f"{name} of {value!r} is not an int of 0 or more")
    return count


def _read_cost(value: object, name: str) -> float:
    # NumPy's numbers become Python's, so that a plan can be written as JSON.
    number = value.item() if hasattr(value, "item") else value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]
    refusal = UsageError(f"{name} of {value!r} is not a finite number of 0 or more")
    if not isinstance(number, Real) or value is True or value is False:
        raise refusal
    cost = number if isinstance(number, int) else float(number)
    if not math.isfinite(cost) or cost < 0:
        raise refusal
    return cost


def _read_many(value: object, name: str, count: int | None, read: Callable[[object, str], float]) -> Any:
    if not isinstance(value, Iterable):
        return read(value, name)
    numbers = tuple(read(number, f"{name}[{step}]") for step, number in enumerate(cast(Sequence[object], value)))
    if count is not None:
        _check_length(numbers, name, count)
    alike = len(set(numbers)) == 1 and len({type(number) for number in numbers}) == 1
    return numbers[0] if alike else numbers or 0


def _check_length(numbers: object, name: str, count: int) -> None:
    if isinstance(numbers, tuple) and len(cast(tuple[object, ...], numbers)) != count:
        length = len(cast(tuple[object, ...], numbers))
        raise UsageError(f"{name} has {length} entries for a loop of {count} steps; give one for each, or one number")
