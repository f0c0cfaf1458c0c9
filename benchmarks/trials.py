"""One model, its variants side by side: peaks, gradients, times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from models import Case
from peers import ACTIVATION_BUDGETS, ActivationBudgeted, checkpointed, planned
from timing import Ratio, Stopwatch, spread, time_rounds
from torch import nn

import retrograde as rg
from retrograde.graph import Graph
from retrograde.planning import Compute

EAGER, STORE_ALL, CHECKPOINT = "eager", "store_all", "checkpoint per block"
WORTH_COMPARING = 0.03
"""Extra time below which a peer is not held against a plan: it is all but free."""

Tell = Callable[[str], None]


@dataclass
class Row:
    """A variant and what was seen of it.

    Attributes:
        name: for people.
        kind: ``eager``, ``checkpoint``, ``activation budget``, ``engine``, ``budget``, ``at peer``.
        reference: the variant over which its extra time is taken.
        budget_bytes: the budget, of planned variants.
        minimum_bytes: set where the budget is infeasible: the smallest that is not; nothing else is known then.
        peaks: measured peaks: of the first step where there is a budget, of the second, and of the last.
        predicted_peak_bytes: the plan's.
        planned_extra: the plan's overhead.
        recomputed: operations (views left out) that run again.
        planning_seconds: time of the first call, capture and compilation included.
        gradients_equal: whether every step of the variant had eager's gradients and loss, bit for bit.
        steps: how many steps were compared.
        extra: measured time over the reference, minus 1: median, quartiles, rounds.
    """

    name: str
    kind: str
    reference: str
    budget_bytes: int | None = None
    minimum_bytes: int | None = None
    peaks: list[int] = field(default_factory=list[int])
    predicted_peak_bytes: int | None = None
    planned_extra: float | None = None
    recomputed: int = 0
    planning_seconds: float = 0.0
    gradients_equal: bool = True
    steps: int = 0
    extra: Ratio | None = None


@dataclass
class ModelResult:
    """Everything seen of one model."""

    name: str
    title: str
    operations: int
    store_all_peak_bytes: int
    bound_bytes: int
    gradient_bytes: int
    eager_seconds: list[float]
    store_all_ratio: Ratio | None
    rows: list[Row]

    def to_json(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


class Bench:
    """Runs one model's variants.

    Args:
        name: the model's key.
        case: the model.
        rounds: timed rounds.
        watch: times steps.
        tell: called with progress.
    """

    def __init__(self, name: str, case: Case, rounds: int, watch: Stopwatch, tell: Tell) -> None:
        self.name, self.case, self.rounds, self.watch = name, case, rounds, watch
        self.tell: Tell = lambda text: tell(f"{name}: {text}")
        torch._dynamo.reset()
        self.module = case.module()
        self.inputs = case.inputs()
        self.tell("capturing, measuring operations")
        self.graph: Graph = rg.torch.capture_graph(self.module, self.inputs)
        self.rows: dict[str, Row] = {}
        self.modules: dict[str, nn.Module] = {}
        self.expected: list[torch.Tensor] = []
        self.losses: dict[str, torch.Tensor] = {}

    def run(self, budgets: Sequence[str]) -> ModelResult:
        """Measure peers, then plans for the budgets and for the peers' peaks, then time all of them together."""
        self._add(Row(EAGER, "eager", EAGER), self.module)
        self._add(Row(STORE_ALL, "engine", STORE_ALL), planned(self.module, "100 GiB", "store_all"))
        self._add_peers()
        wanted = [
            (f"budget {text}", "budget", int(self.graph.store_all_peak_bytes * float(text.strip("%")) / 100))
            for text in budgets
        ]
        wanted.append(("smallest budget", "budget", self._minimum_bytes()))
        wanted += [
            (f"at the peak of {row.name}", "at peer", min(row.peaks))
            for row in self.rows.values()
            if row.kind in ("checkpoint", "activation budget") and row.reference != row.name
        ]
        # From small to large, so that what is found for a small budget serves the larger ones.
        for name, kind, budget_bytes in sorted(wanted, key=lambda entry: entry[2]):
            self._plan(name, kind, budget_bytes)
        rounds = time_rounds(
            {name: self._step(name) for name in self.modules},
            EAGER,
            self.rounds,
            self.watch,
            after_step=self._compare,
            tell=self.tell,
        )
        for name in self.modules:
            self._measure(name)
            row = self.rows[name]
            row.extra = _minus_one(rounds.ratio(name, row.reference, self.rounds))
        self.tell(f"eager step {spread(rounds.anchor_seconds)}")
        return ModelResult(
            self.name,
            self.case.title,
            len(self.graph.operations),
            self.graph.store_all_peak_bytes,
            rg.analyze(self.graph).bound_bytes,
            sum(p.numel() * p.element_size() for p in self.module.parameters()),
            rounds.anchor_seconds,
            rounds.ratio(STORE_ALL, EAGER, self.rounds),
            list(self.rows.values()),
        )

    # Variants

    def _add_peers(self) -> None:
        self._add(Row(CHECKPOINT, "checkpoint", EAGER), checkpointed(self.module))
        known: dict[str, str] = {}
        reference = _activation_name(1.0)
        for fraction in ACTIVATION_BUDGETS:
            variant = ActivationBudgeted(self.module, fraction)
            name = _activation_name(fraction)
            self._add(Row(name, "activation budget", reference), variant)
            twin = known.setdefault(variant.partition, name)
            if twin != name:
                self.tell(f"{name} is the same graphs as {twin}")
                del self.rows[name], self.modules[name]

    def _minimum_bytes(self) -> int:
        try:
            planned(self.module, 1)(*self.inputs)
        except rg.BudgetError as error:
            return error.minimum_bytes
        raise AssertionError("a budget of one byte was met")

    def _plan(self, name: str, kind: str, budget_bytes: int) -> None:
        row = Row(name, kind, STORE_ALL, budget_bytes)
        try:
            module = planned(self.module, budget_bytes)
            self._add(row, module)
        except rg.BudgetError as error:
            row.minimum_bytes = error.minimum_bytes
            del self.modules[name]
            self.tell(f"{name}: infeasible, smallest {error.minimum_bytes / 2**20:.1f} MiB")
            return
        (plan,) = rg.torch.plans(module)
        row.predicted_peak_bytes, row.planned_extra = plan.peak_bytes, plan.overhead
        computed = [a.operation for a in plan.actions if isinstance(a, Compute) and not self.graph.is_view(a.operation)]
        row.recomputed = len(computed) - len(set(computed))
        self.tell(f"{name}: planned +{100 * plan.overhead:.1f} %, first call {row.planning_seconds:.1f} s")

    # Steps

    def _add(self, row: Row, module: nn.Module) -> None:
        self.rows[row.name], self.modules[row.name] = row, module
        start = time.perf_counter()
        if row.budget_bytes is None:
            self._step(row.name)()
            self._compare(row.name)
        else:
            self._measure(row.name)
        row.planning_seconds = time.perf_counter() - start
        self._measure(row.name)
        self.tell(f"{row.name}: peak {row.peaks[-1] / 2**20:.1f} MiB")

    def _step(self, name: str) -> Callable[[], None]:
        module = self.modules[name]

        def step() -> None:
            loss = module(*self.inputs)
            loss.backward()
            self.losses[name] = loss.detach()

        return step

    def _measure(self, name: str) -> None:
        self.rows[name].peaks.append(rg.torch.measure(self._step(name)).peak_bytes)
        self._compare(name)

    def _compare(self, name: str) -> None:
        """Hold the gradients of the last step against eager's first ones, and drop them."""
        parameters = list(self.modules[name].parameters())
        found = [self.losses.pop(name), *(p.grad for p in parameters if p.grad is not None)]
        if not self.expected:
            self.expected = found
        row = self.rows[name]
        row.steps += 1
        same = len(found) == len(self.expected)
        row.gradients_equal &= same and all(torch.equal(a, b) for a, b in zip(found, self.expected, strict=True))
        for parameter in parameters:
            parameter.grad = None


def _activation_name(fraction: float) -> str:
    return f"activation_memory_budget {fraction:.1f}"


def _minus_one(ratio: Ratio) -> Ratio:
    return Ratio(ratio.median - 1, ratio.low - 1, ratio.high - 1, ratio.rounds, ratio.calm_rounds)
