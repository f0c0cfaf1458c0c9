"""The pool: it evaluates what runs on a tape with a budget, and drops and recomputes arrays to stay within.

While a tape records, each operation makes cells that know how they were computed. Where there is no room for the
next result, cells are dropped; where a dropped cell is read, it is computed again, and so are the dropped cells that it
is computed from. In the backward pass nothing is recorded: what it computes stays until it is used up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np

from retrograde.autodiff.budgeted.account import Account
from retrograde.autodiff.budgeted.cell import RECORD_BYTES, TINY_BYTES, Cell, Step
from retrograde.autodiff.budgeted.policies import Policy
from retrograde.autodiff.budgeted.queue import Candidates
from retrograde.autodiff.budgeted.recomputing import recompute
from retrograde.autodiff.budgeted.sizes import CALL_BYTES, estimates, kind_of_operand
from retrograde.autodiff.tape.kept import check_unwritten, mark_of
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
        self._free_of_charge: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._constants: dict[int, Cell] = {}
        self._alive: dict[int, Any] = {}
        self._estimated: dict[Any, tuple[int, int]] = {}

    # What comes in.

    def foreign(self, array: Any) -> None:
        """An array that was there before the call, and does not count."""
        if is_ndarray(array):
            self._free_of_charge[id(array)] = array
            self._free_of_charge[id(owner(array))] = owner(array)

    def constant(self, array: Any) -> Cell:
        """The cell for an array that this pool has not computed.

        It counts for as long as it lives, since residuals may hold it. One that was written since it was last read is
        another one.
        """
        mark = mark_of(array) if is_ndarray(array) and array.flags.writeable else None
        cell = self._constants.get(id(array))
        if cell is None or cell.mark != mark:
            if is_ndarray(array) and id(array) not in self._alive and not self._is_free(array):
                self._count_while_alive(array)
            cell = self._constants[id(array)] = self._new_cell(array)
            cell.mark = mark
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
        roots = [operand.root for operand in operands if type(operand) is Cell]
        pinned = 0
        try:
            for root in roots:
                self._require(root)
                root.pins += 1
                pinned += 1
            return self._first_run(primitive, operands, static, roots)
        finally:
            for root in roots[:pinned]:
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
        count = prod(shape) * dtype.itemsize
        self._make_room(count + RECORD_BYTES, "zeros", [])
        step = Step("zeros", lambda: np.zeros(shape, dtype), (), {}, CALL_BYTES + count, False)
        step.room_bytes = count
        return self._admit(step, step.evaluate(), [], [], 0)

    def _first_run(
        self, primitive: Any, operands: tuple[Any, ...], static: Mapping[str, Any], roots: list[Cell]
    ) -> Any:
        account = self.account
        values = [self._taken(operand) if type(operand) is Cell else operand for operand in operands]
        begin = account.now()
        expected, cost = self._estimates(primitive, values, static)
        self._make_room(expected if self._settled else expected + RECORD_BYTES, primitive.name, roots)
        out: Any = primitive.evaluate(*values, **static)
        step = Step(primitive.name, primitive.evaluate, operands, static, cost, bool(primitive.outputs))
        results = out if step.several else (out,)
        made = tuple(self._admit(step, result, values, roots, place) for place, result in enumerate(results))
        result_bytes = sum(cell.data_bytes for cell in made if type(cell) is Cell)
        step.room_bytes = max(expected, result_bytes)
        if result_bytes:
            self.clock += 1
            account.computed(step.name, self._count, begin, again=False)
        if account.held_bytes > account.limit:
            # Some operations tell only afterwards what they take.
            del values, out, results
            self._make_room(0, step.name, roots)
        return made if step.several else made[0]

    def _estimates(self, primitive: Any, values: list[Any], static: Mapping[str, Any]) -> tuple[int, int]:
        """The bytes and the cost of an operation, worked out once for operands alike."""
        if primitive.views is not None:
            return estimates(primitive, values, static)
        try:
            key = (primitive.name, *map(kind_of_operand, values), *static.values())
            found = self._estimated.get(key)
        except TypeError:  # a slice has no hash
            return estimates(primitive, values, static)
        if found is None:
            found = self._estimated[key] = estimates(primitive, values, static)
        return found

    def _admit(self, step: Step, result: Any, values: list[Any], roots: list[Cell], place: int) -> Any:
        """The cell of a result; numbers that have no derivative are results by themselves."""
        if not hasattr(result, "dtype") or (result.dtype.kind in "biu" and not result.shape):
            return result
        memory = owner(result)
        cell = self._new_cell(result)
        for operand, value in zip(step.operands, values, strict=True) if roots else ():
            if type(operand) is Cell and owner(value) is memory:
                cell.root, cell.value, cell.step, cell.place = operand.root, None, step, place
                return cell
        self._arrive(cell, memory.nbytes)
        if not self._settled and memory.nbytes > TINY_BYTES:
            cell.step, cell.place = step, place
            for root in roots:
                root.add_dependent(cell)
            self.policy.note(cell)
            self._offer(cell)
        return cell

    def _offer(self, cell: Cell) -> None:
        """A cell that may be dropped from now on."""
        self._candidates.add(cell)
        if self.policy.drops_idle and not self._settled:
            self._idle.append(cell)

    def _new_cell(self, value: Any) -> Cell:
        self._count += 1
        cell = Cell(self, value, self._count)
        if not self._settled:
            self.position = self._count
            cell.record_bytes = RECORD_BYTES
            self.account.hold(RECORD_BYTES)
        return cell

    def _arrive(self, cell: Cell, data_bytes: int) -> None:
        cell.data_bytes = data_bytes
        cell.last_read = self.clock
        cell.arrivals += 1
        self.account.hold(data_bytes)

    def _taken(self, cell: Cell) -> Any:
        """The array of a cell whose root is there."""
        root = cell.root
        root.last_read = self.clock
        return root.value if root is cell else self._evaluated(cell)

    def _evaluated(self, cell: Cell) -> Any:
        step = cell.step
        assert step is not None
        values = [self._taken(operand) if type(operand) is Cell else operand for operand in step.operands]
        out = step.evaluate(*values, **step.static)
        return out[cell.place] if step.several else out

    def _require(self, root: Cell) -> None:
        """See to it that the value of a cell is there."""
        if self._settled and root.step is not None:
            self.position = root.index
        if root.value is None:
            recompute(root, self._run_again, self._drop_unread if self.policy.drops_idle else None)

    def _run_again(self, cell: Cell) -> None:
        step = cell.step
        assert step is not None
        begin = self.account.now()
        self.clock += 1
        roots = list(step.roots())
        self._make_room(step.room_bytes, step.name, roots)
        for root in roots:
            if root.mark is not None:
                check_unwritten(root.value, root.mark)
        cell.value = self._evaluated(cell)
        self._arrive(cell, cell.data_bytes)
        self._offer(cell)
        self.account.computed(step.name, cell.index, begin, again=True)

    # Room.

    def _make_room(self, count: int, name: str, roots: list[Cell]) -> None:
        account = self.account
        while account.held_bytes + count > account.limit:
            cell = self._candidates.pop()
            if cell is not None:
                self._drop(cell)
            elif account.held_bytes + count > account.limit:  # still: searching let go of old records
                raise account.no_room(name, sum(root.data_bytes for root in set(roots)), count)
        if account.held_bytes + count > account.peak_bytes:
            account.peak_bytes = account.held_bytes + count

    def _drop(self, cell: Cell) -> None:
        cell.value = None
        self.account.hold(-cell.data_bytes)
        self.account.dropped(cell.index)

    def _drop_unread(self, cell: Cell) -> None:
        """Drop what was computed again only for the sake of others."""
        if cell.step is not None and not cell.handles and cell.value is not None and not self.policy.must_keep(cell):
            self._drop(cell)

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
            if cell.root is None or cell.handles:
                continue
            if cell.dependents and (self.policy.keeps_dead or cell.step is None):
                self._candidates.renew_one(cell)
                continue
            if cell.value is not None:
                self.account.hold(-cell.data_bytes)
                self._constants.pop(id(cell.value), None)
                cell.value = None
            if not cell.dependents:
                waiting.extend(cell.end())

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
