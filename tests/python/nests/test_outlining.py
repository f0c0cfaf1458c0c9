"""Long loop bodies as several functions: what each is given and gives back."""

from __future__ import annotations

from retrograde.python.nests.outlining import live_before
from retrograde.python.nests.parts.model import Line, Part, Suite


def bound(name: str, *reads: str) -> Line:
    return Line(f"{name} = f({', '.join(reads)})", frozenset(reads), frozenset({name}), None, frozenset({name}))


def loop(index: str, *body: Part) -> Suite:
    return Suite(f"for {index} in range(n):", list(body), frozenset({"n"}), frozenset({index}))


def test_a_name_that_each_inner_loop_sets_is_no_business_of_the_next_one() -> None:
    first, second = (loop("j", bound("w", "u"), bound("u", "w")) for _ in range(2))
    live: dict[int, set[str]] = {}
    before = live_before([loop("i", first, second)], {"u"}, set(), live)
    assert before == {"n", "u"}
    assert live[id(first)] == live[id(second)] == {"n", "u"}


def test_what_a_later_iteration_reads_is_needed() -> None:
    last = bound("v", "u")
    live: dict[int, set[str]] = {}
    live_before([loop("i", bound("u", "v"), last)], set(), set(), live)
    assert "v" in live[id(last)]


def test_what_is_needed_behind_a_loop_is_needed_where_it_may_end() -> None:
    ends = Suite("if done:", [Line("break", frozenset({"#control"}))], frozenset({"done"}))
    setting = bound("v", "u")
    live: dict[int, set[str]] = {}
    live_before([loop("i", setting, ends, bound("v", "u"))], {"v"}, set(), live)
    assert "v" in live[id(setting)]


def test_a_name_is_needed_where_one_side_of_a_branch_reads_it() -> None:
    choice = Suite("if u > 0:", [bound("v", "w")], frozenset({"u"}), otherwise=[bound("v", "x")])
    assert live_before([choice], {"v"}, set(), {}) == {"u", "w", "x"}
