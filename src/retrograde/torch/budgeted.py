"""``budgeted``: the same module, planned on first use."""

from __future__ import annotations

import copy
import inspect
import os
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import optree
import torch
import torch._dynamo
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from retrograde.errors import CaptureError, RetrogradeError, UsageError
from retrograde.graph.units import parse_bytes
from retrograde.planning import Budget, Plan
from retrograde.torch.backend import BudgetedCompiler
from retrograde.torch.capture.breaks import watched_breaks
from retrograde.torch.capture.graph_capture import capture_error
from retrograde.torch.optimizer_demand import optimizer_demand
from retrograde.torch.options import Options, as_budget
from retrograde.torch.ranks.session import FirstCall
from retrograde.torch.ranks.wrappers import refuse_inner_wrappers, refuse_wrapper, sharding_bytes, uncut
from retrograde.torch.step.book import StepPlan
from retrograde.torch.step.keeper import keeper_of

Module = TypeVar("Module", bound=nn.Module)

_ATTRIBUTE = "_retrograde_forward"


def budgeted(
    module: Module,
    budget: int | str | Budget,
    *,
    strategy: str = "auto",
    compiler: str = "eager",
    exact: bool = False,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    retain_graph: bool = False,
    outside_bytes: int | str = 0,
    optimizer: torch.optim.Optimizer | None = None,
    measure_costs: bool = True,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    cache: bool = True,
    progress: Callable[[Any], None] | None = None,
    spill_folder: str | os.PathLike[str] | None = None,
    spill_bytes: int | str | None = None,
) -> Module:
    """Hold every training step of a module to a memory budget; gradients stay those of the plain module, bit for bit.

    The module is changed in place and returned: its class, parameter names and ``state_dict`` stay as they are. Its
    first call with gradients captures it. A module that gives nothing but a loss is planned at once. Any other step
    (a loss outside the module, graph breaks, several calls, several modules of one ``Budget``) first runs on plans
    that take little, while what your own code holds is recorded; from the second step on one plan covers it all.
    Calls without gradients run as they are. A copy (``copy.deepcopy``, pickle) is budgeted too.

    Args:
        module: any module that PyTorch can capture.
        budget: the most bytes that a step (forward and backward together) may allocate and hold at any moment: an
            int of bytes, ``"8 GiB"``, ``"800 MB"``, ``"40%"`` of the store-all peak, or a ``Budget``; modules that are
            given the same ``Budget`` object share it. Gradients count; parameters, inputs and what else was there
            before the step do not.
        strategy: how to plan; see ``retrograde.plan``.
        compiler: what runs the planned graphs: ``"eager"`` runs PyTorch's own kernels, ``"inductor"`` compiles them.
            Compiled gradients are those of ``torch.compile`` up to rounding.
        exact: with Inductor, compile so that gradients have the same bits under every budget, at the price of fusion.
        fullgraph: raise where the module cannot be captured as one graph, in place of planning a step of several.
        dynamic: whether sizes may change from call to call within one captured graph: by default from the second size
            on; False captures and plans each combination of shapes by itself, as Inductor always does.
        retain_graph: plan for ``backward(retain_graph=True)``: what the forward saves stays live to the end. Without
            it such a call raises.
        outside_bytes: bytes (or text such as ``"20 MB"``) that your own code holds from the end of the forward on.
        optimizer: the optimizer whose ``step()`` follows each backward: what it allocates, beside the gradients, is
            inside the budget too. See ``optimizer_demand``.
        measure_costs: measure each kind of operation once on this machine (remembered on disk), or estimate
            costs by a roofline model; an estimate leaves operator workspace out of the predicted peak.
        time_limit: seconds that planning may take.
        iterations: bounds the search by steps in place of seconds, so that it is deterministic.
        seed: of the search.
        cache: whether plans and costs are kept on disk (``$RETROGRADE_CACHE_DIR``).
        progress: called with planning progress; by default a line on standard error once it takes over a second.
        spill_folder: where ``strategy="spill"`` puts what does not fit; the system's folder for temporary files when
            left out (which may itself be in memory). With ``"auto"`` a folder that is given may be used, too: its
            speed is measured once, and each storage is kept, computed again or spilled, whatever takes least time.
        spill_bytes: the most bytes (or text such as ``"80 GiB"``) that may lie there at any moment.

    Returns:
        The module itself.

    Raises:
        UsageError: the budget or an option means nothing.
        BudgetError: at the first graph that cannot fit, or when the second step begins: no plan meets the budget.
            ``minimum_bytes`` names the smallest that a plan in hand meets, ``bound_bytes`` what no schedule can go
            below.
        CaptureError: at the first call: the module cannot be captured; the message names the line.

    Example:
        >>> import torch
        >>> model = budgeted(torch.nn.Linear(4, 4), "1 MiB")
        >>> model(torch.ones(2, 4)).sum().backward()
        >>> model.weight.grad.shape
        torch.Size([4, 4])
    """
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"a {type(module).__name__} is not a module; budgeted takes a torch.nn.Module, and torch.compile(function, "
            'backend="retrograde", options={"budget": …}) takes a function'
        )
    refuse_wrapper(module)
    if _forward_of(module) is not None:
        raise UsageError("this module is budgeted already; retrograde.torch.unbudget(module) first")
    if optimizer is not None:
        # What cannot be told beforehand is refused at once.
        optimizer_demand(optimizer)
    options = Options(
        budget=as_budget(budget),
        strategy=strategy,
        compiler=compiler,
        exact=exact,
        fullgraph=fullgraph,
        dynamic=dynamic,
        retain_graph=retain_graph,
        outside_bytes=parse_bytes(outside_bytes),
        optimizer=optimizer,
        measure_costs=measure_costs,
        time_limit=time_limit,
        iterations=iterations,
        seed=seed,
        cache=cache,
        progress=progress,
        spill_folder=spill_folder,
        spill_bytes=spill_bytes,
    )
    forward = BudgetedForward(module, module.__dict__.get("forward"), options)
    # Under a name of its own too, because other libraries wrap the forward of an instance.
    module.__dict__["forward"] = module.__dict__[_ATTRIBUTE] = forward
    return module


def unbudget(module: Module) -> Module:
    """Take the budget off a module again, and return it.

    Raises:
        UsageError: the module is not budgeted, or something else has wrapped its forward since.
    """
    forward = _require_forward(module)
    outermost = module.__dict__["forward"]
    if outermost is not forward and not isinstance(getattr(outermost, "__func__", None), Unbound):
        raise UsageError(
            f"the forward of this {type(module).__name__} was wrapped after it was budgeted, by "
            f"{_place_of(outermost)}; take that off first (Accelerate: accelerator.unwrap_model(model, "
            "keep_fp32_wrapper=False))"
        )
    del module.__dict__["forward"], module.__dict__[_ATTRIBUTE]
    if forward.inner is not None:
        module.__dict__["forward"] = forward.inner
    return module


def plans(module: nn.Module) -> list[Plan]:
    """The plans that a budgeted module takes part in, oldest first: one for each shape of step it was called in.

    Raises:
        UsageError: the module is not budgeted.
    """
    return [known.plan for known in _require_forward(module).known()]


def irreproducible_operations(module: nn.Module) -> list[str]:
    """Operations of a budgeted module that cannot be repeated bit for bit, and so are never recomputed.

    Raises:
        UsageError: the module is not budgeted.
    """
    captured = _require_forward(module).compiler.captured
    return [n for graph in captured for n in graph.description(graph.first_sizes).irreproducible]


class BudgetedForward:
    """The forward of a budgeted module: the original one, captured and planned.

    Args:
        module: the module.
        inner: a forward that was set on the instance before, or None for that of the class.
        options: what was asked for.
    """

    def __init__(self, module: nn.Module, inner: Callable[..., Any] | None, options: Options) -> None:
        self.module = module
        self.inner = inner
        self.options = options
        self.compiler = BudgetedCompiler(options)
        self.keeper = keeper_of(options.budget)
        self.keeper.join(options)
        self._compiled: Callable[..., Any] | None = None
        self._first_call = FirstCall(type(self.module).__name__)
        # Trainers look at the parameters of a forward to choose what to pass to it.
        self.__signature__ = inspect.signature(self._original())

    @torch._dynamo.disable(reason="a budgeted module is captured on its own")
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            # Generating text calls a model with a new length each time: nothing to plan, nothing to compile.
            return self._original()(*args, **kwargs)
        with self._first_call.watched():
            return self._call(*args, **kwargs)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        if self._compiled is None:
            _refuse_lazy(self.module)
            _refuse_nested(self.module)
            refuse_inner_wrappers(self.module)
            self.compiler.sharding_bytes = sharding_bytes(self.module)
            # Recompilations are counted for each module, not for all modules of its class together.
            self._compiled = torch.compile(
                self._original(),
                backend=self.compiler,
                fullgraph=self.options.fullgraph,
                dynamic=False if self.options.compiler == "inductor" else self.options.dynamic,
                isolate_recompiles=True,
            )
        _refuse_dispatch_mode(self.module)
        _refuse_meta(self.module)
        try:
            with uncut(), watched_breaks(type(self.module).__name__):
                output = self._compiled(*args, **kwargs)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            inner = error.inner_exception
            if isinstance(inner, RetrogradeError):
                raise inner from None
            raise CaptureError(
                f"PyTorch cannot trace the gradient of {type(self.module).__name__}: {type(inner).__name__}: {inner}"
            ) from error
        except (torch._dynamo.exc.Unsupported, torch._dynamo.exc.UserError) as error:
            # Wrong arguments are the ordinary TypeError.
            inspect.signature(type(self.module).forward if self.inner is None else self.inner).bind(
                *(() if self.inner is not None else (self.module,)), *args, **kwargs
            )
            raise capture_error(self.module, error) from error
        except torch._dynamo.exc.FailOnRecompileLimitHit as error:
            raise CaptureError(
                f"{type(self.module).__name__} was called with more kinds of input than PyTorch recompiles for, each "
                "of which has a plan of its own; call it with fewer different shapes, or raise "
                "torch._dynamo.config.recompile_limit"
            ) from error
        if not self.compiler.captured:
            _refuse_unplanned_gradients(self.module, output)
        return output

    @property
    def __func__(self) -> Unbound:
        """The forward without its module, as methods have it; libraries bind it to the module again, or to a copy."""
        return Unbound(self.__signature__)

    def _original(self) -> Callable[..., Any]:
        return self.inner or types.MethodType(type(self.module).forward, self.module)

    def known(self) -> list[StepPlan]:
        """The plans that its graphs take part in."""
        return self.keeper.book.plans_of(self.compiler.captured)

    def __deepcopy__(self, memo: dict[int, Any]) -> BudgetedForward:
        return BudgetedForward(
            copy.deepcopy(self.module, memo),
            copy.deepcopy(self.inner, memo),
            replace(self.options, progress=None, optimizer=None),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "module": self.module,
            "inner": self.inner,
            "options": replace(self.options, progress=None, optimizer=None),
        }
        return (_empty_forward, (), state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["module"], state["inner"], state["options"])


class Unbound:
    """The forward of a budgeted module as a function of the module, for libraries that wrap and bind it again.

    Args:
        signature: of the bound forward.
    """

    __slots__ = ("__signature__",)

    def __init__(self, signature: inspect.Signature) -> None:
        module = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        self.__signature__ = signature.replace(parameters=[module, *signature.parameters.values()])

    def __call__(self, module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        return _require_forward(module)(*args, **kwargs)


def _refuse_unplanned_gradients(module: nn.Module, output: Any) -> None:
    if any(isinstance(leaf, torch.Tensor) and leaf.grad_fn is not None for leaf in optree.tree_leaves(output)):
        raise CaptureError(
            f"PyTorch captured nothing of {type(module).__name__}, so no plan was followed; TORCHDYNAMO_DISABLE or "
            "torch.compiler.set_stance may be set: unset it, or retrograde.torch.unbudget the module"
        )


def _refuse_lazy(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise CaptureError(
                f"parameter {name} of {type(module).__name__} has no shape yet; run the module once on example "
                "inputs before its first budgeted call, so that its lazy layers know their sizes"
            )


def _refuse_meta(module: nn.Module) -> None:
    name = next((name for name, parameter in module.named_parameters() if parameter.is_meta), None)
    if name is not None:
        raise CaptureError(
            f"parameter {name} of {type(module).__name__} is on the meta device, which holds no memory to budget; "
            "give the module contents first (to_empty and load_state_dict), or retrograde.torch.unbudget it"
        )


def _refuse_dispatch_mode(module: nn.Module) -> None:
    # Dynamo would give up on the module's code for good.
    mode = _get_current_dispatch_mode()
    if mode is not None and not mode.is_infra_mode():
        raise CaptureError(
            f"{type(module).__name__} was called under {type(mode).__name__}, where PyTorch captures nothing and no "
            "plan would be followed; call it outside, or retrograde.torch.unbudget it first"
        )


def _refuse_nested(module: nn.Module) -> None:
    for name, child in module.named_modules():
        if child is not module and _forward_of(child) is not None:
            raise UsageError(
                f"{name} inside this budgeted {type(module).__name__} is budgeted too, and one plan covers the whole; "
                "retrograde.torch.unbudget one of the two"
            )


def _empty_forward() -> BudgetedForward:
    return BudgetedForward.__new__(BudgetedForward)


def _forward_of(module: nn.Module) -> BudgetedForward | None:
    return module.__dict__.get(_ATTRIBUTE) if "forward" in module.__dict__ else None


def _place_of(function: Any) -> str:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else f"a {type(function).__name__}"


def _require_forward(module: nn.Module) -> BudgetedForward:
    forward = _forward_of(module)
    if forward is None:
        raise UsageError(
            f"this {type(module).__name__} is not budgeted; call retrograde.torch.budgeted(module, …) first"
        )
    return forward
