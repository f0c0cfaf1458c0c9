"""Messages between ranks that allocate no tensors, so that a step whose peak is measured does not see them."""

from __future__ import annotations

import contextlib
import pickle
import zlib
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from retrograde.errors import RankError


class Peers:
    """All ranks of the default process group, in lockstep: each exchange waits for every rank.

    Contents travel through the group's key–value store; a barrier of gloo's, whose connections break when a process
    dies, waits for them. Whatever the default group's backend, this one is on the CPU.

    Raises:
        RankError: a process is gone, or did not come in time.
    """

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self._world = dist.group.WORLD
        default: Any = dist.distributed_c10d._get_default_store()
        self._store = dist.PrefixStore("retrograde", default)
        self._number = 0
        # Connected before anything can go wrong: a process that dies later is noticed by its broken connection.
        self._store.set(self._key(self.rank), b"")
        try:
            self._group: Any = dist.ProcessGroupGloo(
                dist.PrefixStore("gloo", self._store), self.rank, self.size, _timeout(self._world)
            )
        except RuntimeError as error:
            raise RankError(self._loss(error), self._first_absent()) from error

    def belong_to_this_world(self) -> bool:
        """Whether the default process group is still the one that these are of."""
        return self._world is dist.group.WORLD

    def exchange(self, message: object, wait: timedelta | None = None) -> list[Any]:
        """Give every rank this one's message; return all of them, by rank.

        Args:
            message: anything that can be pickled.
            wait: how long to wait for the others; as long as the process group waits when left out.

        Raises:
            RankError: a process is gone, or did not come in time.
        """
        self._meet(message, wait)
        return [pickle.loads(text) for text in self._get([self._key(rank) for rank in range(self.size)])]

    def hear(self, leader: int, message: object) -> Any:
        """The leader's message, for every rank; that of the others is not looked at.

        Raises:
            RankError: a process is gone, or did not come in time.
        """
        self._meet(message if self.rank == leader else None)
        return pickle.loads(self._get([self._key(leader)])[0])

    def _key(self, rank: int, number: int | None = None) -> str:
        return f"{self._number if number is None else number}/{rank}"

    def _meet(self, message: object, wait: timedelta | None = None) -> None:
        self._number += 1
        options = dist.BarrierOptions()
        options.timeout = wait or _timeout(self._world)
        try:
            self._store.set(self._key(self.rank), pickle.dumps(message))
            self._group.barrier(options).wait()
        except RuntimeError as error:
            if not self._all_have_come():
                raise RankError(self._loss(error), self._first_absent()) from error
            # A rank that did not wait has left a message nevertheless.
        # Everybody has read the exchange before this one.
        with contextlib.suppress(RuntimeError):
            self._store.delete_key(self._key(self.rank, self._number - 1))

    def _get(self, keys: list[str]) -> list[bytes]:
        try:
            return self._store.multi_get(keys)
        except RuntimeError as error:
            raise RankError(self._loss(error)) from error

    def _loss(self, error: RuntimeError) -> str:
        absent = self._first_absent()
        who = "another rank" if absent is None else f"rank {absent}"
        return (
            f"rank {self.rank} lost {who} in the first call of a budgeted module: that process died, or did not make "
            "this call, which every rank has to make once. If it died, its own output says why; if it is not to "
            f"call this module, make the call inside retrograde.torch.alone(). ({str(error).splitlines()[0]})"
        )

    def _all_have_come(self) -> bool:
        try:
            return bool(self._store.check([self._key(rank) for rank in range(self.size)]))
        except RuntimeError:
            return False

    def _first_absent(self) -> int | None:
        """A rank that has not come to this exchange."""
        with contextlib.suppress(RuntimeError):
            return next((r for r in range(self.size) if not self._store.check([self._key(r)])), None)
        return None


class PlanBoard:
    """One plan in the key–value store of the default process group, which the first rank to ask for it writes.

    A store that cannot be reached is an empty one: each rank then plans for itself.

    Args:
        name: what the plan is for, the same on all ranks.
    """

    def __init__(self, name: str) -> None:
        default: Any = dist.distributed_c10d._get_default_store()
        self._store = dist.PrefixStore(f"retrograde/plans/{name}", default)

    def claim(self) -> bool:
        """Whether it is for this rank to write the plan."""
        mine = str(dist.get_rank())
        try:
            return self._store.compare_set("claim", "", mine).decode() == mine
        except RuntimeError:
            return True

    def write(self, text: str) -> None:
        """Give the plan to the ranks that wait for it."""
        with contextlib.suppress(RuntimeError):
            self._store.set("plan", zlib.compress(text.encode()))

    def read(self) -> str:
        """The plan, once it is there; nothing if its writer failed, or died."""
        try:
            return zlib.decompress(self._store.get("plan")).decode()
        except RuntimeError:
            return ""


_peers: Peers | None = None


def all_ranks() -> Peers:
    """The ranks of the default process group."""
    global _peers
    if _peers is None or not _peers.belong_to_this_world():
        _peers = Peers()
    return _peers


def several_ranks() -> bool:
    """Whether this process is one of several of ``torch.distributed``.

    Example:
        >>> several_ranks()
        False
    """
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _timeout(world: Any) -> timedelta:
    """How long the user lets collectives wait."""
    try:
        backend = world._get_backend(world._device_types[0])
        return backend.options._timeout
    except (RuntimeError, AttributeError, IndexError):
        return dist.constants.default_pg_timeout
