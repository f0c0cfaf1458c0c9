"""``budgeted``: the same module, planned on first use."""

from __future__ import annotations

import copy
import inspect
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
from retrograde.torch.capture.graph_capture import capture_error
from retrograde.torch.options import Options

Module = TypeVar("Module", bound=nn.Module)


def budgeted(
    module: Module,
    budget: int | str | Budget,
    *,
    strategy: str = "auto",
    compiler: str = "eager",
    exact: bool = False,
    retain_graph: bool = False,
    outside_bytes: int | str = 0,
    measure_costs: bool = True,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    cache: bool = True,
    progress: Callable[[Any], None] | None = None,
) -> Module:
    """Hold every training step of a module to a memory budget; gradients stay those of the plain module, bit for bit.

    The module is changed in place and returned: its class, parameter names and ``state_dict`` stay as they are. On
    its first call with gradients it is captured as one graph and planned for the shapes it is called with; other
    shapes are planned when they come. Calls without gradients run as they are. A copy (``copy.deepcopy``, pickle)
    is budgeted too, and plans on its own first call.

    Args:
        module: any module that PyTorch can capture as one graph. Put the loss inside: what your own code allocates
            between the module and ``backward`` is not known to the plan, unless ``outside_bytes`` says it.
        budget: the most bytes that a step (forward and backward together) may allocate and hold at any moment: an
            int of bytes, ``"8 GiB"``, ``"800 MB"``, ``"40%"`` of the store-all peak, or a ``Budget``. Gradients count;
            parameters, inputs and what else was there before the step do not.
        strategy: how to plan; see ``retrograde.plan``.
        compiler: what runs the planned graphs: ``"eager"`` runs PyTorch's own kernels, ``"inductor"`` compiles them.
            Compiled gradients are those of ``torch.compile`` up to rounding.
        exact: with Inductor, compile so that gradients have the same bits under every budget, at the price of fusion.
        retain_graph: plan for ``backward(retain_graph=True)``: what the forward saves stays live to the end. Without
            it such a call raises.
        outside_bytes: bytes (or text such as ``"20 MB"``) that your own code holds from the end of the forward on.
        measure_costs: measure each kind of operation once on this machine (remembered on disk), or estimate
            costs by a roofline model; an estimate leaves operator workspace out of the predicted peak.
        time_limit: seconds that planning may take.
        iterations: bounds the search by steps in place of seconds, so that it is deterministic.
        seed: of the search.
        cache: whether plans and costs are kept on disk (``$RETROGRADE_CACHE_DIR``).
        progress: called with planning progress; by default a line on standard error once it takes over a second.

    Returns:
        The module itself.

    Raises:
        UsageError: the budget or an option means nothing.
        BudgetError: at the first call, before any forward work: no plan meets the budget. ``minimum_bytes`` names the
            smallest that a plan in hand meets, ``bound_bytes`` what no schedule can go below.
        CaptureError: at the first call: the module cannot be captured as one graph; the message names the line.

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
    if _forward_of(module) is not None:
        raise UsageError("this module is budgeted already; retrograde.torch.unbudget(module) first")
    options = Options(
        budget=Budget(budget),
        strategy=strategy,
        compiler=compiler,
        exact=exact,
        retain_graph=retain_graph,
        outside_bytes=parse_bytes(outside_bytes),
        measure_costs=measure_costs,
        time_limit=time_limit,
        iterations=iterations,
        seed=seed,
        cache=cache,
        progress=progress,
    )
    module.__dict__["forward"] = BudgetedForward(module, module.__dict__.get("forward"), options)
    return module


def unbudget(module: Module) -> Module:
    """Take the budget off a module again, and return it.

    Raises:
        UsageError: the module is not budgeted.
    """
    forward = _require_forward(module)
    del module.__dict__["forward"]
    if forward.inner is not None:
        module.__dict__["forward"] = forward.inner
    return module


def plans(module: nn.Module) -> list[Plan]:
    """The plans of a budgeted module, one for each combination of shapes it has been called with.

    Raises:
        UsageError: the module is not budgeted.
    """
    return [planned.plan for planned in _require_forward(module).compiler.planned]


def irreproducible_operations(module: nn.Module) -> list[str]:
    """Operations of a budgeted module that cannot be repeated bit for bit, and so are never recomputed.

    Raises:
        UsageError: the module is not budgeted.
    """
    return [name for planned in _require_forward(module).compiler.planned for name in planned.irreproducible]


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
        self._compiled: Callable[..., Any] | None = None

    @torch._dynamo.disable(reason="a budgeted module is captured on its own")
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._compiled is None:
            _refuse_lazy(self.module)
            _refuse_nested(self.module)
            original = self.inner or types.MethodType(type(self.module).forward, self.module)
            # Recompilations are counted for each module, not for all modules of its class together.
            self._compiled = torch.compile(
                original, backend=self.compiler, fullgraph=True, dynamic=False, isolate_recompiles=True
            )
        _refuse_dispatch_mode(self.module)
        try:
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
        if not self.compiler.planned:
            _refuse_unplanned_gradients(self.module, output)
        return output

    def __deepcopy__(self, memo: dict[int, Any]) -> BudgetedForward:
        return BudgetedForward(
            copy.deepcopy(self.module, memo), copy.deepcopy(self.inner, memo), replace(self.options, progress=None)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"module": self.module, "inner": self.inner, "options": replace(self.options, progress=None)}
        return (_empty_forward, (), state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["module"], state["inner"], state["options"])


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
    forward = module.__dict__.get("forward")
    return forward if isinstance(forward, BudgetedForward) else None


def _require_forward(module: nn.Module) -> BudgetedForward:
    forward = _forward_of(module)
    if forward is None:
        raise UsageError(
            f"this {type(module).__name__} is not budgeted; call retrograde.torch.budgeted(module, …) first"
        )
    return forward
