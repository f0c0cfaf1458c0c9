"""What Dynamo leaves out of captured graphs: noticed, and told."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import torch
import torch._dynamo
import torch._dynamo.config
from torch._dynamo.utils import graph_break_reasons

_logger = logging.getLogger("retrograde")


@contextlib.contextmanager
def watched_breaks(name: str) -> Iterator[None]:
    """Tell of graph breaks that happen meanwhile, and have Dynamo raise rather than stop capturing.

    Args:
        name: the module that is called.
    """
    config = torch._dynamo.config
    before, known = config.fail_on_recompile_limit_hit, len(graph_break_reasons)
    config.fail_on_recompile_limit_hit = True
    try:
        yield
    finally:
        config.fail_on_recompile_limit_hit = before
        for reason in graph_break_reasons[known:]:
            frame = reason.user_stack[-1] if reason.user_stack else None
            place = f"{frame.filename}:{frame.lineno}" if frame is not None else "a place that is not known"
            _logger.warning(
                "%s is captured in several graphs, because of a graph break at %s (%s); what runs between them keeps "
                "all that it saves, which is counted in the plan from the second step on",
                name,
                place,
                reason.reason.splitlines()[0],
            )
