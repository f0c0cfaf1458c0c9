"""Spilled storages come back bit for bit, their memory is really free meanwhile, and nothing stays on disk."""

import copy
import errno
import gc
import os

import pytest
import torch
from cases import CASES, TinyGPT, tokens
from steps import assert_same_bits, loss_of, run_step
from torch import nn

import retrograde as rg
from retrograde.planning import Compute, Load, Spill, certify, plan
from retrograde.runtime import disk
from retrograde.runtime.background import in_background
from retrograde.torch import plan_store
from retrograde.torch.capture.graph_capture import capture_graph
from retrograde.torch.emission import captured, spilling
from retrograde.torch.emission.emit import emit
from retrograde.torch.emission.media import PinnedRoom
from retrograde.torch.step import book

SMALL = {"strategy": "spill"}


@pytest.fixture
def folder(tmp_path):
    """Where a test spills to; nothing is left in it when the test ends."""
    yield tmp_path / "spilled"
    settle()
    assert files_in(tmp_path) == []


def files_in(folder) -> list[str]:
    return [str(path) for path in folder.rglob("*.bin")]


def settle() -> None:
    """Wait until the background thread has done all it was asked for."""
    gc.collect()
    in_background(lambda: None).wait()


def smallest_budget(model: nn.Module, inputs) -> int:
    """The least that the strategy reaches."""
    trial = copy.deepcopy(model)
    with pytest.raises(rg.BudgetError) as caught:
        rg.torch.budgeted(trial, 1, **SMALL)(*copy.deepcopy(inputs))
    return caught.value.minimum_bytes


def spilled_bytes(model: nn.Module) -> int:
    planned = planned_of(model)
    return planned.plan.verify(planned.described.graph).spilled_bytes


def planned_of(model: nn.Module):
    return model.__dict__["forward"].known()[-1]


def spilling_gpt(folder, budget="70%", **options) -> nn.Module:
    model = rg.torch.budgeted(TinyGPT(dropout=0.1, layers=4), budget, spill_folder=folder, **SMALL, **options)
    return model


# Bits and bytes


@pytest.mark.parametrize("case", CASES)
def test_bits_are_those_of_the_unplanned_run(case, folder):
    make, inputs = CASES[case]
    torch.manual_seed(0)
    plain = make()
    model = copy.deepcopy(plain)
    rg.torch.budgeted(model, smallest_budget(model, inputs()), spill_folder=folder, **SMALL)
    for seed in (1, 2):
        assert_same_bits(run_step(model, inputs(), seed), run_step(plain, inputs(), seed))
    check_measured_peak(model, inputs())
    planned = planned_of(model)
    needed = planned.plan.budget_bytes < planned.described.graph.store_all_peak_bytes
    assert (spilled_bytes(model) > 0) == needed
    # Where gradients make the peak, there is nothing to spill.
    assert needed or case == "nested containers"


def check_measured_peak(model, inputs) -> None:
    model.zero_grad()
    (found,) = rg.torch.plans(model)
    measured = rg.torch.measure(lambda: loss_of(model(*inputs)).backward()).peak_bytes
    assert measured <= found.peak_bytes


def test_the_measured_peak_is_within_the_budget_and_far_below_storing_everything(folder):
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(12))

        def forward(self, x):
            for layer in self.layers:
                x = torch.tanh(layer(x))
            return x.square().mean()

    x = torch.randn(2048, 64)
    plain = Deep()
    model = rg.torch.budgeted(copy.deepcopy(plain), "40%", spill_folder=folder, **SMALL)
    for _ in range(3):
        for trained in (plain, model):
            trained.zero_grad()
        stored = rg.torch.measure(lambda: plain(x).backward()).peak_bytes
        measured = rg.torch.measure(lambda: model(x).backward()).peak_bytes
        (found,) = rg.torch.plans(model)
        assert measured <= found.peak_bytes <= found.budget_bytes
        assert measured < 0.45 * stored
        assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), model.parameters(), strict=True))
    assert found.cost == found.base_cost


def test_the_files_are_there_between_the_passes_and_gone_after(folder):
    model = spilling_gpt(folder)
    loss = model(*tokens())
    held = sum(os.path.getsize(path) for path in files_in(folder))
    assert held == spilled_bytes(model) > 0
    loss.backward()
    settle()
    assert files_in(folder) == []


def test_the_folder_goes_with_the_module(folder):
    model = spilling_gpt(folder)
    model(*tokens()).backward()
    settle()
    assert len(list(folder.iterdir())) == 1
    del model
    torch._dynamo.reset()
    settle()
    assert list(folder.iterdir()) == []


def test_only_what_the_budget_needs_is_spilled(folder):
    model = spilling_gpt(folder, "100%")
    model(*tokens()).backward()
    assert spilled_bytes(model) == 0
    assert not folder.exists()


def test_a_budget_asked_for_after_a_smaller_one_spills_less(folder):
    volumes = []
    for budget in ("65%", "80%", "100%"):
        model = spilling_gpt(folder, budget, measure_costs=False)
        model(*tokens()).backward()
        volumes.append(spilled_bytes(model))
    assert volumes == sorted(volumes, reverse=True)
    assert volumes[-1] == 0


def test_another_thread_may_run_the_backward(folder):
    import threading

    model, plain = spilling_gpt(folder), TinyGPT(layers=4)
    model = rg.torch.budgeted(copy.deepcopy(plain), "70%", spill_folder=folder, **SMALL)
    plain(*tokens()).backward()
    loss = model(*tokens())
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), model.parameters(), strict=True))


# Auto, where it is told of a folder


@pytest.mark.parametrize("speed", [1e12, 3e7])
@pytest.mark.parametrize(("case", "budget"), [("dropout", "75%"), ("batch norm", "75%"), ("views and mutation", "92%")])
def test_auto_spills_and_recomputes_with_the_same_bits(case, budget, speed, folder, monkeypatch):
    """To a disk that is as fast as memory, and to one that is slow."""
    monkeypatch.setattr(plan_store, "measured_tier", lambda *_, **__: rg.Tier("disk", speed, speed))
    make, inputs = CASES[case]
    torch.manual_seed(0)
    plain = make()
    model = copy.deepcopy(plain)
    rg.torch.budgeted(model, budget, spill_folder=folder, iterations=100)
    for seed in (1, 2):
        assert_same_bits(run_step(model, inputs(), seed), run_step(plain, inputs(), seed))
    check_measured_peak(model, inputs())
    planned = planned_of(model).plan
    assert planned.tiers == (rg.Tier("disk", speed, speed),)


def test_auto_spills_to_a_fast_folder_in_place_of_computing_again(folder, monkeypatch):
    monkeypatch.setattr(plan_store, "measured_tier", lambda *_, **__: rg.Tier("disk", 1e12, 1e12))
    model = rg.torch.budgeted(TinyGPT(layers=4), "60%", spill_folder=folder, iterations=200, measure_costs=False)
    model(*tokens()).backward()
    assert spilled_bytes(model) > 0
    (found,) = rg.torch.plans(model)
    assert found.overhead < 0.01


def test_auto_does_not_spill_without_a_folder():
    model = rg.torch.budgeted(TinyGPT(layers=4), "60%", iterations=200, measure_costs=False)
    model(*tokens()).backward()
    assert spilled_bytes(model) == 0
    assert planned_of(model).plan.tiers == ()


# Any plan


def spilled_at_every_pause(graph):
    """The given order with every storage out of memory whenever it is not used."""
    given = plan(graph, None, "store_all")
    outputs = {graph.values[v].storage for v in graph.outputs}
    uses = {}
    for index, action in enumerate(given.actions):
        if isinstance(action, Compute):
            operation = graph.operations[action.operation]
            for storage in {graph.values[v].storage for v in (*operation.reads, *operation.makes)}:
                if graph.arrivals[storage] is None and storage not in outputs:
                    uses.setdefault(storage, []).append(index)
    actions, segments = [], []
    for index, action in enumerate(given.actions):
        while len(segments) < len(given.segments) and given.segments[len(segments)] <= index:
            segments.append(len(actions))
        actions += [Load(s) for s, at in uses.items() if index in at[1:]]
        actions.append(action)
        actions += [Spill(s) for s, at in uses.items() if index in at[:-1]]
    return certify(graph, actions, segments, strategy="by hand", budget_bytes=given.peak_bytes)


@pytest.mark.parametrize("case", [case for case in CASES if case != "nested containers"])
def test_a_plan_that_spills_in_both_passes_again_and_again(case, folder, monkeypatch):
    monkeypatch.setattr(book, "find_agreed_plan", lambda graph, *_: spilled_at_every_pause(graph))
    make, inputs = CASES[case]
    plain = make()
    model = rg.torch.budgeted(copy.deepcopy(plain), "100%", spill_folder=folder)
    assert_same_bits(run_step(model, inputs()), run_step(plain, inputs()))
    check_measured_peak(model, inputs())
    (found,) = rg.torch.plans(model)
    assert sum(isinstance(action, Spill) for action in found.actions) > 20


def test_copies_begin_early_and_end_late():
    """A copy out begins where the storage is made, and one back as far ahead of its first use as the plan says."""
    names = {}
    original = captured.emit

    def emit_and_keep(*arguments, **options):
        pair = original(*arguments, **options)
        for segment, module in enumerate((pair.forward, pair.backward)):
            names[segment] = [getattr(node.target, "__name__", str(node.target)) for node in module.graph.nodes]
        return pair

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captured, "emit", emit_and_keep)
        model = rg.torch.budgeted(TinyGPT(layers=4), "75%", measure_costs=False, **SMALL)
        model(*tokens()).backward()
    begun = [names[0].index("begin_spill"), names[0].index("finish_spill")]
    assert begun[1] > begun[0] + 1
    assert names[0].count("begin_spill") == names[0].count("finish_spill") == names[1].count("begin_load") > 1
    first = names[1].index("begin_load")
    assert names[1].index("loaded_value") > first + 1


def test_explain_shows_what_was_spilled(folder):
    model = spilling_gpt(folder)
    model(*tokens()).backward()
    (graph,) = rg.torch.explain(model).graphs
    assert graph.totals.spilled_bytes == spilled_bytes(model)
    assert graph.totals.extra_runs == 0
    assert sum(live.bytes for live in graph.peak.live) == graph.plan.peak_bytes
    text = str(rg.torch.explain(model))
    assert "↓ spilled" in text


class Stages(nn.Module):
    """Two stages with a graph break between them, and no loss."""

    def __init__(self):
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(64, 64) for _ in range(4))
        self.second = nn.ModuleList(nn.Linear(64, 64) for _ in range(4))

    def forward(self, x):
        for layer in self.first:
            x = torch.tanh(layer(x))
        torch._dynamo.graph_break()
        for layer in self.second:
            x = torch.tanh(layer(x))
        return x


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_step_of_several_graphs(folder):
    """A break inside, and the loss outside: what the user's own code holds stays, what graphs save may leave."""
    x = torch.randn(512, 64)
    plain = Stages()
    stored = rg.torch.measure(lambda: plain(x).square().sum().backward()).peak_bytes
    budget = int(0.75 * stored)
    model = rg.torch.budgeted(copy.deepcopy(plain), budget, spill_folder=folder, **SMALL)
    for _ in range(4):
        plain.zero_grad()
        model.zero_grad()
        plain(x).square().sum().backward()
        model(x).square().sum().backward()
        assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), model.parameters(), strict=True))
    assert len(planned_of(model).assignments) == 2
    assert spilled_bytes(model) > 0
    model.zero_grad()
    assert rg.torch.measure(lambda: model(x).square().sum().backward()).peak_bytes <= budget


# Steps that do not end


def test_an_abandoned_step_leaves_nothing(folder):
    model = spilling_gpt(folder)
    loss = model(*tokens())
    assert files_in(folder)
    del loss
    settle()
    assert files_in(folder) == []
    model(*tokens()).backward()


def test_an_exception_between_forward_and_backward_leaves_nothing(folder):
    model, plain = spilling_gpt(folder), None
    plain = TinyGPT(dropout=0.1, layers=4)
    plain.load_state_dict(model.state_dict())

    def fail():
        loss = model(*tokens())
        raise RuntimeError(f"the user's own, at loss {loss.item()}")

    with pytest.raises(RuntimeError, match="the user's own"):
        fail()
    settle()
    assert files_in(folder) == []
    assert_same_bits(run_step(model, tokens()), run_step(plain, tokens()))


def test_keeping_the_graph_is_refused(folder):
    model = spilling_gpt(folder)
    loss = model(*tokens())
    with pytest.raises(rg.CaptureError, match=r"retain_graph=True\) or create_graph=True"):
        loss.backward(retain_graph=True)
    del loss
    model(*tokens()).backward()


def test_a_graph_planned_to_be_kept_spills_nothing(folder):
    with pytest.raises(rg.BudgetError, match="not met by strategy 'spill'"):
        spilling_gpt(folder, retain_graph=True)(*tokens())
    model = spilling_gpt(folder, "100%", retain_graph=True)
    loss = model(*tokens())
    loss.backward(retain_graph=True)
    loss.backward()
    assert spilled_bytes(model) == 0


# Full and broken disks


def check_the_next_step(model) -> None:
    plain = TinyGPT(dropout=0.1, layers=4)
    plain.load_state_dict(model.state_dict())
    model.zero_grad()
    assert_same_bits(run_step(model, tokens()), run_step(plain, tokens()))


def test_no_space_left(folder, monkeypatch):
    model = spilling_gpt(folder)
    write_all, written = disk._write_all, []

    def full_after_two(write, content):
        written.append(len(content))
        if len(written) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(write, content)

    monkeypatch.setattr(disk, "_write_all", full_after_two)
    with pytest.raises(rg.TierError) as caught:
        model(*tokens())
    message = str(caught.value)
    for part in ("cannot spill a storage of", str(folder), "No space left", "spill_bytes=…", "the next one may run"):
        assert part in message
    monkeypatch.setattr(disk, "_write_all", write_all)
    # The error is still at hand, and with it the frames of the failed step.
    settle()
    assert files_in(folder) == []
    check_the_next_step(model)


def test_a_bounded_tier_that_is_full(folder):
    model = spilling_gpt(folder, spill_bytes="64 KiB")
    for _ in range(2):
        with pytest.raises(rg.TierError, match=rf"do not fit into this DiskTier in {folder}.*of its 65536 bytes"):
            model(*tokens())
        settle()
        assert files_in(folder) == []
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_bound_that_suffices(folder):
    probe = spilling_gpt(folder, measure_costs=False)
    probe(*tokens()).backward()
    enough = spilled_bytes(probe)
    model = spilling_gpt(folder, measure_costs=False, spill_bytes=enough)
    for _ in range(3):
        model(*tokens()).backward()
    short = spilling_gpt(folder, measure_costs=False, spill_bytes=enough - 1)
    with pytest.raises(rg.TierError, match="cannot spill a storage of"):
        short(*tokens())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    model = spilling_gpt(tmp_path / "file" / "folder")
    with pytest.raises(rg.TierError, match="no folder for spilled storages can be made in"):
        model(*tokens())


def test_files_that_vanish_between_the_passes(folder):
    model = spilling_gpt(folder)
    loss = model(*tokens())
    for path in files_in(folder):
        os.unlink(path)
    with pytest.raises(rg.TierError, match=r"cannot be read back.*what was spilled is lost, run the step again"):
        loss.backward()
    del loss
    check_the_next_step(model)


def test_a_bound_that_means_nothing():
    with pytest.raises(rg.UsageError, match="'some' is not an amount of bytes"):
        rg.torch.budgeted(nn.Linear(2, 2), "100%", spill_bytes="some")


def test_the_backend_takes_the_options_too(folder):
    options = {"budget": "70%", "strategy": "spill", "spill_folder": str(folder), "spill_bytes": "1 MiB"}
    plain = TinyGPT(layers=4)
    model = copy.deepcopy(plain)
    compiled = torch.compile(model, backend="retrograde", fullgraph=True, dynamic=False, options=options)
    compiled(*tokens()).backward()
    plain(*tokens()).backward()
    assert folder.exists()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), model.parameters(), strict=True))


def test_a_plan_that_spills_needs_a_place(folder):
    model = spilling_gpt(folder)
    model(*tokens()).backward()
    planned = planned_of(model)
    with pytest.raises(rg.CaptureError, match="moves storages to a slower tier, and the graph is emitted without one"):
        emit(planned.described, planned.plan.schedule)


def test_a_forked_child_drops_nothing_of_its_parent(folder, monkeypatch):
    model = spilling_gpt(folder)
    loss = model(*tokens())
    before = files_in(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        for spilled in list(spilling._handed_out.values()):
            spilled.discard()
        settle()
    assert files_in(folder) == before
    loss.backward()


# Pinned memory


def test_room_in_pinned_memory_is_bounded():
    room = PinnedRoom("1 KiB")
    room.take(1000)
    with pytest.raises(rg.TierError, match=r"25 bytes .* do not fit into pinned host memory: 1000 of the 1024"):
        room.take(25)
    room.give_back(1000)
    room.take(1024)
    assert room.used_bytes == 1024


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_storages_go_to_pinned_memory():
    plain = TinyGPT(layers=4).cuda()
    model = rg.torch.budgeted(copy.deepcopy(plain), "70%", **SMALL)
    inputs = tuple(ids.cuda() for ids in tokens())
    plain(*inputs).backward()
    model(*inputs).backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), model.parameters(), strict=True))


def test_the_graph_of_the_command_line_is_planned_the_same_way():
    graph = capture_graph(TinyGPT(), tokens(), measure_costs=False)
    found = plan(graph, "80%", "spill")
    assert found.verify(graph).spilled_bytes > 0
