"""The demonstration: a small GPT trains on real text inside several budgets, in step with an unplanned copy."""

from __future__ import annotations

import copy
import hashlib
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import nn

from retrograde.analysis import analyze
from retrograde.errors import BudgetError
from retrograde.planning import Compute, plan
from retrograde.report import DemoResult, DemoRow
from retrograde.runtime.meters import Measurement, measure_torch
from retrograde.torch.budgeted import BudgetedForward, budgeted, plans

LAYERS, WIDTH, HEADS, LENGTH, BATCH = 6, 96, 4, 128, 12
BUDGETS = ("100%", "70%", "50%", "35%", "smallest")
CURVE_BUDGETS = ("90%", "80%", "60%", "42%", "29%", "24%", "20%")
_SEED = 0


class Block(nn.Module):
    """A transformer block: attention and a feed-forward layer, each behind a layer norm and a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        query, key, value = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(width, dim=2)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, length, width)))
        return x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))


class GPT(nn.Module):
    """A character-level GPT with dropout and its loss inside."""

    def __init__(self, vocabulary: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(Block(WIDTH, HEADS, dropout) for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, vocabulary, bias=False)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


def run_demo(*, steps: int = 36, progress: Callable[[str], None] | None = None) -> DemoResult:
    """Train the same GPT without a budget and under several, side by side on the same batches.

    The text is the English of ``pydoc_data.topics``, which every CPython carries. Gradients are compared at every
    step, by digest. Peaks are read by an independent meter in the first and the last step, times in the steps between.

    Args:
        steps: training steps of each run, at least 4.
        progress: called with a line of text now and then.
    """
    tell = progress or (lambda _: None)
    text = _text()
    alphabet = sorted(set(text))
    ids = torch.tensor([alphabet.index(c) for c in text])
    torch.manual_seed(_SEED)
    plain = GPT(len(alphabet))
    batches = list(_batches(ids, steps))
    tell(f"{len(text):,} characters of text, {sum(p.numel() for p in plain.parameters()):,} parameters")

    runs = [_Run("unplanned", plain)]
    for label in BUDGETS:
        tell(f"capturing and planning: {label}")
        runs.append(_planned_run(label, plain, batches[0]))
    for number, batch in enumerate(batches):
        for run in runs:
            run.step(number, batch, measured=number in (0, steps - 1))
        tell(f"step {number + 1} of {steps}, loss {runs[0].losses[-1]:.3f}")
    tell("planning the trade-off curve")
    return _result(runs, len(text))


@dataclass(eq=False)
class _Run:
    """One model in training, and what was seen of it."""

    label: str
    model: GPT
    losses: list[float] = field(default_factory=list[float])
    digests: list[str] = field(default_factory=list[str])
    seconds: list[float] = field(default_factory=list[float])
    measurements: list[Measurement] = field(default_factory=list[Measurement])

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def step(self, number: int, batch: tuple[torch.Tensor, torch.Tensor], *, measured: bool) -> None:
        self.optimizer.zero_grad()
        torch.manual_seed(number)
        losses: list[torch.Tensor] = []

        def forward_and_backward() -> None:
            losses.append(self.model(*batch))
            losses[0].backward()

        if measured:
            self.measurements.append(measure_torch(forward_and_backward))
        else:
            start = time.perf_counter()
            forward_and_backward()
            self.seconds.append(time.perf_counter() - start)
        self.losses.append(losses[0].item())
        self.digests.append(_gradient_digest(self.model))
        self.optimizer.step()


def _planned_run(label: str, plain: GPT, batch: tuple[torch.Tensor, torch.Tensor]) -> _Run:
    model = copy.deepcopy(plain)
    if label != "smallest":
        return _Run(label, budgeted(model, label))
    try:
        budgeted(model, 1)(*batch)
    except BudgetError as error:
        return _Run(label, budgeted(copy.deepcopy(plain), error.minimum_bytes))
    raise AssertionError("a budget of one byte was met")


def _gradient_digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for parameter in model.parameters():
        assert parameter.grad is not None
        digest.update(parameter.grad.numpy().tobytes())
    return digest.hexdigest()


def _text() -> str:
    import pydoc_data.topics

    return "\n".join(pydoc_data.topics.topics.values())


def _batches(ids: torch.Tensor, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(_SEED)
    for _ in range(steps):
        starts = torch.randint(0, len(ids) - LENGTH - 1, (BATCH,), generator=generator)
        rows = torch.stack([ids[s : s + LENGTH + 1] for s in starts.tolist()])
        yield rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def _result(runs: list[_Run], characters: int) -> DemoResult:
    rows = tuple(_row(run, runs[0]) for run in runs)
    graph = rows[1].graph
    assert graph is not None
    known = [row.plan for row in rows if row.plan is not None]
    known += [plan(graph, budget, time_limit=2.0) for budget in CURVE_BUDGETS]
    curve = sorted((found.peak_bytes / graph.store_all_peak_bytes, found.overhead) for found in known)
    return DemoResult(
        title=f"A GPT of {LAYERS} layers trains on {characters:,} characters of English, {len(runs[0].losses)} steps",
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        store_all_peak_bytes=graph.store_all_peak_bytes,
        rows=rows,
        curve=tuple(curve),
        bound_bytes=analyze(graph).bound_bytes,
    )


def _row(run: _Run, plain: _Run) -> DemoRow:
    ratios = [ours / theirs for ours, theirs in zip(run.seconds, plain.seconds, strict=True)]
    peak = max(m.peak_bytes for m in run.measurements)
    seen = DemoRow(
        budget_label=run.label,
        budget_bytes=None,
        measured_peak_bytes=peak,
        predicted_peak_bytes=None,
        recomputed_operations=0,
        step_time_ratio=statistics.median(ratios),
        loss_first=run.losses[0],
        loss_last=run.losses[-1],
        gradients_equal=run.digests == plain.digests,
        measured_timeline=run.measurements[-1].timeline,
    )
    return seen if run is plain else _with_plan(seen, run)


def _with_plan(seen: DemoRow, run: _Run) -> DemoRow:
    forward = run.model.__dict__["forward"]
    assert isinstance(forward, BudgetedForward)
    (found,) = plans(run.model)
    graph = forward.compiler.captured[0].description(()).graph
    computed = [action.operation for action in found.actions if isinstance(action, Compute)]
    return replace(
        seen,
        budget_bytes=found.budget_bytes,
        predicted_peak_bytes=found.peak_bytes,
        recomputed_operations=sum(not graph.is_view(i) for i in computed)
        - sum(not graph.is_view(i) for i in set(computed)),
        graph=graph,
        plan=found,
    )
