"""The outcomes of ``torch_models.py`` as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from library_models import LIBRARY_CASES
from model_targets import duels, place
from model_trial import COMPILERS, Outcome, Trial
from timing import Ratio

from retrograde.report import Cell, Table
from retrograde.report.tables import percent, short_bytes

_COLUMNS = (
    "variant",
    ">budget",
    ">measured peak",
    ">of plain",
    ">predicted",
    ">planned",
    ">extra time",
    ">over plain",
    "gradients",
)
_NAMES = {"checkpoint": "the library's checkpointing", "smallest": "smallest budget"}


def outcome_tables(outcomes: Sequence[Outcome]) -> Iterator[Table]:
    """For each model and compiler a table of variants, and one of peers against plans at the same peak."""
    for model in LIBRARY_CASES:
        for compiler in COMPILERS:
            here = [o for o in outcomes if place(o) == (model, compiler)]
            if here:
                yield _variants(model, compiler, here)
            if not any(o.skipped for o in here):
                yield from _comparisons(model, compiler, here)


def _variants(model: str, compiler: str, outcomes: Sequence[Outcome]) -> Table:
    plain = next((o for o in outcomes if o.trial["kind"] == "plain" and o.peaks), None)
    whole = min(plain.peaks) if plain else None
    shown = [o for o in outcomes if not o.trial["kind"].startswith("first call")]
    shown.sort(key=_position)
    problems = dict.fromkeys(o.problem for o in outcomes if o.problem)
    notes = [
        f"A plain step takes {1e3 * plain.plain_seconds:.0f} ms." if plain else "",
        _first_calls(outcomes),
        *problems,
    ]
    title = f"{LIBRARY_CASES[model].title}: {compiler}"
    return Table(title, _COLUMNS, tuple(_row(o, whole) for o in shown), tuple(notes))


def _position(outcome: Outcome) -> tuple[int, float]:
    """Plain first, then budgets from large to small, then peers."""
    trial = outcome.trial
    group = {"plain": 0, "budget": 1, "smallest": 1, "checkpoint": 2, "activation": 3}[trial["kind"]]
    size = trial["budget"] if trial["kind"] == "activation" else outcome.budget_bytes or outcome.minimum_bytes
    return group, -float(size or 0)


def _row(outcome: Outcome, whole: int | None) -> tuple[Cell | str, ...]:
    trial = outcome.trial
    name = _name(outcome)
    if outcome.problem:
        what = Cell("skipped", "muted") if outcome.skipped else Cell("failed", "bad")
        return (name, "", what, "", "", "", "", "", "")
    if outcome.minimum_bytes is not None:
        return (name, "", Cell(f"infeasible; smallest {short_bytes(outcome.minimum_bytes)}", "muted"), *[""] * 6)
    measured, budget, predicted = max(outcome.peaks), outcome.budget_bytes, outcome.predicted_peak_bytes
    kept = budget is None or measured <= budget
    equal = Cell("equal", "good") if outcome.gradients_equal else Cell(f"{outcome.difference:.0e}", "")
    return (
        name,
        short_bytes(budget) if budget else "",
        Cell(short_bytes(measured), "" if kept else "bad"),
        percent(measured / whole) if whole else "",
        f"{100 * (predicted / measured - 1):+.2f} %" if predicted else "",
        percent(outcome.planned_extra) if outcome.planned_extra is not None else "",
        "" if trial["kind"] == "plain" else _spread(outcome.ratio),
        f"{outcome.over_plain.median:.3f} ×" if outcome.over_plain else "",
        equal,
    )


def _name(outcome: Outcome) -> str:
    kind, budget = outcome.trial["kind"], outcome.trial["budget"]
    if kind == "plain":
        return {"eager": "plain eager", "inductor": "plain Inductor"}[outcome.trial["compiler"]]
    if kind == "budget":
        return f"budget {budget}" if isinstance(budget, str) else "budget at a peer's peak"
    return _NAMES.get(kind) or Trial(**outcome.trial).name


def _first_calls(outcomes: Sequence[Outcome]) -> str:
    parts: list[str] = []
    for outcome in outcomes:
        kind, budget = outcome.trial["kind"], outcome.trial["budget"]
        if kind.startswith("first call") and not outcome.problem and outcome.first_seconds:
            how = "without a budget" if budget is None else "nothing cached" if kind == "first call" else "plan cached"
            parts.append(f"{how} {outcome.first_seconds:.1f} s")
    return f"First step: {', '.join(parts)}." if parts else ""


def _comparisons(model: str, compiler: str, outcomes: Sequence[Outcome]) -> Iterator[Table]:
    rows: list[tuple[Cell | str, ...]] = []
    for duel in duels(outcomes):
        good = duel.ratio is not None and duel.ratio <= 0.9
        ours = "not run" if duel.ours is None else _spread(duel.ours.ratio) or "infeasible"
        ratio = "none" if duel.ratio is None else f"{duel.ratio:.2f}"
        peak = short_bytes(min(duel.peer.peaks))
        rows.append((_name(duel.peer), peak, _spread(duel.peer.ratio), ours, Cell(ratio, "good" if good else "bad")))
    if rows:
        columns = ("peer", ">its peak", ">its extra time", ">ours in that peak", ">ratio")
        yield Table(f"{LIBRARY_CASES[model].title}: {compiler}, at each peer's own peak", columns, tuple(rows))


def _spread(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    return f"{percent(ratio.median - 1)} ({100 * (ratio.low - 1):.1f} to {100 * (ratio.high - 1):.1f})"
