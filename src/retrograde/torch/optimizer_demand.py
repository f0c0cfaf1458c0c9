"""What an optimizer's next step allocates, found by running a copy of it on tensors without memory."""

from __future__ import annotations

import copy
import inspect
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import optree
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.optim.optimizer import _default_to_fused_or_foreach
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from retrograde.errors import UsageError
from retrograde.torch.options import Options


@dataclass(frozen=True)
class OptimizerDemand:
    """What the next ``optimizer.step()`` allocates.

    Attributes:
        state_bytes: what it allocates and keeps: Adam's moments in its first step, nothing in its second.
        peak_bytes: the most bytes that it allocates and holds at any moment: the new state and temporaries together.
    """

    state_bytes: int
    peak_bytes: int


def optimizer_demand(optimizer: torch.optim.Optimizer) -> OptimizerDemand:
    """The bytes that the next step of an optimizer takes, without taking them.

    A copy of the optimizer runs its own step on tensors that have shapes and no memory, while a watch is kept on which
    of them are alive. Neither the optimizer nor its parameters change. Where no parameter has a gradient, as before the
    first backward pass, all that require one are taken to have one; otherwise those that have one now. Hooks on the
    step do not run. Sharded parameters count with what this rank holds of them.

    Args:
        optimizer: any optimizer of ``torch.optim``, or another that does not read values of tensors in its step.

    Raises:
        UsageError: no optimizer, one whose step needs a closure, or one whose step depends on values; its step can be
            measured, with ``retrograde.torch.measure``.

    Example:
        >>> model = nn.Linear(100, 100, bias=False)
        >>> demand = optimizer_demand(torch.optim.Adam(model.parameters()))
        >>> demand.state_bytes, demand.peak_bytes
        (80004, 160004)
    """
    _refuse(optimizer)
    with _disable_current_modes():
        fakes = _Fakes(optimizer)
        rehearsal = fakes.optimizer()
        watch = _StorageWatch(fakes.mode, reads_values=type(optimizer).__module__.startswith("torch.optim"))
        try:
            with watch:
                rehearsal.step()
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(_remedy(optimizer, f"fails on tensors without memory: {error}")) from error
        demand = OptimizerDemand(watch.live_bytes, watch.peak_bytes)
    return demand


_WRAPPED_NUMBERS = 64
"""Bytes for the Python numbers that PyTorch wraps in tensors while a step runs."""


def optimizer_bytes(options: Options) -> int:
    """The most that the next step of the optimizer takes that a plan is to make room for; 0 without one."""
    if options.optimizer is None:
        return 0
    return optimizer_demand(options.optimizer).peak_bytes + _WRAPPED_NUMBERS


def optimizer_stage(options: Options) -> int:
    """A number that changes when the optimizer's next step takes other bytes, because it has its state now."""
    return 0 if options.optimizer is None else sum(map(bool, options.optimizer.state.values()))


def _refuse(optimizer: torch.optim.Optimizer) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UsageError(
            f"a {type(optimizer).__name__} is not a torch.optim.Optimizer; give the optimizer that it wraps"
        )
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise UsageError(_remedy(optimizer, "runs forward and backward itself, through a closure"))


def _remedy(optimizer: torch.optim.Optimizer, problem: str) -> str:
    return (
        f"the step of {type(optimizer).__name__} {problem}, so what it allocates cannot be told beforehand; run it "
        "once in retrograde.torch.measure(…) and leave that much room in the budget"
    )


class _Fakes:
    """Tensors without memory in place of an optimizer's parameters, gradients and state."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self._original = optimizer
        self._parameters: dict[int, torch.Tensor] = {}
        everything = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = any(p.grad is not None for p in everything)
        for parameter in everything:
            self._parameters[id(parameter)] = self._fake_parameter(parameter, gradients)

    def optimizer(self) -> torch.optim.Optimizer:
        """A copy of the optimizer that works on the fakes."""
        original = self._original
        duplicate = copy.copy(original)
        duplicate.__dict__ = dict(original.__dict__)
        # A learning-rate scheduler leaves a step on the instance, which is that of the original.
        duplicate.__dict__.pop("step", None)
        duplicate._optimizer_step_pre_hooks = OrderedDict()
        duplicate._optimizer_step_post_hooks = OrderedDict()
        duplicate.param_groups = [self._group(group) for group in original.param_groups]
        duplicate.state = defaultdict(dict)
        for key, state in original.state.items():
            duplicate.state[self._parameters.get(id(key), key)] = optree.tree_map(self._stand_in, state)
        return duplicate

    def _group(self, group: dict[str, Any]) -> dict[str, Any]:
        real = group["params"]
        fake = {**group, "params": [self._parameters[id(p)] for p in real]}
        chosen = group.get("foreach") is not None or group.get("fused") is not None
        if "foreach" in group and not chosen and not isinstance(group.get("lr"), torch.Tensor):
            # The choice goes by the type of the tensors, and fakes have another.
            trained = [p for p, stand_in in zip(real, fake["params"], strict=True) if stand_in.grad is not None]
            _, fake["foreach"] = _default_to_fused_or_foreach(trained, group.get("differentiable", False))
        return fake

    def _fake_parameter(self, parameter: torch.Tensor, gradients: bool) -> torch.Tensor:
        fake = nn.Parameter(self._fake(parameter), requires_grad=parameter.requires_grad)
        if parameter.grad is not None:
            fake.grad = self._fake(parameter.grad)
        elif not gradients and parameter.requires_grad:
            fake.grad = self._fake(parameter)
        return fake

    def _fake(self, tensor: torch.Tensor) -> torch.Tensor:
        local: torch.Tensor = getattr(tensor, "_local_tensor", tensor).detach()
        if local.layout is not torch.strided:
            raise UsageError(_remedy(self._original, f"gets a gradient of layout {local.layout}"))
        with self.mode:
            return torch.empty_strided(local.shape, local.stride(), dtype=local.dtype, device=local.device)

    def _stand_in(self, leaf: Any) -> Any:
        """Of a tensor in the state a fake; of one number on the CPU (a count of steps) a copy, whose value is read."""
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return leaf.detach().clone() if _is_number(leaf) else self._fake(leaf)


def _is_number(tensor: torch.Tensor) -> bool:
    return tensor.numel() == 1 and tensor.device.type == "cpu" and not hasattr(tensor, "_local_tensor")


class _StorageWatch(TorchDispatchMode):
    """Counts the bytes of storages that operations allocate, and of those that are still alive."""

    def __init__(self, mode: FakeTensorMode, *, reads_values: bool) -> None:
        super().__init__()
        self.live_bytes = 0
        self.peak_bytes = 0
        self._mode = mode
        self._reads_values = reads_values
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(_tensors((args, kwargs)))
        # A fresh tensor out of a number is no operand, though it looks like one.
        operands = [] if func is torch.ops.aten.lift_fresh.default else given
        before = {t.untyped_storage()._cdata for t in operands}
        if func is torch.ops.aten._local_scalar_dense.default and isinstance(given[0], FakeTensor):
            return self._made_up_value()
        result = self._run(func, args, kwargs, given)
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if storage._cdata not in before:
                self._follow(storage)
        return result

    def _run(self, func: Any, args: Any, kwargs: Any, given: list[torch.Tensor]) -> Any:
        if func.namespace == "profiler" or (given and not any(isinstance(t, FakeTensor) for t in given)):
            return func(*args, **kwargs)
        with self._mode:
            result = func(*args, **kwargs)
        made = list(_tensors(result))
        if not given and made and all(map(_is_number, made)):
            # A count of steps begins: its value will be read.
            return func(*args, **kwargs)
        return result

    def _made_up_value(self) -> float:
        if not self._reads_values:
            raise _ValueRead
        return 1.0

    def _follow(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(storage._cdata)
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._forget, storage._cdata, size)

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live_bytes -= size


class _ValueRead(Exception):
    """A step reads the value of a tensor that has none."""

    def __init__(self) -> None:
        super().__init__("it reads the value of a tensor, and may depend on it")


def _tensors(structure: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in optree.tree_leaves(structure) if isinstance(leaf, torch.Tensor))
