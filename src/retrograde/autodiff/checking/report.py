"""What a check found: comparisons, sentences, and the verdict. A value that goes through JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from retrograde.errors import GradientError, UsageError

REPORT_FORMAT_VERSION = 1
FAILING = ("mistake", "nan", "infinite")


@dataclass(frozen=True)
class Entry:
    """One comparison.

    Attributes:
        mode: how the derivative was computed: "reverse", "forward", "given", …
        point: where.
        place: of which entry, or in which direction; in forward mode also of which output.
        expected: the numerical derivative.
        found: the derivative that is checked.
        error: how far off the numerical derivative may be.
        status: "agrees"; "kink": the derivatives from the two sides differ, and what was found lies between;
            "unclear": the numerical derivative is not good enough to tell; "rounding": right when computed in
            double precision, and off in the dtype given; "mistake"; "nan" and "infinite": what was found, where
            the differences are finite.
        misfit: the difference in units of what is allowed; above 1 it is too large.
    """

    mode: str
    point: str
    place: str
    expected: float
    found: float
    error: float
    status: str
    misfit: float


@dataclass(frozen=True)
class Group:
    """The comparisons of one way to compute derivatives, by one array, at one point.

    Attributes:
        mode, point: as in `Entry`.
        argument: the array's name.
        compared: how many comparisons.
        counts: how many have each status.
        largest_error: the largest relative difference of those that are clear, by the largest derivative in the group.
        findings: what is wrong, in words.
    """

    mode: str
    point: str
    argument: str
    compared: int
    counts: dict[str, int]
    largest_error: float
    findings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.counts.get(status) for status in FAILING)


@dataclass(frozen=True)
class Identity:
    """Two numbers that the derivatives themselves say are equal: of a transpose, of a symmetric Hessian.

    Attributes:
        name: which identity.
        point: where.
        left, right: the two numbers.
        difference: between them, relative to the terms that they are sums of and to the values.
        tolerance: what is allowed.
    """

    name: str
    point: str
    left: float
    right: float
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the numbers agree."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found. It is true if the derivatives are right: `assert rg.check_gradients(f, x)`.

    Attributes:
        function: the name of what was checked.
        verdict: "right", "wrong", or "unclear" where nothing could be told.
        method: of the numerical derivatives.
        order: of the derivatives.
        rtol, atol: the tolerances; an atol of None is a thousandth of rtol, by the largest derivative in a group.
        seed: of the random numbers.
        evaluations: how often the function was called for numerical derivatives.
        groups: the comparisons by way, array and point.
        identities: transposes and symmetries.
        worst: the comparisons that fit worst, worst first.
        histogram: how many comparisons have a relative difference between two powers of ten: `(low, high, count)`;
            `low` is -17 for whatever is below, `high` 1 for whatever is above.
        findings: what is wrong, in words.
        notes: what else is worth knowing: kinks, points left out.
    """

    function: str
    verdict: str
    method: str
    order: int
    rtol: float
    atol: float | None
    seed: int
    evaluations: int
    groups: tuple[Group, ...]
    identities: tuple[Identity, ...]
    worst: tuple[Entry, ...]
    histogram: tuple[tuple[int, int, int], ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether derivatives were compared, and are right."""
        return self.verdict == "right"

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        from retrograde.autodiff.checking.text import report_text

        return report_text(self)

    def raise_if_failed(self) -> None:
        """Raise where the derivatives are wrong, or nothing could be told.

        Raises:
            GradientError: with the text of the report.
        """
        if not self.passed:
            raise GradientError(str(self))

    def to_json(self) -> str:
        """The report as JSON text with a format version; `GradientReport.from_json` reads it."""
        document = {"format": "retrograde gradient report", "version": REPORT_FORMAT_VERSION, **asdict(self)}
        return json.dumps(_encoded(document), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> GradientReport:
        """The report that `to_json` wrote.

        Raises:
            UsageError: not JSON, an unknown format version, or a field that is missing.
        """
        try:
            document = json.loads(text)
            found = (document["format"], document["version"])
            if found != ("retrograde gradient report", REPORT_FORMAT_VERSION):
                raise UsageError(
                    f"unknown format {found[0]!r} version {found[1]!r}; this release reads "
                    f"'retrograde gradient report' version {REPORT_FORMAT_VERSION}"
                )
            return _decoded({field.name: document[field.name] for field in fields(GradientReport)})
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"this is no gradient report ({type(error).__name__}: {error}); give what to_json wrote"
            ) from None


def _encoded(value: Any) -> Any:
    """NaN and infinity as texts, which JSON can hold."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_encoded(item) for item in value] if isinstance(value, (tuple, list)) else value  # pyright: ignore[reportUnknownVariableType]


def _decoded(document: dict[str, Any]) -> GradientReport:
    parts: dict[str, Any] = {
        "groups": tuple(
            Group(
                findings=tuple(group.pop("findings")),
                **_numbers(group, "mode", "point", "argument", "compared", "counts"),
            )
            for group in document["groups"]
        ),
        "identities": tuple(Identity(**_numbers(identity, "name", "point")) for identity in document["identities"]),
        "worst": tuple(Entry(**_numbers(entry, "mode", "point", "place", "status")) for entry in document["worst"]),
        "histogram": tuple(tuple(row) for row in document["histogram"]),
        "findings": tuple(document["findings"]),
        "notes": tuple(document["notes"]),
    }
    return GradientReport(**{**document, **parts})


def _numbers(document: dict[str, Any], *texts: str) -> dict[str, Any]:
    return {key: value if key in texts else float(value) for key, value in document.items()}
