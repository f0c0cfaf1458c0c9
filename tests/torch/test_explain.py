"""What a plan does, told by module and line: the bytes sum to the peak, the seconds to the cost, in every format."""

import io
import json
import pickle
import pickletools
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from cases import CASES, TinyGPT, WithCustomFunction, rows, tokens
from steps import loss_of
from torch import nn
from torch.cuda import _memory_viz

import retrograde as rg
from retrograde.planning import Compute
from retrograde.torch.explanation import KINDS, Explanation
from retrograde.torch.explanation.places import _module_of


def explained(module: nn.Module, inputs, budget="80%", **options) -> Explanation:
    options = {"strategy": "selective"} | options
    rg.torch.budgeted(module, budget, **options)
    # Without a loss inside, the first step is recorded and the second planned.
    for _ in range(2):
        if not rg.torch.plans(module):
            loss_of(module(*inputs)).sum().backward()
    return rg.torch.explain(module)


@pytest.fixture
def gpt() -> Explanation:
    return explained(TinyGPT(dropout=0.1), tokens())


# The peak


@pytest.mark.parametrize("case", CASES)
def test_what_is_live_at_the_peak_sums_to_the_peak(case):
    make, inputs = CASES[case]
    (graph,) = explained(make(), inputs(), "1 GiB", strategy="recompute_all").graphs
    assert sum(live.bytes for live in graph.peak.live) == graph.plan.peak_bytes == graph.peak.bytes
    assert sum(graph.peak.bytes_by_kind().values()) == graph.plan.peak_bytes
    assert {live.kind for live in graph.peak.live} <= set(KINDS)
    assert graph.plan.peak_bytes == graph.plan.verify(graph.graph).peak_bytes


@pytest.mark.parametrize("strategy", ["store_all", "sqrt", "recompute_all"])
@pytest.mark.parametrize("retain_graph", [False, True])
def test_the_peak_sums_for_every_strategy_with_a_retained_graph_too(strategy, retain_graph):
    module = TinyGPT(dropout=0.1)
    (graph,) = explained(
        module, tokens(), "1 GiB", strategy=strategy, retain_graph=retain_graph, outside_bytes=12345
    ).graphs
    assert sum(live.bytes for live in graph.peak.live) == graph.plan.peak_bytes
    assert graph.peak.phase == "backward"
    # The cotangent of the loss, 4 bytes, is held by PyTorch itself.
    # A backward that ran before left gradients.
    earlier = sum(p.numel() * p.element_size() for p in module.parameters()) if retain_graph else 0
    assert [live.bytes for live in graph.peak.live if live.kind == "fixed"] == [12345 + 4 + earlier]


def test_workspace_is_a_line_of_its_own():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x):
            return self.conv(self.conv(x)).sum()

    (graph,) = explained(Wide().double(), (torch.randn(4, 8, 24, 24).double(),), "100%", strategy="store_all").graphs
    (workspace,) = [live for live in graph.peak.live if live.kind == "workspace"]
    action = graph.plan.actions[graph.peak.action]
    assert isinstance(action, Compute)
    assert workspace.bytes == graph.graph.operations[action.operation].workspace_bytes > 0
    assert workspace.storage is None
    assert (workspace.name, workspace.module) == (graph.peak.operation, "conv")
    assert KINDS["workspace"] in str(Explanation("Wide", (graph,)))


def test_what_was_recomputed_is_told_apart_from_what_was_kept():
    (graph,) = explained(TinyGPT(layers=6), tokens(), "1 GiB", strategy="recompute_all").graphs
    kinds = {live.kind for live in graph.peak.live}
    assert "recomputed" in kinds
    for live in graph.peak.live:
        if live.kind == "recomputed":
            before = [a.operation for a in graph.plan.actions[: live.since_action] if isinstance(a, Compute)]
            assert graph.graph.allocators[live.storage] in before


def test_gradients_at_the_peak_are_called_so():
    (graph,) = explained(nn.Sequential(nn.Linear(16, 512), nn.Linear(512, 16)), (rows(),), "100%").graphs
    largest = graph.peak.live[0]
    assert largest.kind == "gradient"
    assert largest.bytes == 16 * 512 * 4


# Rows


def test_rows_add_up_to_the_plan(gpt):
    (graph,) = gpt.graphs
    plan, totals = graph.plan, graph.totals
    assert totals.recompute_seconds > 0
    assert totals.recompute_seconds == pytest.approx(plan.cost - plan.base_cost)
    assert totals.forward_seconds + totals.backward_seconds == pytest.approx(plan.base_cost)
    assert totals.overhead == pytest.approx(plan.overhead)
    runs = [a.operation for a in plan.actions if isinstance(a, Compute) and not graph.graph.is_view(a.operation)]
    assert totals.operations == len(set(runs))
    assert totals.extra_runs == len(runs) - len(set(runs)) > 0
    allocated = [
        s.bytes for s, maker in zip(graph.graph.storages, graph.graph.allocators, strict=True) if maker is not None
    ]
    assert sum(row.made_bytes for row in graph.rows) == sum(allocated)
    assert max(row.most_runs for row in graph.rows) == max(runs.count(i) for i in set(runs))


def test_storing_everything_recomputes_nothing():
    (graph,) = explained(TinyGPT(), tokens(), "100%", strategy="store_all").graphs
    totals = graph.totals
    assert (totals.extra_runs, totals.recomputed_bytes, totals.recompute_seconds) == (0, 0, 0.0)
    assert totals.kept_bytes > 0
    assert "Computed again" not in str(Explanation("x", (graph,)))


def test_kept_bytes_are_those_that_the_forward_hands_over():
    class Chain(nn.Module):
        def forward(self, x):
            for _ in range(3):
                x = torch.sin(x)
            return x.sum()

    x = torch.randn(8, 16, requires_grad=True)
    (graph,) = explained(Chain(), (x,), "100%", strategy="store_all").graphs
    # The sine's derivative reads its operand: two results are kept for it, the last is released after the sum.
    sines = [row for row in graph.rows if row.operator == "aten.sin"]
    assert sum(row.kept_bytes for row in sines) == 2 * x.nbytes
    assert sum(row.released_bytes for row in sines) == x.nbytes


def test_modules_are_named_as_the_model_names_them():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.towers = nn.ModuleDict(
                {"left": nn.Linear(16, 16), "right": nn.Sequential(nn.Linear(16, 16), nn.GELU())}
            )

        def forward(this, x):
            return (this.towers["left"](x) + this.towers["right"](x)).sum()

    model = Named()
    (graph,) = explained(model, (rows(),), "100%").graphs
    known = {name: type(module).__name__ for name, module in model.named_modules()}
    found = {row.module: row.module_type for row in graph.rows}
    assert set(found) == {"", "towers.left", "towers.right.0", "towers.right.1"}
    assert all(found[name] == known[name] for name in found if name)
    assert {"towers.left", "towers.right.0"} <= {row.module for row in graph.rows if row.phase == "backward"}


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("L['self'].blocks.0.up", "blocks.0.up"),
        ("L['fn'].__self__.0.1", "0.1"),
        ("L['this'].layers[0]", "layers[0]"),
        ("L['self']", ""),
    ],
)
def test_every_way_in_which_dynamo_writes_a_module(path, module):
    node = torch.fx.Graph().call_function(torch.sin)
    node.meta["fwd_nn_module_stack"] = {"1": ("L['self']", nn.Module), "2": (path, nn.Linear)}
    assert _module_of(node) == (module, "Linear")


def test_sources_are_lines_of_the_users_code():
    (graph,) = explained(TinyGPT(), tokens()).graphs
    text = Path(CASES["gpt"][0].forward.__code__.co_filename).read_text().splitlines()
    gelu = next(row for row in graph.rows if row.operator == "aten.gelu")
    file, _, line = gelu.source.rpartition(":")
    assert Path(file).name == "cases.py"
    assert "F.gelu" in text[int(line) - 1]
    frames = next(place.frames for place in graph.places if place.operator == "aten.gelu")
    assert [frame.function for frame in frames] == ["forward", "forward"]
    assert frames[0].line == int(line)
    assert "block(x)" in text[frames[1].line - 1]


# Formats


def test_the_text_names_modules_peak_and_recomputation(gpt):
    text = str(gpt)
    (graph,) = gpt.graphs
    for words in ("TinyGPT: what its plan does", "blocks.0", "blocks.1", "LayerNorm", "Computed again", "At the peak"):
        assert words in text
    assert f"action {graph.peak.action + 1:,} of {graph.peak.actions:,}" in text
    assert KINDS["kept"] in text
    assert max(map(len, text.splitlines())) <= 140
    assert "\x1b" not in text


def test_many_modules_are_shown_no_deeper_than_fits():
    (graph,) = explained(TinyGPT(layers=9), tokens(), "80%").graphs
    text = str(Explanation("TinyGPT", (graph,)))
    modules = text[text.index("By module") : text.index("Computed again")]
    assert "blocks.8" in modules
    assert "blocks.8.up" not in modules
    assert "blocks.*" in text[text.index("Computed again") :]


def test_json_holds_everything(gpt):
    document = json.loads(json.dumps(gpt.to_dict()))
    (graph,) = document["graphs"]
    assert graph["totals"]["peak_bytes"] == gpt.graphs[0].plan.peak_bytes
    assert sum(live["bytes"] for live in graph["peak"]["live"]) == graph["totals"]["peak_bytes"]
    assert sum(row["recompute_seconds"] for row in graph["rows"]) == pytest.approx(graph["totals"]["recompute_seconds"])


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.counts = {}

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_self_contained(gpt, tmp_path):
    gpt.save_html(tmp_path / "plan.html")
    page = (tmp_path / "plan.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert tags.counts["svg"] == 3
    assert tags.counts["table"] == 5
    assert "<script" not in page
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_several_shapes_are_several_plans():
    model = WithCustomFunction()
    explained(model, (rows(),), "100%")
    model(rows(16)).backward()
    explanation = rg.torch.explain(model)
    names = ["WithCustomFunction, plan 1 of 2", "WithCustomFunction, plan 2 of 2"]
    assert [graph.name for graph in explanation.graphs] == names
    assert explanation.graphs[0].peak.bytes < explanation.graphs[1].peak.bytes
    assert "plan 2 of 2" in str(explanation)
    assert len(explanation.memory_snapshot()["device_traces"]) == 2


class Broken(nn.Module):
    """A graph break in the middle, and no loss."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        torch._dynamo.graph_break()
        return torch.tanh(self.second(x))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_step_of_several_graphs_is_explained_as_one():
    model = rg.torch.budgeted(Broken(), "1 MiB")
    for _ in range(3):
        (model(rows(64)) ** 2).sum().backward()
    graph = rg.torch.explain(model).graphs[-1]
    assert len({place.phase for place in graph.places}) == 3
    assert sum(live.bytes for live in graph.peak.live) == graph.plan.peak_bytes
    assert {row.module for row in graph.rows if row.phase == "forward"} >= {"first", "second"}
    assert {row.module for row in graph.rows if row.phase == "backward"} >= {"first", "second"}
    assert all(row.operator for row in graph.rows)
    assert "second" in str(rg.torch.explain(model))
    totals = live_bytes(rg.torch.explain(model).memory_snapshot()["device_traces"][-1])
    assert max(totals) == graph.plan.peak_bytes


# PyTorch's memory viewer


def live_bytes(events) -> list[int]:
    """Live bytes after each event, and the check that nothing is freed that is not live, and no blocks overlap."""
    live, totals = {}, []
    for event in events:
        begin, end = event["addr"], event["addr"] + event["size"]
        if event["action"] == "alloc":
            assert all(end <= other or other + size <= begin for other, size in live.items())
            live[begin] = event["size"]
        elif event["action"] == "free_completed":
            assert live.pop(begin) == event["size"]
        totals.append(sum(live.values()))
    return totals


@pytest.mark.parametrize("strategy", ["store_all", "recompute_all"])
@pytest.mark.parametrize("retain_graph", [False, True])
def test_the_snapshot_shows_the_plans_peak(strategy, retain_graph):
    explanation = explained(
        TinyGPT(dropout=0.1), tokens(), "1 GiB", strategy=strategy, retain_graph=retain_graph, outside_bytes=999
    )
    (graph,) = explanation.graphs
    snapshot = explanation.memory_snapshot()
    totals = live_bytes(snapshot["device_traces"][0])
    assert max(totals) == graph.plan.peak_bytes
    outputs = {graph.graph.values[v].storage for v in graph.graph.outputs}
    assert totals[-1] == sum(graph.graph.storages[s].bytes for s in outputs)
    times = [event["time_us"] for event in snapshot["device_traces"][0]]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(graph.plan.cost * 1e6, abs=1)


def test_pytorchs_own_tools_read_the_snapshot(gpt, tmp_path):
    gpt.save_memory_snapshot(tmp_path / "plan.pickle")
    snapshot = pickle.loads((tmp_path / "plan.pickle").read_bytes())
    assert snapshot == gpt.memory_snapshot()
    for plot in (_memory_viz.trace_plot, _memory_viz.segment_plot):
        assert "snapshot.pickle" in plot(snapshot)
    totals = live_bytes(snapshot["device_traces"][0])
    assert f"total_allocated: {_memory_viz.Bytes(totals[-1])}" in _memory_viz.segsum(snapshot)
    trace = _memory_viz.trace(snapshot)
    assert f"{len(totals)} entries" in trace
    flames = io.StringIO(_memory_viz.memory(snapshot, format_flamegraph=lambda text: text)).read()
    assert "active_allocated" in flames
    assert "cases.py" in flames
    kept = _memory_viz.filter_alloc_free_pairs(snapshot)["device_traces"][0]
    assert sum(event["size"] for event in kept) == totals[-1]


def test_the_snapshots_frames_tell_action_and_line(gpt):
    events = gpt.memory_snapshot()["device_traces"][0]
    names = [frame["name"] for event in events for frame in event["frames"]]
    assert any(name.startswith("aten.gelu of blocks.0") for name in names)
    assert any(name.endswith("computed again") for name in names)
    gelu = next(e for e in events if any(f["name"] == "aten.gelu of blocks.0" for f in e["frames"]))
    assert [Path(frame["filename"]).name for frame in gelu["frames"]] == [
        "retrograde plan",
        "retrograde plan",
        "cases.py",
        "cases.py",
    ]


# Refused


def test_a_module_without_a_budget_or_a_plan():
    with pytest.raises(rg.UsageError, match=r"not budgeted; call retrograde.torch.budgeted"):
        rg.torch.explain(nn.Linear(4, 4))
    with pytest.raises(rg.UsageError, match=r"has no plan yet.*run it, then explain it"):
        rg.torch.explain(rg.torch.budgeted(nn.Linear(4, 4), "1 MiB"))


@pytest.mark.parametrize("save", ["save_html", "save_memory_snapshot"])
def test_a_file_that_cannot_be_written(gpt, tmp_path, save):
    with pytest.raises(rg.UsageError, match=r"cannot write .*nowhere.*; give another path"):
        getattr(gpt, save)(tmp_path / "nowhere" / "plan")


def test_the_viewers_own_reader_knows_every_opcode(gpt, tmp_path):
    """The page in the browser reads pickles with a small reader of its own, which knows these opcodes."""
    gpt.save_memory_snapshot(tmp_path / "plan.pickle")
    used = {opcode.name for opcode, _, _ in pickletools.genops((tmp_path / "plan.pickle").read_bytes())}
    assert used <= {
        "PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE",
        "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "EMPTY_DICT",
        "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE",
    }  # fmt: skip
