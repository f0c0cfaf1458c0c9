"""The pool: it evaluates what runs on a tape with a budget, and drops and recomputes arrays to stay within.

While a tape records, each operation makes cells that know how they were computed. Where there is no room for the
next result, cells are dropped; where a dropped cell is read, it is computed again, and so are the dropped cells that it
is computed from. In the backward pass nothing is recorded: what it computes stays until it is used up.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any
from weakref import ref

import numpy as np

from retrograde.autodiff.budgeted.account import Account
from retrograde.autodiff.budgeted.cell import TINY_BYTES, Cell, Step
from retrograde.autodiff.budgeted.policies import Policy
from retrograde.autodiff.budgeted.queue import Candidates
from retrograde.autodiff.budgeted.sizes import estimated_cost, expected_bytes
from retrograde.errors import BudgetError
from retrograde.program.kinds import is_ndarray

_IDLE_FOR = 8


class Pool:
    """The arrays of a tape with a budget.

    Attributes:
        account: the bytes that are held, and what was done.
        policy: what is dropped when.
        clock: how many operations ran.
        position: where the recording, or the backward pass through it, stands: the index of the last cell that was
            made or asked for.
    """

    def __init__(self, account: Account, policy: Policy) -> None:
        self.account = account
        self.policy = policy
        self.clock = 0
        self.position = 0
        self._count = 0
        self._settled = False
        self._candidates = Candidates(self)
        self._idle: deque[Cell] = deque()
        self._free_of_charge: dict[int, Any] = {}
        self._constants: dict[int, Cell] = {}
        self._alive: dict[int, Any] = {}

    # What comes in.

    def foreign(self, array: Any) -> None:
        """An array that was there before the call, and does not count."""
        if is_ndarray(array):
            self._free_of_charge[id(array)] = array
            self._free_of_charge[id(owner(array))] = array

    def constant(self, array: Any) -> Cell:
        """The cell for an array that this pool has not computed.

        It counts for as long as it lives, since residuals may hold it.
        """
        cell = self._constants.get(id(array))
        if cell is None:
            if is_ndarray(array) and id(array) not in self._alive and not self._is_free(array):
                self._count_while_alive(array)
            cell = self._constants[id(array)] = self._new_cell(array)
            self._arrive(cell, 0)
        return cell

    def _is_free(self, array: Any) -> bool:
        return id(array) in self._free_of_charge or id(owner(array)) in self._free_of_charge

    def _count_while_alive(self, array: Any) -> None:
        key, data_bytes = id(array), min(array.nbytes, owner(array).nbytes)
        self._make_room(data_bytes, "(one that reads a constant)", [])
        self.account.hold(data_bytes)
        account, alive = self.account, self._alive

        def died(_: Any) -> None:
            del alive[key]
            account.hold(-data_bytes)

        alive[key] = ref(array, died)

    # Evaluation.

    def run(self, primitive: Any, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Evaluate an operation: the cell of its result, or a tuple of those of its results.

        Args:
            primitive: what to evaluate: a primitive, or a ufunc as one.
            operands: cells of this pool, and whatever else it takes.
            static: its static parameters.

        Raises:
            BudgetError: there is no room for it.
        """
        step = Step(primitive.name, primitive.evaluate, operands, static, bool(primitive.outputs))
        roots = list(step.roots())
        pinned: list[Cell] = []
        try:
            for root in roots:
                self._require(root)
                root.pins += 1
                pinned.append(root)
            return self._first_run(primitive, step, roots)
        finally:
            for root in pinned:
                root.pins -= 1
                if not root.handles and not root.dependents:
                    self._forget(root)
            if self.policy.drops_idle and not self._settled:
                self._drop_idle()

    def value_of(self, cell: Cell) -> Any:
        """The array of a cell, computed again if it was dropped."""
        self._require(cell.root)
        return self._taken(cell)

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Cell:
        """The cell of an array of zeros."""
        step = Step("zeros", lambda: np.zeros(shape, dtype), (), {}, False)
        self._make_room(prod(shape) * dtype.itemsize, "zeros", [])
        return self._admit(step, step.evaluate(), [])

    def _first_run(self, primitive: Any, step: Step, roots: list[Cell]) -> Any:
        values = [self._taken(operand) if type(operand) is Cell else operand for operand in step.operands]
        begin = self.account.now()
        self._make_room(expected_bytes(primitive, values, step.static), step.name, roots)
        out = step.evaluate(*values, **step.static)
        made = tuple(
            self._admit(step, result, values, place) for place, result in enumerate(out if step.several else (out,))
        )
        step.result_bytes = sum(cell.data_bytes for cell in made if type(cell) is Cell and cell.root is cell)
        step.cost = estimated_cost(step.name, values, step.result_bytes)
        if step.result_bytes:
            self.clock += 1
            self.account.computed(step.name, self._count, begin, again=False)
        del values, out
        # Some operations tell only afterwards what they take.
        self._make_room(0, step.name, roots)
        return made if step.several else made[0]

    def _admit(self, step: Step, result: Any, values: list[Any], place: int = 0) -> Any:
        """The cell of a result; numbers that have no derivative are results by themselves."""
        if not hasattr(result, "dtype") or (result.shape == () and result.dtype.kind in "biu"):
            return result
        cell = self._new_cell(result)
        cell.step, cell.place = step, place
        memory = owner(result)
        for operand, value in zip(step.operands, values, strict=True) if values else ():
            if type(operand) is Cell and value is not None and owner(value) is memory:
                cell.root, cell.value = operand.root, None
                return cell
        droppable = not self._settled and memory.nbytes > TINY_BYTES
        if not droppable:
            cell.step = None
        self._arrive(cell, memory.nbytes)
        if droppable:
            for root in step.roots():
                root.dependents.add(cell)
            self.policy.note(cell)
            self._candidates.add(cell)
            if self.policy.drops_idle:
                self._idle.append(cell)
        return cell

    def _new_cell(self, value: Any) -> Cell:
        self._count += 1
        if not self._settled:
            self.position = self._count
        return Cell(self, value, self._count)

    def _arrive(self, cell: Cell, data_bytes: int) -> None:
        cell.data_bytes = data_bytes
        cell.last_read = self.clock
        cell.arrivals += 1
        self.account.hold(data_bytes)

    def _taken(self, cell: Cell) -> Any:
        """The array of a cell whose root is there."""
        cell.root.last_read = self.clock
        if cell.root is cell:
            return cell.value
        step = cell.step
        assert step is not None
        values = [self._taken(operand) if type(operand) is Cell else operand for operand in step.operands]
        out = step.evaluate(*values, **step.static)
        return out[cell.place] if step.several else out

    # Recomputation.

    def _require(self, root: Cell) -> None:
        """See to it that the value of a cell is there."""
        if self._settled and root.step is not None:
            self.position = root.index
        if root.value is None:
            try:
                self._recompute(root)
            except BudgetError:
                self._recompute_on_demand(root)

    def _recompute(self, wanted: Cell) -> None:
        """Each dropped cell that is needed, once: what any of them reads stays until then."""
        order = _dropped_before(wanted)
        readers: Counter[Cell] = Counter()
        for cell in order:
            readers.update(_roots_of(cell))
        for root, count in readers.items():
            root.pins += count
        try:
            for cell in order:
                self._run_again(cell)
                for root in _roots_of(cell):
                    root.pins -= 1
                    readers[root] -= 1
        finally:
            for root, count in readers.items():
                root.pins -= count

    def _recompute_on_demand(self, wanted: Cell) -> None:
        """With no more in place than one operation after the other reads; perhaps some of them more than once."""
        path = [(wanted, _latest_dropped_first(wanted))]
        pinned: list[list[Cell]] = [[]]
        try:
            while path:
                cell, roots = path[-1]
                for root in roots:
                    root.pins += 1
                    pinned[-1].append(root)
                    if root.value is None:
                        path.append((root, _latest_dropped_first(root)))
                        pinned.append([])
                        break
                else:
                    self._run_again(cell)
                    path.pop()
                    _unpin(pinned.pop())
        finally:
            for cells in pinned:
                _unpin(cells)

    def _run_again(self, cell: Cell) -> None:
        step = cell.step
        assert step is not None
        begin = self.account.now()
        self.clock += 1
        self._make_room(step.result_bytes, step.name, list(step.roots()))
        values = [self._taken(operand) if type(operand) is Cell else operand for operand in step.operands]
        out = step.evaluate(*values, **step.static)
        cell.value = out[cell.place] if step.several else out
        self._arrive(cell, cell.data_bytes)
        self._candidates.add(cell)
        if self.policy.drops_idle and not self._settled:
            self._idle.append(cell)
        self.account.computed(step.name, cell.index, begin, again=True)

    # Room.

    def _make_room(self, count: int, name: str, roots: list[Cell]) -> None:
        account = self.account
        while account.held_bytes + count > account.limit:
            cell = self._candidates.pop()
            if cell is None:
                raise account.no_room(name, sum(root.data_bytes for root in set(roots)), count)
            self._drop(cell)
        account.peak_bytes = max(account.peak_bytes, account.held_bytes + count)

    def _drop(self, cell: Cell) -> None:
        cell.value = None
        self.account.hold(-cell.data_bytes)
        self.account.dropped(cell.index)

    def _drop_idle(self) -> None:
        while self._idle and self._idle[0].index <= self._count - _IDLE_FOR:
            cell = self._idle.popleft()
            if cell.value is None or self.policy.must_keep(cell):
                continue
            if cell.pins or cell.last_read > self.clock - _IDLE_FOR:
                self._idle.append(cell)
                return
            self._drop(cell)

    # What goes out.

    def release(self, root: Cell) -> None:
        """One `Held` less refers to a cell."""
        root.handles -= 1
        if not root.handles:
            self._forget(root)

    def _forget(self, root: Cell) -> None:
        """Let go of a cell that nobody refers to and nothing is computed from, and of what was there for its sake."""
        waiting = [root]
        while waiting:
            cell = waiting.pop()
            if cell.handles or (cell.dependents and (self.policy.keeps_dead or cell.step is None)):
                continue
            if cell.value is not None:
                self.account.hold(-cell.data_bytes)
                self._constants.pop(id(cell.value), None)
                cell.value = None
            if cell.dependents:
                continue
            for before in _roots_of(cell):
                before.dependents.discard(cell)
                waiting.append(before)
            cell.step = None

    def is_shared(self, cell: Cell) -> bool:
        """Whether the array of a cell is, or may be, somebody else's, too."""
        return cell.root is not cell or cell.step is not None or id(cell.value) in self._constants

    def copied(self, cell: Cell) -> Cell:
        """The cell of a copy, which stays."""
        self._require(cell.root)
        cell.root.pins += 1
        value = self._taken(cell)
        self._make_room(value.nbytes, "copy", [cell.root])
        cell.root.pins -= 1
        copy = self._new_cell(value.copy())
        self._arrive(copy, value.nbytes)
        return copy

    @contextmanager
    def backward(self) -> Generator[None]:
        """The backward pass: what is computed here is not recorded, and stays until it is used up."""
        before, self._settled = self._settled, True
        self.account.segment = 1
        try:
            yield
        finally:
            self._settled = before


def owner(array: Any) -> Any:
    """The array that has the memory."""
    while is_ndarray(array) and is_ndarray(array.base):
        array = array.base
    return array


def _latest_dropped_first(cell: Cell) -> Iterator[Cell]:
    """What a cell is computed from, in the order in which computing it again holds little: the present last."""
    return iter(sorted(_roots_of(cell), key=lambda root: (root.value is not None, -root.index)))


def _unpin(cells: list[Cell]) -> None:
    for cell in cells:
        cell.pins -= 1


def _roots_of(cell: Cell) -> list[Cell]:
    return list(dict.fromkeys(cell.step.roots())) if cell.step is not None else []


def _dropped_before(wanted: Cell) -> list[Cell]:
    """The dropped cells from which a dropped one is computed, and itself, each behind those that it needs."""
    order: dict[Cell, None] = {}
    waiting = [wanted]
    while waiting:
        cell = waiting[-1]
        missing = [root for root in _roots_of(cell) if root.value is None and root not in order]
        if missing:
            waiting.extend(missing)
        else:
            order.setdefault(waiting.pop())
    return list(order)
