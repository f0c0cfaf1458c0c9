"""A planned step has the bits of the unplanned one and of plain eager, whatever the module does."""

import copy

import pytest
from cases import CASES
from steps import assert_same_bits, run_step

import retrograde as rg
from retrograde.planning import Compute


@pytest.mark.parametrize("strategy", ["store_all", "sqrt", "interval_tree"])
@pytest.mark.parametrize("case", CASES)
def test_planned_step_equals_eager_bit_for_bit(case, strategy):
    make, make_inputs = CASES[case]
    plain = make()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy=strategy)
    for step in range(2):
        assert_same_bits(run_step(planned, make_inputs(), step), run_step(plain, make_inputs(), step))
    (plan,) = rg.torch.plans(planned)
    computed = sum(isinstance(action, Compute) for action in plan.actions)
    assert (plan.overhead > 0) == (strategy != "store_all") or computed
