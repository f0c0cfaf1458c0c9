"""The tables of ``planner.py``, in Markdown, with what was published and what was to be reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner_trial import Outcome

PUBLISHED = {
    "rl1": {90: 0.0, 80: 0.3, 70: 2.2},
    "rl2": {90: 0.0, 80: 0.0, 70: 2.6},
    "rl3": {90: 0.03, 80: 2.3, 73.5: 4.8},
    "rl4": {90: 0.4, 80: 2.5, 70: 7.4},
    "fcn8_train": {90: 0.0, 80: 0.1, 70: 3.0},
    "resnet50_train": {90: 0.1, 80: 0.3, 70: 0.8},
}
"""The best published overhead in percent: Checkmate (2020), MOCCASIN (2023) or FastSA (2023), as they rounded it."""

REACH = {"rl4@80": 2.5, "fcn8_train@70": 0.3}
"""Overheads in percent that were to be reached beside those."""


def published_table(outcomes: Mapping[str, Outcome]) -> str:
    """A row for each published graph and budget."""
    rows: list[list[str]] = []
    for key, outcome in outcomes.items():
        name, percent = _parts(key)
        if name.startswith("gpt"):
            continue
        best = PUBLISHED.get(name, {}).get(percent)
        rows.append(
            [
                name,
                f"{outcome.operations:,}",
                f"{percent:g} %",
                "–" if best is None else f"{best:g}",
                *_found(outcome),
                "–" if outcome.order_bound is None else f"{100 * outcome.order_bound:.3f}",
                f"{outcome.seconds:.1f}",
                f"{outcome.bound_seconds:.1f}",
            ]
        )
    names = ["graph", "operations", "budget", "best published", "ours", "bound", "gap", "bound in the given order"]
    return _markdown([*names, "search s", "bound s"], rows)


def captured_table(outcomes: Mapping[str, Outcome]) -> str:
    """A row for each joint graph captured from PyTorch."""
    rows = [
        [key, f"{o.operations:,}", *_found(o), f"{o.seconds:.1f}", f"{o.busy_seconds:.1f}", f"{o.bound_seconds:.1f}"]
        for key, o in outcomes.items()
        if key.startswith("gpt")
    ]
    return _markdown(
        ["graph", "operations", "ours", "bound", "gap", "search s", "search CPU s", "bound s"],
        rows,
    )


def targets_table(outcomes: Mapping[str, Outcome]) -> str:
    """What was to be reached, and what was."""
    rows: list[list[str]] = []
    for name, budgets in PUBLISHED.items():
        for percent, best in budgets.items():
            key = f"{name}@{percent:g}"
            if key in outcomes:
                # What was published is rounded to its last digit; so is ours where it is compared.
                digits = len(f"{best}".split(".")[1])
                ours = _percent(outcomes[key].overhead)
                reached = ours is not None and round(ours, digits) <= best
                rows.append([f"{key}: at most {best:g} % (published)", _text(ours), _verdict(reached)])
    for key, most in REACH.items():
        if key in outcomes:
            ours, bound = _percent(outcomes[key].overhead), _percent(outcomes[key].bound)
            verdict = _verdict(ours is not None and ours <= most)
            if bound is None or bound > most:
                verdict = f"missed, and proved out of reach: at least {_text(bound)}"
            rows.append([f"{key}: at most {most:g} %", _text(ours), verdict])
    rows += _certified(outcomes)
    return _markdown(["to reach", "found, %", ""], rows)


def _certified(outcomes: Mapping[str, Outcome]) -> list[list[str]]:
    rows: list[list[str]] = []
    found = outcomes.get("resnet50_train@80")
    if found is not None and found.overhead is not None and found.bound is not None:
        gap = 100 * (found.overhead - found.bound)
        rows.append(["resnet50_train@80: within 0.05 points of the bound", f"{gap:.3f}", _verdict(gap <= 0.05)])
    refused = outcomes.get("vgg16_train@80")
    if refused is not None:
        proved = refused.bound is None
        text = f"proved in {refused.bound_seconds:.2f} s" if proved else "not proved"
        rows.append(
            ["vgg16_train@80: proved infeasible in under 1 s", text, _verdict(proved and refused.bound_seconds < 1)]
        )
    for key, outcome in outcomes.items():
        if key.startswith("gpt") and outcome.overhead is not None and outcome.bound is not None:
            gap = 100 * (outcome.overhead - outcome.bound)
            rows.append([f"{key} ({outcome.operations:,} operations): gap at most 1", f"{gap:.2f}", _verdict(gap <= 1)])
    return rows


def _found(outcome: Outcome) -> list[str]:
    ours, bound = _percent(outcome.overhead), _percent(outcome.bound)
    if bound is None:
        return ["none fits" if ours is None else _text(ours), "proved infeasible", "–"]
    gap = "–" if ours is None else f"{ours - bound:.3f}"
    return [_text(ours), f"{bound:.3f}", gap]


def _text(percent: float | None) -> str:
    return "none found" if percent is None else f"{percent:.3f}"


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _parts(key: str) -> tuple[str, float]:
    name, percent = key.split("@")
    return name, float(percent)


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
