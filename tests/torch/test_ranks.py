"""Two processes: one plan, the same gradients, collectives as often as without a plan, and failures that nobody waits
for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch.distributed as dist
from torch import nn

import retrograde as rg
from retrograde.errors import PlanError, RankError
from retrograde.graph import Graph
from retrograde.torch.ranks.agreement import recertified, shared_plan, structure_digest
from retrograde.torch.ranks.exchange import PlanBoard
from retrograde.torch.ranks.session import FirstCall

SCRIPT = Path(__file__).parent / "ranks_under_test.py"
TIMEOUT_SECONDS = 120

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="PyTorch is built without distributed")


@dataclass(frozen=True)
class Outcome:
    """What became of one rank."""

    status: int
    facts: dict
    said: str


def run_ranks(scenario: str, cache: Path, size: int = 2) -> list[Outcome]:
    """Run a scenario in two processes. One that hangs ends itself, and says where it hung."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    source = os.pathsep.join([str(Path(rg.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    shared |= {"PYTHONPATH": source, "PYTHONHASHSEED": "0", "TIMEOUT_SECONDS": str(TIMEOUT_SECONDS)}
    with contextlib.ExitStack() as stack:
        files = [
            tuple(stack.enter_context((cache / f"{r}.{s}").open("w+")) for s in ("out", "err")) for r in range(size)
        ]
        processes = [
            subprocess.Popen(
                [sys.executable, str(SCRIPT), scenario],
                env={**os.environ, **shared, "RANK": str(rank), "RETROGRADE_CACHE_DIR": str(cache / str(rank))},
                stdout=out,
                stderr=said,
            )
            for rank, (out, said) in enumerate(files)
        ]
        for process in processes:
            # A process that outlives the script's own time limit has not even begun.
            process.wait(timeout=2 * TIMEOUT_SECONDS)
        outcomes = []
        for process, (out, said) in zip(processes, files, strict=True):
            out.seek(0)
            said.seek(0)
            text = out.read()
            outcomes.append(Outcome(process.returncode, json.loads(text) if text else {}, said.read()))
    return outcomes


def succeeding(scenario: str, cache: Path) -> list[Outcome]:
    outcomes = run_ranks(scenario, cache)
    assert [outcome.status for outcome in outcomes] == [0, 0], "\n\n".join(outcome.said for outcome in outcomes)
    return outcomes


@pytest.fixture(scope="module")
def agreement(tmp_path_factory) -> list[Outcome]:
    return succeeding("agreement", tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def failures(tmp_path_factory) -> list[Outcome]:
    return succeeding("failures", tmp_path_factory.mktemp("failing-ranks"))


def of_both(outcomes: list[Outcome], name: str) -> list[dict]:
    return [outcome.facts[name] for outcome in outcomes]


def test_data_parallel_gradients_are_those_without_a_budget(agreement):
    for facts in of_both(agreement, "data parallel"):
        assert facts["equal"] == [True] * 4


def test_the_ranks_follow_one_plan_with_costs_of_their_own(agreement):
    one, other = of_both(agreement, "data parallel")
    assert one["actions"] == other["actions"]
    assert (one["budget"], one["predicted"]) == (other["budget"], other["predicted"])
    # Each has a cache of its own, and so has measured for itself.
    assert one["cost"] != other["cost"]
    assert one["graph"] != other["graph"]


def test_the_peak_of_every_rank_is_within_its_budget(agreement):
    for facts in of_both(agreement, "data parallel"):
        first, second, *later = facts["peaks"]
        assert max(first, *later) == facts["predicted"] <= facts["budget"] < min(facts["reference"])
        # DDP allocates its buckets again in the second step, and what it frees for them gets no credit.
        assert second <= facts["budget"] + facts["parameters"] + 64


def test_ranks_with_other_shapes_follow_plans_of_their_own(agreement):
    one, other = of_both(agreement, "other shapes")
    assert one["equal"] == other["equal"] == [True] * 4
    assert (one["plans"], other["plans"]) == (1, 2)
    assert one["budget"] != other["budget"]


def test_ranks_that_meet_a_new_shape_later_follow_one_plan(agreement):
    one, other = of_both(agreement, "later shapes")
    assert one["plans"] == other["plans"]
    assert len(one["plans"]) == 2


def test_gradients_accumulate_without_synchronising(agreement):
    for facts in of_both(agreement, "without synchronising"):
        assert facts["equal"] == [True] * 2


def test_a_graph_cut_into_buckets_is_refused(agreement):
    for facts in of_both(agreement, "in buckets"):
        assert facts["kind"] == "BackendCompilerFailed"
        assert "set torch._dynamo.config.optimize_ddp = False" in facts["message"]


def test_collectives_run_as_often_as_without_a_plan(agreement):
    for facts in of_both(agreement, "exchanging"):
        assert facts["equal"] == [True] * 4
        (plain_sums, *_, plain_products), (planned_sums, *_, planned_products) = facts["counts"].values()
        assert plain_sums == planned_sums > 0
        assert planned_products > plain_products
        # A thread of gloo's may hold the tensors of a collective for a moment after it is done.
        assert min(facts["peaks"]) <= facts["budget"]


def test_different_collectives_on_the_ranks_are_refused(agreement):
    for facts in of_both(agreement, "different collectives"):
        assert facts["kind"] == "CaptureError"
        assert "rank 0 captured 6 of them, rank 1 captured 8" in facts["message"]
        assert "let no rank skip a collective" in facts["message"]


def test_collectives_of_different_sizes_are_refused(agreement):
    for facts in of_both(agreement, "different sizes"):
        assert facts["kind"] == "CaptureError"
        assert "all_reduce.default of (64, 64) on rank 0 and " in facts["message"]
        assert "all_reduce.default of (65, 64) on rank 1" in facts["message"]


@pytest.mark.parametrize("when", ["kept", "resharded"])
def test_a_fully_sharded_module_has_the_gradients_and_peaks_it_should(agreement, when):
    one, other = (facts[when] for facts in of_both(agreement, "sharded"))
    assert one["actions"] == other["actions"]
    for facts in (one, other):
        assert facts["equal"] == [True] * 4
        assert max(facts["peaks"]) <= facts["budget"] < min(facts["reference"])
        assert facts["gathered"] == (0 if when == "resharded" else 1)
        told, measured, told_state, measured_state = facts["optimizer"]
        assert told_state == measured_state
        assert told <= measured <= told + 64


@pytest.mark.parametrize("steps", ["loss outside", "sharded blocks"])
def test_steps_of_several_calls_on_several_ranks(agreement, steps):
    for facts in of_both(agreement, steps):
        assert facts["equal"] == [True] * 5
        assert max(facts["peaks"]) <= facts["budget"] < min(facts["reference"])


def test_a_step_planned_after_it_was_seen_is_planned_once_for_all(agreement):
    one, other = of_both(agreement, "loss outside")
    assert one["actions"] == other["actions"]


def test_full_sharding_in_mixed_precision(agreement):
    for facts in of_both(agreement, "mixed precision"):
        assert facts["equal"] == [True] * 4
        assert max(facts["peaks"]) <= facts["budget"]


def test_wrappers_in_the_wrong_place_are_refused_with_the_remedy(agreement):
    for facts in of_both(agreement, "refused"):
        assert facts["kind"] == "UsageError"
        assert "DistributedDataParallel(retrograde.torch.budgeted(module, budget))" in facts["message"]
    for facts in of_both(agreement, "wrapped inside"):
        assert facts["kind"] == "CaptureError"
        assert "blocks.0 inside this budgeted Net is a DistributedDataParallel" in facts["message"]
    for facts in of_both(agreement, "sharded inside"):
        assert facts["kind"] == "CaptureError"
        assert "blocks.2" in facts["message"]
        assert "give fully_shard the budgeted module as a whole" in facts["message"]


def test_rank_0_speaks_and_the_others_are_quiet(agreement):
    warning = "a word of warning"
    assert warning in agreement[0].said
    assert "retrograde: planning" in agreement[0].said
    assert warning not in agreement[1].said
    assert "retrograde: planning" not in agreement[1].said


@pytest.mark.parametrize(
    ("failure", "rank", "kind", "words"),
    [
        ("capture", 1, "CaptureError", "cannot be captured as one graph"),
        ("describing", 1, "CaptureError", "no words for it"),
        ("planning", 0, "CaptureError", "no room to plan in"),
        ("emitting", 1, "CaptureError", "cannot emit"),
    ],
)
def test_a_rank_that_fails_takes_the_others_along(failures, failure, rank, kind, words):
    failing, other = (failures[r].facts[failure] for r in (rank, 1 - rank))
    assert failing["kind"] == kind
    assert words in failing["message"]
    assert (other["kind"], other["rank"]) == ("RankError", rank)
    assert f"rank {rank} failed" in other["message"]
    assert words in other["message"]


def test_after_a_failure_the_ranks_can_agree_again(failures):
    one, other = of_both(failures, "capture")
    assert one["actions"] == other["actions"]


def test_a_budget_too_small_for_all_is_the_same_error_on_all(failures):
    one, other = of_both(failures, "too small")
    assert one["kind"] == other["kind"] == "BudgetError"
    assert one["minimum"] == other["minimum"] > 1024


def test_a_rank_that_dies_is_noticed(tmp_path):
    survivor, dead = run_ranks("death", tmp_path)
    assert dead.status == 7
    assert survivor.status == 0, survivor.said
    assert (survivor.facts["kind"], survivor.facts["rank"]) == ("RankError", 1)
    assert "rank 0 lost rank 1" in survivor.facts["message"]


def test_a_rank_that_fails_does_not_wait_for_one_that_waits_for_it(tmp_path):
    waiting, failing = succeeding("stuck", tmp_path)
    assert (failing.facts["kind"], failing.facts["message"]) == ("MemoryError", "no room to run in")
    assert (waiting.facts["kind"], waiting.facts["rank"]) == ("RankError", 1)
    assert "rank 1 failed while Exchanging was planned" in waiting.facts["message"]
    assert "MemoryError: no room to run in" in waiting.facts["message"]


def test_one_process_exchanges_nothing():
    with FirstCall("Net").watched():
        pass
    with pytest.raises(RuntimeError, match="as it is"), FirstCall("Net").watched():
        raise RuntimeError("as it is")


def chain(costs: list[float]) -> Graph:
    edges = [(i, i + 1) for i in range(len(costs) - 1)]
    return Graph.from_arrays(cost=costs, bytes=[8] * len(costs), edges=edges)


def test_a_plan_of_the_same_structure_is_certified_with_own_costs():
    theirs, own = chain([1, 2, 3]), chain([4, 5, 6])
    plan = recertified(rg.plan(theirs, "100%"), own)
    assert (plan.cost, plan.graph, plan.bound) == (15, own.fingerprint, 0.0)
    plan.verify(own)
    with pytest.raises(PlanError):
        recertified(rg.plan(chain([1, 2, 3, 4]), "100%"), own)
    assert structure_digest(theirs) == structure_digest(own) != structure_digest(chain([1, 2]))


@pytest.fixture
def world_of_one():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("world_of_one")
def test_the_first_to_meet_a_structure_plans_for_all():
    own, theirs = chain([4, 5, 6]), rg.plan(chain([1, 2, 3]), "100%")
    found = [shared_plan(own, 100, lambda limit: rg.plan(own, limit), "sqrt") for _ in range(2)]
    assert [plan.graph for plan in found] == [own.fingerprint] * 2

    name = hashlib.sha256(f"{structure_digest(own)} 200 sqrt".encode()).hexdigest()
    store = dist.PrefixStore(f"retrograde/plans/{name}", dist.distributed_c10d._get_default_store())
    store.set("claim", "7")
    PlanBoard(name).write(theirs.to_json())
    taken = shared_plan(own, 200, lambda _: pytest.fail("planned"), "sqrt")
    assert (taken.actions, taken.graph) == (theirs.actions, own.fingerprint)

    # The rank that was to plan has failed.
    PlanBoard(name).write("")
    assert shared_plan(own, 200, lambda limit: rg.plan(own, limit), "sqrt").graph == own.fingerprint


@pytest.mark.usefixtures("world_of_one")
def test_a_failure_of_the_first_to_plan_leaves_nobody_waiting():
    graph = chain([1, 2, 3])
    with pytest.raises(rg.BudgetError):
        shared_plan(graph, 1, lambda limit: rg.plan(graph, limit), "sqrt")
    name = hashlib.sha256(f"{structure_digest(graph)} 1 sqrt".encode()).hexdigest()
    assert PlanBoard(name).read() == ""


def test_a_rank_error_survives_pickling():
    error = pickle.loads(pickle.dumps(RankError("rank 1 failed", 1)))
    assert (str(error), error.rank) == ("rank 1 failed", 1)


def test_what_is_not_sharded_takes_nothing():
    from retrograde.torch.ranks.wrappers import sharding_bytes

    assert sharding_bytes(nn.Linear(4, 4)) == 0
