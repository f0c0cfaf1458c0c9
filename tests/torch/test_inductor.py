"""Planned graphs compiled by Inductor: inside the budget, the gradients of the unplanned step, levels that survive."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from steps import assert_same_bits, run_step
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

import retrograde as rg
from retrograde.planning import Compute
from retrograde.torch.emission.emit import RUN, emit
from retrograde.torch.step.book import COMPILED_PEAK

TOLERANCE = 1e-5
"""Of a gradient's norm; single precision with other kernels fused."""


class Tower(nn.Module):
    """Layers whose activations are much larger than their weights, and the loss."""

    def __init__(self, layers: int = 6, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(layers))
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = F.dropout(torch.tanh(layer(x)), self.dropout, training=self.dropout > 0)
        return x.square().mean()


def tower(**options):
    torch.manual_seed(0)
    return Tower(**options)


def rows() -> torch.Tensor:
    return torch.randn(512, 16, generator=torch.Generator().manual_seed(7))


def compiled(module: nn.Module, budget: str, **options) -> nn.Module:
    options = {"iterations": 100, "measure_costs": False, **options}
    return rg.torch.budgeted(module, budget, compiler="inductor", **options)


class Planned:
    """The one plan of a module, what it describes, and the peak of its code."""

    def __init__(self, module: nn.Module) -> None:
        known = module.forward.known()[-1]
        self.plan, self.description = known.plan, known.described
        self.peak_bytes = dict(known.plan.statistics)[COMPILED_PEAK]


def planned(module: nn.Module) -> Planned:
    return Planned(module)


def measured_peak(module: nn.Module, *inputs: torch.Tensor) -> int:
    module.zero_grad()
    return rg.torch.measure(lambda: module(*inputs).backward()).peak_bytes


def assert_close(found, expected) -> None:
    for what in ("outputs", "gradients", "buffers"):
        for a, b in zip(found[what], expected[what], strict=True):
            assert (a - b).norm() <= TOLERANCE * b.norm() + 1e-9, what


@pytest.fixture(scope="module")
def towers():
    """A tower at several budgets, each after one step, with what that step did."""
    towers = {}
    for budget in ("100%", "60%"):
        module = compiled(tower(), budget)
        towers[budget] = (module, run_step(module, (rows(),)))
    return towers


def test_gradients_are_eagers_within_rounding(towers):
    eager = run_step(tower(), (rows(),))
    for _, step in towers.values():
        assert_close(step, eager)


def test_the_measured_peak_is_the_predicted_one_and_inside_the_budget(towers):
    base = planned(towers["100%"][0]).peak_bytes
    for budget, (module, _) in towers.items():
        peak = measured_peak(module, rows())
        assert abs(planned(module).peak_bytes - peak) <= 0.02 * peak
        assert peak <= rg.Budget(budget).resolve(base)
        assert dict(planned(module).plan.statistics)["compiled_budget_bytes"] == rg.Budget(budget).resolve(base)


def test_recomputation_happens(towers):
    assert max(runs_of(towers["60%"][0], "tanh")) > 1
    assert max(runs_of(towers["100%"][0], "tanh")) == 1


def runs_of(module: nn.Module, operator: str) -> list[int]:
    """How often each operation of a kind runs."""
    runs = Counter(action.operation for action in planned(module).plan.actions if isinstance(action, Compute))
    nodes = planned(module).description.operation_nodes
    return [count for index, count in runs.items() if operator in str(nodes[index].target)]


@pytest.mark.parametrize("fallback", [False, True], ids=["of Inductor", "of eager"])
def test_recomputed_dropout_draws_the_same_random_numbers(fallback):
    steps = {}
    for budget in ("100%", "60%"):
        with torch._inductor.config.patch(fallback_random=fallback):
            module = compiled(tower(layers=4, dropout=0.3), budget)
            steps[budget] = run_step(module, (rows(),))
    assert max(runs_of(module, "native_dropout" if fallback else "inductor_random")) > 1
    assert_close(steps["60%"], steps["100%"])
    if fallback:
        assert_close(steps["60%"], run_step(tower(layers=4, dropout=0.3), (rows(),)))


class Norms(nn.Module):
    """Layers behind layer norms: what reads the sum of all layers before it could share kernels all over the place."""

    def __init__(self, layers: int = 5) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(layers))
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + torch.tanh(layer(norm(x)))
        return x.square().mean()


class Weighed(Exception):
    """Ends a compilation once plans were weighed."""


def test_levels_survive_because_far_runs_stay_apart(towers, monkeypatch):
    from torch._inductor.choices import InductorChoices

    from retrograde.torch import inductor as engine
    from retrograde.torch.emission.inductor import PlannedChoices
    from retrograde.torch.emission.weighing import compiled_pair_weight

    peaks: list[int] = []

    def weigh(self, description, schedule):
        pair = emit(description, rg.plan(description.graph, "45%", iterations=100).schedule, functional=True)
        for removed in ((), ("can_fuse", "can_fuse_horizontal")):
            with monkeypatch.context() as without:
                for name in removed:
                    without.setattr(PlannedChoices, name, staticmethod(getattr(InductorChoices, name)))
                peaks.append(compiled_pair_weight(description, pair.forward, pair.backward).peak_bytes)
        raise Weighed

    monkeypatch.setattr(engine.Inductor, "weigh", weigh)
    with pytest.raises(rg.CaptureError, match="Weighed"):
        compiled(Norms(), "45%")(rows())
    guarded, unguarded = peaks
    assert guarded < 0.8 * unguarded


def test_the_cache_of_compiled_code_tells_runs_apart(towers):
    from torch._dynamo.utils import counters

    from retrograde.torch.emission.inductor import compile_with_inductor

    def compile_run(run: int) -> list[int]:
        graph = fx.Graph()
        x = graph.placeholder("x")
        x.meta["val"] = fake
        node = graph.call_function(torch.ops.aten.mul.Tensor, (x, 3.25))
        node.meta.update({"val": fake, RUN: run})
        graph.output((node,))
        counters.clear()
        code = compile_with_inductor(fx.GraphModule({}, graph), [fake], backward=True)
        assert code.run([torch.ones(7)])[0].tolist() == [3.25] * 7
        assert code.output_strides == [(1,)]
        return [counters["inductor"][f"fxgraph_cache_{outcome}"] for outcome in ("hit", "miss")]

    with FakeTensorMode(shape_env=ShapeEnv()):
        fake = torch.empty(7)
    with torch._inductor.utils.fresh_cache():
        assert [compile_run(0), compile_run(1), compile_run(0)] == [[0, 1], [0, 1], [1, 0]]


def test_a_budget_that_no_code_meets_names_the_smallest_compiled_peak(towers):
    with pytest.raises(rg.BudgetError, match="not met by code that Inductor compiles") as caught:
        compiled(tower(), "1 KiB")(rows())
    error = caught.value
    again = compiled(tower(), f"{error.minimum_bytes} B")
    again(rows())
    assert planned(again).peak_bytes <= error.minimum_bytes
    assert error.budget_bytes == 1024 < error.bound_bytes <= error.minimum_bytes < planned(towers["100%"][0]).peak_bytes


@pytest.mark.slow
def test_exact_gradients_have_the_same_bits_under_every_budget():
    steps = {}
    for budget in ("100%", "75%"):
        torch.manual_seed(0)
        module = compiled(Norms(4), budget, exact=True)
        steps[budget] = run_step(module, (rows(),))
    assert max(runs_of(module, "aten")) > 1
    assert_same_bits(steps["75%"], steps["100%"])


def test_calls_without_gradients_are_compiled_too(towers):
    module, _ = towers["100%"]
    with torch.no_grad():
        assert torch.allclose(module(rows()), tower()(rows()), rtol=1e-5)


def test_exact_is_refused_where_everything_is_exact():
    with pytest.raises(rg.UsageError, match='exact=True is for compiler="inductor"'):
        rg.torch.budgeted(tower(), "1 MiB", exact=True)


def test_changing_sizes_are_refused_where_torch_compile_asks_for_them():
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Flatten(0))
    options = {"budget": "1 MiB", "compiler": "inductor"}
    compiled = torch.compile(model, backend="retrograde", dynamic=True, options=options)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=r"sizes that change.*dynamic=False") as caught:
        compiled(torch.randn(4, 8))
    assert isinstance(caught.value.inner_exception, rg.CaptureError)
