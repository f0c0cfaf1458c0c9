"""Conditions on integers: what is said not to hold holds for no small integers, and what is easy is found."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from retrograde.program.affine import Affine, cannot_hold

ROW, J, N = Affine.of("i"), Affine.of("j"), Affine.of("n")


@pytest.mark.parametrize(
    ("not_negative", "zero", "expected"),
    [
        ([ROW - J - 1, J - ROW - 1], [], True),
        ([ROW - J, J - ROW], [], False),
        ([ROW, N - ROW - 1, ROW - N], [], True),
        ([ROW * 2 - 1, ROW * -2 + 1], [], True),  # 2 i = 1 has a rational solution only
        ([], [ROW * 2 - J * 4 - 1], True),
        ([], [ROW * 2 - J * 3 - 1], False),
        ([ROW, J], [ROW + J + 1], True),
        ([], [Affine(3)], True),
        ([Affine(-1)], [], True),
        ([], [], False),
    ],
)
def test_conditions_whose_answer_is_known(not_negative: list[Affine], zero: list[Affine], expected: bool) -> None:
    assert cannot_hold(not_negative, zero) is expected


def _value(sum_: Affine, values: dict[str, int]) -> int:
    return sum_.constant + sum(factor * values[str(atom)] for atom, factor in sum_.terms.items())


def test_random_conditions_are_never_refuted_by_an_example() -> None:
    random, refuted = Random(3), 0
    names = "ijk"
    for _ in range(400):
        sums = [
            Affine(random.randint(-4, 4), {name: factor for name in names if (factor := random.randint(-2, 2))})
            for _ in range(random.randint(2, 5))
        ]
        count = random.randint(0, 1)
        conditions, equations = sums[count:], sums[:count]
        found = any(
            all(_value(part, values) >= 0 for part in conditions)
            and all(_value(part, values) == 0 for part in equations)
            for numbers in product(range(-4, 5), repeat=3)
            for values in [dict(zip(names, numbers, strict=True))]
        )
        impossible = cannot_hold(conditions, equations)
        assert not (found and impossible), (list(map(str, conditions)), list(map(str, equations)))
        refuted += impossible
    assert refuted > 20
