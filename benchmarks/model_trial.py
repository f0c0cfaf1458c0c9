"""One trial of ``torch_models.py``: a variant of a model beside the plain model, in a process of its own."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch._dynamo
import torch._functorch.config
from library_models import LIBRARY_CASES
from timing import Ratio, Stopwatch, time_rounds
from torch import nn

import retrograde as rg
from retrograde.errors import UsageError
from retrograde.planning import Compute

COMPILERS = {"eager": "aot_eager_decomp_partition", "inductor": "inductor"}
"""The backend of ``torch.compile`` that ``activation_memory_budget`` runs with, for each compiler of ours."""
DROPOUT = {"eager": 0.1, "inductor": 0.0}
"""Inductor draws other random numbers than eager, and others after another partition."""
KINDS = ("plain", "checkpoint", "activation", "budget", "smallest", "first call", "first call again")
_ANCHOR, _REFERENCE, _VARIANT = "anchor", "reference", "variant"
_NOISE = 1e-6


@dataclass(frozen=True)
class Trial:
    """What to run.

    Attributes:
        model: a key of ``LIBRARY_CASES``.
        compiler: ``eager`` or ``inductor``.
        kind: one of ``KINDS``.
        budget: of ``budget`` and ``first call``: as text, or bytes; of ``activation``: the fraction.
        rounds: timed rounds.
        threads: of PyTorch.
        clock: of ``timing``.
    """

    model: str
    compiler: str
    kind: str
    budget: str | int | float | None = None
    rounds: int = 7
    threads: int = 1
    clock: str = "cpu"

    @property
    def name(self) -> str:
        """For people, and unique for a model and a compiler."""
        if self.kind == "budget" and isinstance(self.budget, int):
            return f"budget of {self.budget} bytes"
        named = {"activation": "activation_memory_budget", "smallest": "smallest budget"}.get(self.kind, self.kind)
        return f"{named} {self.budget}" if self.budget is not None else named

    @property
    def key(self) -> str:
        """Unique among all trials."""
        return f"{self.model} | {self.compiler} | {self.name}"


@dataclass
class Outcome:
    """What was seen.

    Attributes:
        trial: what was run.
        peaks: measured peaks of the first step, the second and the last.
        first_seconds: of the first step, capture and planning included, without the meter where the kind is
            ``first call`` (nothing cached, or no budget) or ``first call again``.
        ratio: time of a step over that of the reference: the same way of running, with everything stored.
        over_plain: time of a step over that of plain eager or plain Inductor.
        plain_seconds: a step of plain eager or plain Inductor.
        gradients_equal: whether loss and gradients of every step were those of the plain module, bit for bit.
        difference: the largest difference of a gradient, relative to its largest element.
        steps: how many steps were compared.
        budget_bytes: of a plan.
        predicted_peak_bytes: of a plan.
        planned_extra: the plan's overhead.
        recomputed: operations that a plan runs again.
        minimum_bytes: set where the budget is infeasible; nothing else is known then.
        problem: why there is nothing, in words.
        skipped: whether that is because this version has no such compiler.
    """

    trial: dict[str, Any]
    peaks: list[int] = field(default_factory=list[int])
    first_seconds: float = 0.0
    ratio: Ratio | None = None
    over_plain: Ratio | None = None
    plain_seconds: float = 0.0
    gradients_equal: bool = True
    difference: float = 0.0
    steps: int = 0
    budget_bytes: int | None = None
    predicted_peak_bytes: int | None = None
    planned_extra: float | None = None
    recomputed: int = 0
    minimum_bytes: int | None = None
    problem: str = ""
    skipped: bool = False


def run_trial(trial: Trial, tell: Callable[[str], None]) -> Outcome:
    """Run a trial in this process."""
    torch.set_num_threads(trial.threads)
    return _Run(trial, tell).run()


class _Run:
    def __init__(self, trial: Trial, tell: Callable[[str], None]) -> None:
        self.trial, self.tell = trial, tell
        case = LIBRARY_CASES[trial.model]
        self.case = case
        self.inputs = case.inputs()
        self.module = case.module(DROPOUT[trial.compiler])
        self.outcome = Outcome(asdict(trial))
        self.modules: dict[str, nn.Module] = {}
        self.losses: dict[str, torch.Tensor] = {}
        self.expected: list[torch.Tensor] = []

    def run(self) -> Outcome:
        try:
            if self.trial.kind.startswith("first call"):
                self._first_call()
            else:
                self._compare_with_plain()
        except rg.BudgetError as error:
            self.outcome.minimum_bytes = error.minimum_bytes
        except UsageError as error:
            if "compiler" not in str(error):
                raise
            self.outcome.problem, self.outcome.skipped = str(error), True
        except Exception as error:
            # A peer that fails is a result as well, and the other trials go on.
            self.outcome.problem = f"{type(error).__name__}: {error}".splitlines()[0]
        return self.outcome

    def _first_call(self) -> None:
        if self.trial.budget is None:
            module = copy.deepcopy(self.module)
            backend = "aot_eager" if self.trial.compiler == "eager" else "inductor"
            module.forward = torch.compile(module.forward, backend=backend, dynamic=False)
        else:
            module = self._budgeted(self.trial.budget)
        self.modules[_VARIANT] = module
        start = time.perf_counter()
        self._step(_VARIANT)()
        self.outcome.first_seconds = time.perf_counter() - start

    def _compare_with_plain(self) -> None:
        plain = self._plain()
        self.modules[_ANCHOR] = plain
        self._step(_ANCHOR)()
        self._compare(_ANCHOR)
        variant, reference = self._variant(plain)
        self.modules[_VARIANT] = variant
        start = time.perf_counter()
        self._measure()
        self.outcome.first_seconds = time.perf_counter() - start
        self._measure()
        self._read_plan(variant)
        if reference is not plain and reference is not variant:
            self.modules[_REFERENCE] = reference
            self._step(_REFERENCE)()
            self._drop(_REFERENCE)
        self._time(_ANCHOR if reference is plain else _VARIANT if reference is variant else _REFERENCE)
        self._measure()

    def _time(self, reference: str) -> None:
        trial, outcome = self.trial, self.outcome
        rounds = time_rounds(
            {name: self._step(name) for name in self.modules},
            _ANCHOR,
            trial.rounds,
            Stopwatch(trial.clock),
            after_step=lambda name: self._compare(name) if name == _VARIANT else self._drop(name),
            tell=self.tell,
        )
        outcome.plain_seconds = sorted(rounds.anchor_seconds)[len(rounds.anchor_seconds) // 2]
        outcome.over_plain = rounds.ratio(_VARIANT, _ANCHOR, trial.rounds)
        outcome.ratio = rounds.ratio(_VARIANT, reference, trial.rounds)

    # Ways of running

    def _plain(self) -> nn.Module:
        return self.module if self.trial.compiler == "eager" else self._compiled(1.0)

    def _variant(self, plain: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The variant and the same way of running with everything stored."""
        trial = self.trial
        if trial.kind == "plain":
            return copy.deepcopy(self.module) if trial.compiler == "eager" else self._compiled(1.0), plain
        if trial.kind == "checkpoint":
            module = copy.deepcopy(self.module)
            self.case.switch_on_checkpointing(module)
            if trial.compiler == "inductor":
                module.forward = torch.compile(module.forward, backend="inductor", dynamic=False)
            return module, plain
        if trial.kind == "activation":
            fraction = float(trial.budget or 0)
            variant = self._compiled(fraction)
            reference = plain if trial.compiler == "inductor" else variant if fraction == 1 else self._compiled(1.0)
            return variant, reference
        budget = self._minimum_bytes() if trial.kind == "smallest" else trial.budget
        module = self._budgeted(budget)
        return module, module if budget == "100%" else self._budgeted("100%")

    def _compiled(self, fraction: float) -> nn.Module:
        """A copy compiled with ``activation_memory_budget``."""
        module = copy.deepcopy(self.module)
        if fraction < 1:
            _keep_no_statistics(module)
        compile_graph = torch._dynamo.lookup_backend(COMPILERS[self.trial.compiler])
        settings = {"activation_memory_budget": fraction, "enable_autograd_cache": False}

        def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
            with torch._functorch.config.patch(settings):
                return compile_graph(graph, inputs)

        module.forward = torch.compile(module.forward, backend=backend, dynamic=False)
        return module

    def _budgeted(self, budget: Any) -> nn.Module:
        return rg.torch.budgeted(copy.deepcopy(self.module), budget, compiler=self.trial.compiler)

    def _minimum_bytes(self) -> int:
        self.modules[_VARIANT] = self._budgeted(1)
        try:
            self._step(_VARIANT)()
        except rg.BudgetError as error:
            return error.minimum_bytes
        raise AssertionError("a budget of one byte was met")

    def _read_plan(self, module: nn.Module) -> None:
        if self.trial.kind not in ("budget", "smallest"):
            return
        outcome, plan = self.outcome, rg.torch.plans(module)[-1]
        # Of compiled code its own peak and budget count, not those in the sizes of the graph.
        told = {"compiled_budget_bytes": plan.budget_bytes, "compiled_peak_bytes": plan.peak_bytes}
        told |= {name: int(number) for name, number in plan.statistics if name in told}
        outcome.budget_bytes, outcome.predicted_peak_bytes = told.values()
        outcome.planned_extra = plan.overhead
        computed = [action.operation for action in plan.actions if isinstance(action, Compute)]
        outcome.recomputed = len(computed) - len(set(computed))

    # Steps

    def _step(self, name: str) -> Callable[[], None]:
        module = self.modules[name]

        def step() -> None:
            torch.manual_seed(0)
            loss = module(**self.inputs)
            loss.backward()
            self.losses[name] = loss.detach()

        return step

    def _measure(self) -> None:
        self.outcome.peaks.append(rg.torch.measure(self._step(_VARIANT)).peak_bytes)
        self._compare(_VARIANT)

    def _drop(self, name: str) -> None:
        self.losses.pop(name, None)
        for parameter in self.modules[name].parameters():
            parameter.grad = None

    def _compare(self, name: str) -> None:
        """Hold loss and gradients of the last step against the plain module's first ones, and drop them."""
        found = [self.losses[name]]
        found += [torch.zeros(()) if p.grad is None else p.grad for p in self.modules[name].parameters()]
        self._drop(name)
        if not self.expected:
            self.expected = found
            return
        outcome = self.outcome
        outcome.steps += 1
        outcome.gradients_equal &= all(map(torch.equal, found, self.expected))
        outcome.difference = max(outcome.difference, _difference(found, self.expected))


def _difference(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """The largest relative difference of a tensor; tensors that are rounding noise beside others do not count."""
    largest = max(tensor.abs().max().item() for tensor in expected)
    return max(
        ((a - b).abs().max() / b.abs().max()).item()
        for a, b in zip(found, expected, strict=True)
        if b.abs().max() > _NOISE * largest
    )


def _keep_no_statistics(module: nn.Module) -> None:
    """With running statistics PyTorch 2.13 recomputes an update of a buffer, and the backward pass raises."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.track_running_stats = False
            part.running_mean = part.running_var = part.num_batches_tracked = None
