"""A budgeted module behaves as the plain one does, and refuses what its plan does not provide for."""

import copy
import pickle
import threading

import pytest
import torch
from cases import CASES, Convolutional, TinyGPT, WithCustomFunction, rows, tokens
from steps import assert_same_bits, run_step

import retrograde as rg


def test_class_names_and_state_dict_stay_as_they_are():
    plain = TinyGPT()
    names, state = [n for n, _ in plain.named_parameters()], list(plain.state_dict())
    planned = rg.torch.budgeted(plain, "1 GiB")
    planned(*tokens()).backward()
    assert planned is plain
    assert type(planned) is TinyGPT
    assert [n for n, _ in planned.named_parameters()] == names
    assert list(planned.state_dict()) == state


def test_unbudget_gives_the_plain_module_back():
    model = rg.torch.budgeted(TinyGPT(), "1 GiB")
    assert rg.torch.unbudget(model) is model
    assert "forward" not in model.__dict__
    with pytest.raises(rg.UsageError, match="not budgeted"):
        rg.torch.plans(model)


def test_budgeting_twice_is_refused():
    model = rg.torch.budgeted(TinyGPT(), "1 GiB")
    with pytest.raises(rg.UsageError, match="budgeted already"):
        rg.torch.budgeted(model, "2 GiB")


def test_an_unknown_compiler_is_refused():
    with pytest.raises(rg.UsageError, match="compiler='triton'"):
        rg.torch.budgeted(TinyGPT(), "1 GiB", compiler="triton")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_budgeted_and_independent(copied):
    model = rg.torch.budgeted(TinyGPT(dropout=0.1), "1 GiB", strategy="sqrt")
    before = copied(model)
    run_step(model, tokens())
    after = copied(model)
    for other in (before, after):
        assert other.forward.module is other
        other.zero_grad()
        model.zero_grad()
        assert_same_bits(run_step(other, tokens()), run_step(model, tokens()))
        assert rg.torch.plans(other)[0].strategy == "sqrt"
        assert all(a is not b for a, b in zip(other.parameters(), model.parameters(), strict=True))


def test_without_gradients_the_module_runs_unplanned():
    plain, inputs = Convolutional(), CASES["batch norm"][1]()
    planned = rg.torch.budgeted(copy.deepcopy(plain), 1)
    with torch.no_grad():
        assert torch.equal(planned(*inputs), plain(*inputs))
        assert torch.equal(planned.eval()(*inputs), plain.eval()(*inputs))
    assert rg.torch.plans(planned) == []


def test_eval_mode_with_gradients_is_planned():
    plain, inputs = Convolutional().eval(), CASES["batch norm"][1]()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")
    assert_same_bits(run_step(planned, inputs), run_step(plain, inputs))


def test_gradients_accumulate_over_several_backward_calls():
    plain = TinyGPT(dropout=0.1)
    planned = rg.torch.budgeted(copy.deepcopy(plain), "60%", iterations=200)
    for seed in range(3):
        assert_same_bits(run_step(planned, tokens(), seed), run_step(plain, tokens(), seed))
    peak = rg.torch.measure(lambda: planned(*tokens()).backward()).peak_bytes
    assert peak <= rg.torch.plans(planned)[0].budget_bytes


def test_other_shapes_are_planned_when_they_come():
    plain = WithCustomFunction()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")
    for count in (4, 8, 4):
        planned.zero_grad()
        plain.zero_grad()
        assert_same_bits(run_step(planned, (rows(count),)), run_step(plain, (rows(count),)))
    # The first size alone; then one graph for all others, with a plan for each bucket.
    assert len(rg.torch.plans(planned)) == 3


def test_more_shapes_than_pytorch_recompiles_for_are_refused():
    model = rg.torch.budgeted(WithCustomFunction(), "1 GiB", strategy="store_all", dynamic=False)
    with torch._dynamo.config.patch(recompile_limit=2):
        for count in (2, 3):
            model(rows(count)).backward()
        with pytest.raises(rg.CaptureError, match="more kinds of input"):
            model(rows(4))


def test_modules_of_one_class_do_not_share_the_limit_on_recompilation():
    with torch._dynamo.config.patch(recompile_limit=2):
        for _ in range(4):
            rg.torch.budgeted(WithCustomFunction(), "1 GiB", strategy="store_all")(rows()).backward()


def test_another_budget_before_backward_is_refused():
    first, second = (rg.torch.budgeted(TinyGPT(), "1 GiB") for _ in range(2))
    waiting = first(*tokens())
    with pytest.raises(rg.CaptureError, match=r"a call of another budget waits for its backward pass.*same retrograde"):
        second(*tokens())
    waiting.backward()
    second(*tokens()).backward()


def test_steps_in_other_threads_do_not_count():
    model, other = (rg.torch.budgeted(WithCustomFunction(), "1 GiB", strategy="store_all") for _ in range(2))
    waiting = model(rows())
    failures = []

    def step():
        try:
            other(rows()).backward()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    waiting.backward()
    assert failures == []


@pytest.mark.parametrize("wrong", [None, torch.sin, 3])
def test_only_modules_are_budgeted(wrong):
    with pytest.raises(rg.UsageError, match="is not a module"):
        rg.torch.budgeted(wrong, "1 GiB")


@pytest.mark.parametrize(
    ("options", "problem"), [({"strategy": "sqr"}, "no strategy 'sqr'"), ({"time_limit": 0}, "time_limit")]
)
def test_options_are_checked_at_once(options, problem):
    with pytest.raises(rg.UsageError, match=problem):
        rg.torch.budgeted(TinyGPT(), "1 GiB", **options)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_budgeted_child_of_a_compiled_parent_keeps_its_budget():
    class Parent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.child = rg.torch.budgeted(WithCustomFunction(), "1 GiB", strategy="sqrt")

        def forward(self, x):
            return self.child(x) * 2

    parent = Parent()
    torch.compile(parent, backend="eager")(rows()).backward()
    assert len(rg.torch.plans(parent.child)) == 1


def test_a_capture_that_is_switched_off_is_refused():
    model = rg.torch.budgeted(TinyGPT(), "1 GiB")
    with torch.compiler.set_stance("force_eager"), pytest.raises(rg.CaptureError, match="captured nothing"):
        model(*tokens())
    model(*tokens()).backward()


def test_wrong_arguments_are_the_ordinary_type_error():
    model = rg.torch.budgeted(TinyGPT(), "1 GiB")
    with pytest.raises(TypeError, match="targets"):
        model(tokens()[0])


def test_deleting_the_outputs_of_a_call_makes_way_for_the_next():
    model = rg.torch.budgeted(TinyGPT(), "1 GiB")
    loss = model(*tokens())
    del loss
    model(*tokens()).backward()


@pytest.mark.parametrize("keywords", [{"retain_graph": True}, {"create_graph": True}])
def test_retaining_the_graph_or_differentiating_twice_unasked_raises(keywords):
    model = rg.torch.budgeted(TinyGPT(), "1 GiB")
    with pytest.raises(rg.CaptureError, match="retain_graph=True"):
        model(*tokens()).backward(**keywords)
    model(*tokens()).backward()


def test_an_exception_in_the_forward_pass_leaves_the_next_step_usable():
    plain = TinyGPT()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")
    ids, targets = tokens()
    run_step(planned, (ids, targets))
    with pytest.raises(IndexError):
        planned(ids + 1000, targets)
    planned.zero_grad()
    assert_same_bits(run_step(planned, (ids, targets)), run_step(plain, (ids, targets)))


def test_an_exception_in_the_backward_pass_leaves_the_next_step_usable():
    plain = WithCustomFunction()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 GiB", strategy="sqrt")

    def fail(gradient):
        raise RuntimeError("failed on demand")

    x = rows().requires_grad_()
    x.register_hook(fail)
    with pytest.raises(RuntimeError, match="failed on demand"):
        planned(x).backward()
    planned.zero_grad()
    assert_same_bits(run_step(planned, (rows(),)), run_step(plain, (rows(),)))


class Branches(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(16, 16)

    def forward(self, x):
        y = self.layer(x)
        if y.sum() > 0:  # the line that the error names
            return y.sum()
        return -y.sum()


def test_a_module_that_cannot_be_captured_is_refused_with_its_line():
    model = rg.torch.budgeted(Branches(), "1 GiB", fullgraph=True)
    with open(__file__) as file:
        line = next(i for i, text in enumerate(file, 1) if "the line that the error names" in text)
    with pytest.raises(rg.CaptureError, match=f"Branches cannot be captured.*test_behaviour.py:{line}"):
        model(rows())


def test_torch_compile_takes_the_backend_by_name():
    plain = TinyGPT(dropout=0.1)
    compiled = torch.compile(
        copy.deepcopy(plain), backend="retrograde", options={"budget": "1 GiB", "strategy": "sqrt"}
    )
    assert_same_bits(run_step(compiled, tokens()), run_step(plain, tokens()))


def test_torch_compile_reports_a_budget_that_cannot_be_met():
    compiled = torch.compile(TinyGPT(), backend="retrograde", options={"budget": 1000, "iterations": 100})
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed) as caught:
        compiled(*tokens())
    assert isinstance(caught.value.inner_exception, rg.BudgetError)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "no budget"),
        ({"budget": 1, "speed": 2}, "unknown option 'speed'"),
        ({"budget": 1, "fullgraph": True}, "unknown option 'fullgraph'"),
    ],
)
def test_torch_compile_options_are_checked(options, problem):
    compiled = torch.compile(TinyGPT(), backend="retrograde", options=options)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=problem):
        compiled(*tokens())


def test_capture_graph_describes_without_running():
    model = TinyGPT()
    graph = rg.torch.capture_graph(model, tokens(), measure_costs=False)
    assert graph.segment_count == 2
    assert graph.base_cost > 0
    assert any("cases.py" in operation.source for operation in graph.operations)
    assert all(p.grad is None for p in model.parameters())
    assert rg.plan(graph, "80%", "sqrt").verify(graph).peak_bytes <= 0.8 * graph.store_all_peak_bytes


def test_capture_graph_refuses_what_has_no_gradient():
    model = TinyGPT().requires_grad_(False)
    with pytest.raises(rg.CaptureError, match="nothing that requires gradients"):
        rg.torch.capture_graph(model, tokens())


@pytest.mark.parametrize("version", ["2.12.1", "2.14.0", "3.0.0"])
def test_other_versions_of_pytorch_are_refused(version):
    with pytest.raises(rg.VersionError, match=f"torch {version} is installed"):
        rg.torch.check_torch_version(version)


def test_the_supported_version_passes():
    assert rg.torch.check_torch_version("2.13.5+cpu") == "2.13.5+cpu"
