"""What turns planned graphs into functions: PyTorch's own kernels, or Inductor."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import fx

from retrograde.planning import Schedule
from retrograde.torch.capture.decompositions import traced_as_eager_runs
from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.joint import JointGraph, read_joint_graph
from retrograde.torch.emission.boxed import Boxed, compile_eagerly
from retrograde.torch.emission.emit import EmittedPair
from retrograde.torch.options import Options


class Compiler(Protocol):
    """What turns a planned pair of graphs into two functions.

    Attributes:
        functional: whether it wants graphs without calls that write over an operand or have other effects.
        changes_peaks: whether its code needs other bytes than the graph that was planned.
    """

    functional: bool
    changes_peaks: bool

    def aot_settings(self) -> dict[str, Any]:
        """Further arguments for AOTAutograd."""
        ...

    def tracing(self) -> AbstractContextManager[None]:
        """What must hold while the graph is traced."""
        ...

    def read_joint_graph(self, module: fx.GraphModule, inputs: Any, outputs: int, **others: Any) -> JointGraph:
        """The joint graph that is planned."""
        ...

    def compile_pair(self, pair: EmittedPair, outputs: int) -> tuple[Boxed, Boxed]:
        """The functions of a forward graph, of whose outputs the first are the user's, and of its backward graph."""
        ...

    def weigh(self, description: Description, schedule: Schedule) -> PairWeight:
        """What the code for a schedule takes by itself; asked only of a compiler that changes peaks."""
        ...


@dataclass(frozen=True)
class PairWeight:
    """What the code of a forward and a backward takes.

    Attributes:
        forward_bytes: the most that is live while the forward runs.
        residual_bytes: what the forward hands over beside its outputs.
        backward_bytes: the most that is live while the backward runs, what it is handed included.
    """

    forward_bytes: int
    residual_bytes: int
    backward_bytes: int

    @property
    def peak_bytes(self) -> int:
        """The most that is live in a step that calls the pair once."""
        return max(self.forward_bytes, self.backward_bytes)


class Eager:
    """The emitted graphs run as they are, on PyTorch's own kernels."""

    functional = False
    changes_peaks = False

    def aot_settings(self) -> dict[str, Any]:
        """The forward for calls without gradients runs as it is, too."""
        return {"inference_compiler": compile_eagerly}

    def tracing(self) -> AbstractContextManager[None]:
        """PyTorch traces the operators that eager runs."""
        return traced_as_eager_runs()

    def read_joint_graph(self, module: fx.GraphModule, inputs: Any, outputs: int, **others: Any) -> JointGraph:
        """The joint graph as it was traced."""
        return read_joint_graph(module, outputs)

    def compile_pair(self, pair: EmittedPair, outputs: int) -> tuple[Boxed, Boxed]:
        """The generated code of both."""
        return compile_eagerly(pair.forward), compile_eagerly(pair.backward)

    def weigh(self, description: Description, schedule: Schedule) -> PairWeight:
        """Never asked: the graph that was planned says it all."""
        raise NotImplementedError


def compiler_of(options: Options) -> Compiler:
    """The compiler that was asked for; Inductor is imported when it first is."""
    if options.compiler == "eager":
        return Eager()
    with warnings.catch_warnings():
        # Importing Inductor uses parts of PyTorch that PyTorch deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        from retrograde.torch.inductor import Inductor
    return Inductor(options)
