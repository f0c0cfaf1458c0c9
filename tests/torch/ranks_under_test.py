"""What the processes of ``test_ranks.py`` run: ``python ranks_under_test.py SCENARIO``, once for each rank.

Each scenario prints one JSON document of facts on standard output; the test judges them.
"""

from __future__ import annotations

import copy
import faulthandler
import functools
import json
import logging
import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as collectives
from torch import nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

import retrograde as rg
from retrograde.runtime.progress import ProgressReporter
from retrograde.torch import backend, plan_store
from retrograde.torch.emission import captured
from retrograde.torch.ranks import session

WIDTH = 64


class Net(nn.Module):
    """A deep network with dropout, and its loss inside."""

    def __init__(self, depth: int = 6) -> None:
        super().__init__()
        blocks = [nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Dropout(0.1)) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.mse_loss(self.blocks(x), y)


class Breaks(Net):
    """A network that cannot be captured where its flag is set."""

    breaks = False

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.breaks and x.sum().item() > 0:
            x = x + 1
        return super().forward(x, y)


class SumOverRanks(torch.autograd.Function):
    """An all-reduce inside the forward whose gradient is an all-reduce."""

    @staticmethod
    def forward(_, x):
        return collectives.wait_tensor(collectives.all_reduce(x, "sum", dist.group.WORLD))

    @staticmethod
    def backward(_, gradient):
        return collectives.wait_tensor(collectives.all_reduce(gradient.contiguous(), "sum", dist.group.WORLD))


class Exchanging(Net):
    """A network that exchanges activations with the other ranks after every block."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = SumOverRanks.apply(block(x)) / 2
        return nn.functional.mse_loss(x, y)


def batch(rows: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(10 + dist.get_rank())
    return torch.randn(rows, WIDTH, generator=generator), torch.randn(rows, WIDTH, generator=generator)


def local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def same_gradients(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(local(p.grad), local(q.grad)) for p, q in pairs)


def step(module: nn.Module, number: int, inputs: tuple[torch.Tensor, ...]) -> int:
    """Run one step and return its measured peak."""
    module.zero_grad()
    torch.manual_seed(number)
    return rg.torch.measure(lambda: module(*inputs).backward()).peak_bytes


def facts_of_plan(module: nn.Module) -> dict[str, object]:
    plan = rg.torch.plans(module)[-1]
    return {
        "actions": str(hash(plan.actions)),
        "cost": plan.cost,
        "budget": plan.budget_bytes,
        "predicted": plan.peak_bytes,
        "graph": plan.graph,
    }


def compare(
    plain: nn.Module, planned: nn.Module, *inputs: tuple[torch.Tensor, ...], steps: int = 4
) -> dict[str, object]:
    equal, peaks, reference = [], [], []
    for number in range(steps):
        given = inputs[number % len(inputs)]
        reference.append(step(plain, number, given))
        peaks.append(step(planned, number, given))
        equal.append(same_gradients(plain, planned))
    return {"equal": equal, "peaks": peaks, "reference": reference}


def raised(run) -> dict[str, object]:
    try:
        run()
    except Exception as error:
        numbers = {"minimum": getattr(error, "minimum_bytes", None), "rank": getattr(error, "rank", None)}
        return {"kind": type(error).__name__, "message": str(error), **numbers}
    return {"kind": None}


def data_parallel() -> dict[str, object]:
    plain, planned = Net(), Net()
    planned.load_state_dict(plain.state_dict())
    rg.torch.budgeted(planned, "75%", strategy="sqrt")
    facts = compare(DistributedDataParallel(plain), DistributedDataParallel(planned), batch())
    parameters = sum(p.nbytes for p in plain.parameters())
    return {**facts, **facts_of_plan(planned), "parameters": parameters}


def other_shapes() -> dict[str, object]:
    """The first batches differ in size between ranks, and later rank 1 alone meets a new size."""
    plain, planned = Net(), Net()
    planned.load_state_dict(plain.state_dict())
    rg.torch.budgeted(planned, "75%", strategy="sqrt")
    own = batch(64 + 32 * dist.get_rank())
    new = batch(160) if dist.get_rank() == 1 else own
    facts = compare(DistributedDataParallel(plain), DistributedDataParallel(planned), own, new, steps=4)
    return {**facts, "plans": len(rg.torch.plans(planned)), **facts_of_plan(planned)}


def later_shapes() -> dict[str, object]:
    """After a first call of its own on rank 0, both ranks meet sizes that they have not met before."""
    planned = rg.torch.budgeted(Net(), "75%", strategy="sqrt")
    if dist.get_rank() == 0:
        with rg.torch.alone():
            planned(*batch(64)).backward()
    for rows in (96, 128):
        planned(*batch(rows)).backward()
    return {"plans": [str(hash(plan.actions)) for plan in rg.torch.plans(planned)][-2:]}


def unmeasured(plain: nn.Module, planned: nn.Module, steps: int = 3) -> list[bool]:
    """Steps that are not measured, in which several calls are recorded and then planned as one step."""
    equal = []
    for number in range(steps):
        for module in (plain, planned):
            module.zero_grad()
            torch.manual_seed(number)
            module(*batch()).backward()
        equal.append(same_gradients(plain, planned))
    return equal


def loss_outside() -> dict[str, object]:
    plain = Net()
    planned = copy.deepcopy(plain)
    rg.torch.budgeted(planned.blocks, "75%", strategy="sqrt")
    plain.blocks, planned.blocks = DistributedDataParallel(plain.blocks), DistributedDataParallel(planned.blocks)
    equal = unmeasured(plain, planned)
    facts = compare(plain, planned, batch(), steps=2)
    return {**facts, **facts_of_plan(planned.blocks.module), "equal": equal + facts["equal"]}


def sharded_blocks() -> dict[str, object]:
    plain = Net()
    planned = copy.deepcopy(plain)
    budget = rg.Budget(1_100_000)
    for block in planned.blocks:
        rg.torch.budgeted(block, budget, strategy="sqrt")
    for module in (plain, planned):
        for block in module.blocks:
            fully_shard(block)
        fully_shard(module)
    equal = unmeasured(plain, planned)
    facts = compare(plain, planned, batch(), steps=2)
    return {**facts, **facts_of_plan(planned.blocks[0]), "equal": equal + facts["equal"]}


def without_synchronising() -> dict[str, object]:
    plain, planned = Net(), Net()
    planned.load_state_dict(plain.state_dict())
    rg.torch.budgeted(planned, "75%", strategy="sqrt")
    settings = {"gradient_as_bucket_view": True, "static_graph": False}
    wrapped = [DistributedDataParallel(module, **settings) for module in (plain, planned)]
    equal = []
    for number in range(2):
        for module in wrapped:
            module.zero_grad()
            torch.manual_seed(number)
            with module.no_sync():
                module(*batch()).backward()
            module(*batch(192)).backward()
        equal.append(same_gradients(plain, planned))
    return {"equal": equal}


def in_buckets() -> dict[str, object]:
    compiled = torch.compile(Net(), backend="retrograde", options={"budget": "75%", "strategy": "sqrt"})
    return raised(lambda: DistributedDataParallel(compiled)(*batch()))


def exchanging() -> dict[str, object]:
    plain = Exchanging()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "90%", strategy="recompute_all")
    facts = compare(plain, planned, batch())
    counts = {}
    for name, module in (("plain", plain), ("planned", planned)):
        with torch.autograd.profiler.profile() as profiler:
            module(*batch()).backward()
        names = [event.name for event in profiler.function_events]
        counts[name] = [names.count("c10d::allreduce_"), names.count("aten::gelu"), names.count("aten::addmm")]
    return {**facts, **facts_of_plan(planned), "counts": counts}


def different_collectives() -> dict[str, object]:
    planned = rg.torch.budgeted(Exchanging(depth=3 + dist.get_rank()), "90%", strategy="sqrt")
    return raised(lambda: planned(*batch()))


def different_sizes() -> dict[str, object]:
    planned = rg.torch.budgeted(Exchanging(), "90%", strategy="sqrt")
    return raised(lambda: planned(*batch(64 + dist.get_rank())))


def sharded() -> dict[str, object]:
    facts = {}
    for after in (False, True):
        plain = Net()
        planned = rg.torch.budgeted(copy.deepcopy(plain), "90%", strategy="sqrt")
        for module in (plain, planned):
            fully_shard(module, reshard_after_forward=after)
        of_steps = {**compare(plain, planned, batch()), **facts_of_plan(planned)}
        weight = planned.blocks[0][0].weight
        loss = planned(*batch())
        # Gathered parameters lose their memory after the forward pass, under the eyes of the saved tensors.
        state = planned._get_fsdp_state()._fsdp_param_groups[0].fsdp_params[0]
        of_steps["gathered"] = state._unsharded_param.untyped_storage().nbytes() // weight.nbytes
        loss.backward()
        optimizer = torch.optim.Adam(planned.parameters())
        told = rg.torch.optimizer_demand(optimizer)
        measured = rg.torch.measure(optimizer.step)
        of_steps["optimizer"] = [told.peak_bytes, measured.peak_bytes, told.state_bytes, measured.timeline[-1][1]]
        facts["resharded" if after else "kept"] = of_steps
    return facts


def sharded_with_mixed_precision() -> dict[str, object]:
    plain = Net()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "90%", strategy="sqrt")
    for module in (plain, planned):
        fully_shard(module.eval(), mp_policy=MixedPrecisionPolicy(torch.bfloat16, torch.float32))
    return {**compare(plain, planned, batch()), **facts_of_plan(planned)}


def sharded_inside() -> dict[str, object]:
    planned = rg.torch.budgeted(Net(), "75%", strategy="sqrt")
    fully_shard(planned.blocks[2])
    fully_shard(planned)
    return raised(lambda: planned(*batch()))


def wrapped_inside() -> dict[str, object]:
    net = Net()
    net.blocks[0] = DistributedDataParallel(net.blocks[0])
    return raised(lambda: rg.torch.budgeted(net, "75%", strategy="sqrt")(*batch()))


def speaking() -> dict[str, object]:
    """Warnings, and progress, whose report would come only after a second."""
    logging.getLogger("retrograde").warning("a word of warning")
    plan_store.ProgressReporter = functools.partial(ProgressReporter, delay_seconds=-1.0)
    module = rg.torch.budgeted(Net(), "100%", strategy="sqrt")
    module(*batch()).backward()
    # A graph of this rank's own, so that the rank plans by itself.
    module(*batch(16 + dist.get_rank())).backward()
    return facts_of_plan(module)


def agreement() -> dict[str, object]:
    refused = raised(lambda: rg.torch.budgeted(DistributedDataParallel(Net()), "60%"))
    return {
        "data parallel": data_parallel(),
        "other shapes": other_shapes(),
        "later shapes": later_shapes(),
        "without synchronising": without_synchronising(),
        "in buckets": in_buckets(),
        "exchanging": exchanging(),
        "different collectives": different_collectives(),
        "different sizes": different_sizes(),
        "sharded": sharded(),
        "loss outside": loss_outside(),
        "sharded blocks": sharded_blocks(),
        "mixed precision": sharded_with_mixed_precision(),
        "sharded inside": sharded_inside(),
        "wrapped inside": wrapped_inside(),
        "refused": refused,
        "speaking": speaking(),
    }


def capture_fails() -> dict[str, object]:
    module = rg.torch.budgeted(Breaks(), "75%", strategy="sqrt", fullgraph=True)
    module.breaks = dist.get_rank() == 1
    facts = raised(lambda: module(*batch()))
    # The failure leaves the module usable, on all ranks together.
    module.breaks = False
    module(*batch()).backward()
    return {**facts, **facts_of_plan(module)}


def describing_fails() -> dict[str, object]:
    def describe(*_, **__):
        raise RuntimeError("no words for it")

    original = backend.describe
    if dist.get_rank() == 1:
        backend.describe = describe
    try:
        return raised(lambda: rg.torch.budgeted(Net(), "75%", strategy="sqrt")(*batch()))
    finally:
        backend.describe = original


def planning_fails() -> dict[str, object]:
    def find_plan(*_, **__):
        raise MemoryError("no room to plan in")

    original = plan_store.find_plan
    if dist.get_rank() == 0:
        plan_store.find_plan = find_plan
    try:
        return raised(lambda: rg.torch.budgeted(Net(), "75%", strategy="sqrt")(*batch()))
    finally:
        plan_store.find_plan = original


def too_small() -> dict[str, object]:
    return raised(lambda: rg.torch.budgeted(Net(), "1 KiB", strategy="sqrt")(*batch()))


def running_fails() -> dict[str, object]:
    """One rank's inputs are refused when the captured graph exists already, and is about to run."""

    def emit(*arguments, **options):
        raise RuntimeError("cannot emit")

    original = captured.emit
    if dist.get_rank() == 1:
        captured.emit = emit
    try:
        return raised(lambda: rg.torch.budgeted(Net(), "75%", strategy="sqrt")(*batch()))
    finally:
        captured.emit = original


def failures() -> dict[str, object]:
    return {
        "capture": capture_fails(),
        "describing": describing_fails(),
        "planning": planning_fails(),
        "too small": too_small(),
        "emitting": running_fails(),
    }


def death() -> dict[str, object]:
    """Rank 1 dies while it plans."""

    def describe(*_, **__):
        os._exit(7)

    if dist.get_rank() == 1:
        backend.describe = describe
    return raised(lambda: rg.torch.budgeted(Net(), "75%", strategy="sqrt")(*batch()))


def stuck() -> dict[str, object]:
    """Rank 1 fails while its graph runs, when rank 0 waits for it inside the graph."""

    def forward(_):
        def fails(_):
            raise MemoryError("no room to run in")

        fails._boxed_call = True
        return fails

    session.FAILURE_WAIT = timedelta(seconds=2)
    if dist.get_rank() == 1:
        captured.CapturedGraph.forward = forward
    return raised(lambda: rg.torch.budgeted(Exchanging(), "100%", strategy="sqrt")(*batch()))


if __name__ == "__main__":
    faulthandler.dump_traceback_later(float(os.environ["TIMEOUT_SECONDS"]), exit=True)
    torch.manual_seed(0)
    dist.init_process_group("gloo")
    scenario = {"agreement": agreement, "failures": failures, "death": death, "stuck": stuck}[sys.argv[1]]
    print(json.dumps(scenario()), flush=True)
    if sys.argv[1] not in ("death", "stuck"):
        dist.destroy_process_group()
