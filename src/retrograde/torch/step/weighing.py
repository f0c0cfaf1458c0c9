"""What a step of several calls takes when compiled code needs other bytes than the graphs that were planned."""

from __future__ import annotations

from collections.abc import Sequence

from retrograde.torch.emission.compilers import PairWeight
from retrograde.torch.step.call import parameter_gradient_bytes
from retrograde.torch.step.shape import Event, Outside, StepShape


def step_peak_bytes(shape: StepShape, outside: Outside, weights: Sequence[PairWeight]) -> int:
    """The peak of a step, out of what the code of its calls takes by itself.

    Args:
        shape: the step.
        outside: what the user's own code holds around the calls.
        weights: for each call what its code takes.
    """
    open_calls: dict[int, int] = {}
    gradients = peak = 0
    for position, event in enumerate(shape.events):
        held = sum(bytes_ for call, bytes_ in open_calls.items() if call != event.call) + gradients
        weight = weights[event.call]
        runs = weight.forward_bytes if event.phase == "forward" else weight.backward_bytes
        peak = max(peak, outside.during[position] + _outputs(shape, outside, position, event) + held + runs)
        if event.phase == "forward":
            open_calls[event.call] = weight.residual_bytes
        else:
            open_calls.pop(event.call, None)
            gradients += _gradients(shape, event.call)
        after = sum(open_calls.values()) + gradients
        peak = max(peak, outside.between[position + 1] + _outputs(shape, outside, position + 1, None) + after)
    return peak


def _outputs(shape: StepShape, outside: Outside, position: int, running: Event | None) -> int:
    """Bytes of the forward outputs that the user holds, those of the call that runs left out."""
    is_end = position >= len(outside.held_outputs)
    held = outside.kept_outputs if is_end else outside.held_outputs[position]
    total = 0
    for call, output in held:
        if running is None or call != running.call:
            description = shape.graphs[call].description(shape.sizes[call], shape.undefined[call])
            value = description.node_values[description.joint.forward_outputs[output]]
            total += description.graph.storages[description.graph.values[value].storage].bytes
    return total


def _gradients(shape: StepShape, call: int) -> int:
    positions = [position for position, _ in shape.parameters[call]]
    return parameter_gradient_bytes(shape.graphs[call], shape.sizes[call], positions)
