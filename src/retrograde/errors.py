"""Every error that retrograde raises by itself. Each message says what was asked, what was found, and what to do."""

from __future__ import annotations


class RetrogradeError(Exception):
    """The base of every error that retrograde raises by itself."""


class UsageError(RetrogradeError, ValueError):
    """An argument has a value that means nothing: a budget of ``"8 GiBs"``, an unknown strategy, a negative size."""


class GraphError(UsageError):
    """A graph is not valid: a cycle, a missing input, a negative size, an unknown format version."""


class PlanError(RetrogradeError):
    """A plan does not replay on its graph. Raised by the referee with the index of the action at fault."""


class BudgetError(RetrogradeError):
    """No plan in hand meets the budget.

    Attributes:
        budget_bytes: the budget that was asked for, in bytes.
        minimum_bytes: the smallest budget that a verified plan in hand meets; asking for it succeeds.
        bound_bytes: a proved bound, below which no schedule of this graph can go.
    """

    def __init__(self, message: str, *, budget_bytes: int, minimum_bytes: int, bound_bytes: int) -> None:
        super().__init__(message)
        self.budget_bytes = budget_bytes
        self.minimum_bytes = minimum_bytes
        self.bound_bytes = bound_bytes

    def saying(self, message: str) -> BudgetError:
        """The same finding told in other words, by who knows more of where it belongs."""
        return BudgetError(message, **self._numbers())

    def _numbers(self) -> dict[str, int]:
        return {
            "budget_bytes": self.budget_bytes,
            "minimum_bytes": self.minimum_bytes,
            "bound_bytes": self.bound_bytes,
        }

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_budget_error, (str(self), self._numbers()))


def _rebuild_budget_error(message: str, numbers: dict[str, int]) -> BudgetError:
    return BudgetError(message, **numbers)


class UnsupportedError(RetrogradeError, NotImplementedError):
    """Something was asked of an array under differentiation that has no rule: a NumPy function, a conversion, a write.

    The message says what to write instead, or how to add the rule.
    """


class GradientError(RetrogradeError, AssertionError):
    """A check of derivatives failed. The message is its report."""


class CaptureError(RetrogradeError):
    """A computation cannot be captured, or not as one graph. The message names the line in the user's code."""


class VersionError(RetrogradeError, ImportError):
    """A framework beneath an engine is missing, or has a version that the engine does not support."""


class TierError(RetrogradeError):
    """A storage tier cannot take or give back bytes: it is full, closed, or its medium failed."""


class RankError(RetrogradeError):
    """Another process of a distributed run failed, or did not come, where every rank has to take part.

    Attributes:
        rank: the rank that failed, counted over all processes; None if it is not known which.
    """

    def __init__(self, message: str, rank: int | None = None) -> None:
        super().__init__(message)
        self.rank = rank

    def __reduce__(self) -> tuple[object, ...]:
        return (RankError, (str(self), self.rank))
