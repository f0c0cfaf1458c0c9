"""PyTorch: joint graphs captured, planned, and emitted so that a training step stays inside its budget."""

from retrograde.runtime.meters import measure_torch as measure
from retrograde.torch.versions import check_torch_version

check_torch_version()

from retrograde.torch.backend import retrograde  # noqa: E402
from retrograde.torch.budgeted import budgeted, irreproducible_operations, plans, unbudget  # noqa: E402
from retrograde.torch.capture.graph_capture import capture_graph  # noqa: E402
from retrograde.torch.explain import explain  # noqa: E402
from retrograde.torch.optimizer_demand import OptimizerDemand, optimizer_demand  # noqa: E402
from retrograde.torch.ranks.quiet import quieten_other_ranks  # noqa: E402
from retrograde.torch.ranks.session import alone  # noqa: E402

quieten_other_ranks()

__all__ = [
    "OptimizerDemand",
    "alone",
    "budgeted",
    "capture_graph",
    "check_torch_version",
    "explain",
    "irreproducible_operations",
    "measure",
    "optimizer_demand",
    "plans",
    "retrograde",
    "unbudget",
]
