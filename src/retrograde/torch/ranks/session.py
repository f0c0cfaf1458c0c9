"""The first call of a budgeted module on several ranks: they exchange how far each has come, so that none waits for
a rank that has failed."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from retrograde.errors import BudgetError, RankError
from retrograde.torch.ranks.exchange import Peers, all_ranks, several_ranks

_logger = logging.getLogger("retrograde")

FAILURE_WAIT = timedelta(seconds=30)
"""How long a rank that failed waits for the others to hear of it. They may be stuck in a collective without it."""

GRAPH, READY, DONE, FAILED = "has a graph to plan", "is ready to run", "is done", "failed"


@dataclass(frozen=True)
class Report:
    """What one rank tells the others.

    Attributes:
        rank: who tells it, counted over all processes.
        stage: how far it has come.
        content: what goes with the stage; of a failure its message.
        numbers: of a ``BudgetError`` its numbers.
    """

    rank: int
    stage: str
    content: Any = None
    numbers: dict[str, int] | None = None


class RankSession:
    """One exchange after another between the ranks that call a module for the first time.

    Every rank learns the same reports from each exchange, so all of them know when the session is closed: once any
    rank is done, or has failed. From then on nothing is exchanged.

    Args:
        what: the module, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._peers = all_ranks()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no exchange takes place any more."""
        return self._closed

    def exchange(self, stage: str, content: Any = None) -> list[Report]:
        """Tell every rank how far this one has come, and learn the same of them. Waits for all ranks.

        Returns:
            The reports of all ranks, by rank; this rank's alone once the session is closed.

        Raises:
            RankError: a rank failed, or is gone.
        """
        mine = Report(dist.get_rank(), stage, content)
        if self._closed:
            return [mine]
        reports = self._gather(mine)
        self._close_after(reports)
        _raise_failure(reports, self._what)
        return reports

    def hear(self, leader: int, mine: Report | None) -> Report:
        """The leader's report, which it gives to all ranks. Waits for all ranks.

        Args:
            leader: the rank that reports.
            mine: the report, on the leader.

        Raises:
            RankError: the leader failed, or a rank is gone.
            BudgetError: the leader found that no plan meets the budget.
        """
        report: Report = self._or_close(lambda peers: peers.hear(leader, mine))
        self._close_after([report])
        if mine is None:
            if report.numbers is not None:
                raise BudgetError(report.content, **report.numbers)
            _raise_failure([report], self._what)
        return report

    def fail(self, error: Exception) -> Exception:
        """Tell the other ranks that this one has failed.

        Returns:
            The error to raise: this one, or if it is no more than a lost connection the failure at the other end.
        """
        if self._closed:
            return error
        # The others may still be busy; the message must not wait for them.
        _logger.error("rank %d: %s failed (%s); telling the other ranks", dist.get_rank(), self._what, error)
        try:
            reports = self._gather(failure_report(error), FAILURE_WAIT)
        except RankError as loss:
            return loss if _is_lost_connection(error) else error
        finally:
            self._closed = True
        others = [report for report in reports if report.rank != dist.get_rank()]
        if _is_lost_connection(error):
            try:
                _raise_failure(others, self._what)
            except RankError as failure:
                return failure
        return error

    def _gather(self, mine: Report, wait: timedelta | None = None) -> list[Report]:
        return self._or_close(lambda peers: peers.exchange(mine, wait))

    def _or_close(self, run: Callable[[Peers], Any]) -> Any:
        try:
            return run(self._peers)
        except RankError:
            self._closed = True
            raise

    def _close_after(self, reports: list[Report]) -> None:
        self._closed = any(report.stage in (DONE, FAILED) for report in reports)


_session: contextvars.ContextVar[RankSession | None] = contextvars.ContextVar("retrograde_rank_session", default=None)


def current_session() -> RankSession | None:
    """The session that this thread is in, if it is in one that is still open."""
    session = _session.get()
    return None if session is None or session.closed else session


_alone: contextvars.ContextVar[bool] = contextvars.ContextVar("retrograde_rank_alone", default=False)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Around a call of a budgeted module that not every rank makes: this rank plans for itself and waits for nobody.

    The first call of a budgeted module is otherwise one that all ranks make together. A stage of a pipeline, or a trial
    on rank 0 alone, is none.

    Example:
        >>> import retrograde as rg
        >>> model = rg.torch.budgeted(torch.nn.Linear(4, 4), "1 MiB")
        >>> with alone():
        ...     model(torch.ones(2, 4)).sum().backward()
    """
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def is_alone() -> bool:
    """Whether this thread has asked to plan for itself, or has nobody to plan with."""
    return _alone.get() or not several_ranks()


class FirstCall:
    """The first call of a module with gradients, which all ranks make together: none waits for one that fails in it.

    Every rank of the default process group has to make this call. Where it raises on one rank, the others raise
    ``RankError`` at their next exchange. With one process, without gradients, or inside ``alone``, a call is
    no such call. After one that raised, the next is the first again.

    Args:
        what: the module, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._made = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Around every call of the module.

        Raises:
            RankError: another rank failed in its first call, or is gone.
        """
        if self._made or is_alone() or not torch.is_grad_enabled() or _session.get() is not None:
            yield
            return
        session = RankSession(self._what)
        token = _session.set(session)
        try:
            yield
            session.exchange(DONE)
        except Exception as error:
            raised = session.fail(error)
            if raised is error:
                raise
            raise raised from error
        finally:
            _session.reset(token)
        self._made = True


def ready_to_run() -> None:
    """Wait until every rank has compiled the graph that this one has just compiled; nothing outside a first call.

    Collectives inside a graph would wait for ever for a rank that failed to compile it.

    Raises:
        RankError: another rank failed, or is gone.
    """
    session = current_session()
    if session is not None:
        session.exchange(READY)


def failure_report(error: BaseException) -> Report:
    """A failure, as the other ranks are told of it."""
    numbers = None
    if isinstance(error, BudgetError):
        numbers = {name: getattr(error, name) for name in ("budget_bytes", "minimum_bytes", "bound_bytes")}
        return Report(dist.get_rank(), FAILED, str(error), numbers)
    return Report(dist.get_rank(), FAILED, f"{type(error).__name__}: {error}")


def _is_lost_connection(error: Exception) -> bool:
    """Whether an error is how a collective says that another process is gone."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def _raise_failure(reports: list[Report], what: str) -> None:
    failed = [report for report in reports if report.stage == FAILED]
    if failed:
        first = failed[0]
        kind = "BudgetError: " if first.numbers is not None else ""
        raise RankError(
            f"rank {first.rank} failed while {what} was planned, so rank {dist.get_rank()} stops too, which would "
            f"otherwise wait for it for ever; it raised {kind}{first.content}",
            first.rank,
        )
