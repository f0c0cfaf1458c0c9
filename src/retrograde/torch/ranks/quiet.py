"""Rank 0 speaks for all: what the other ranks have to say is left to those who ask for it."""

from __future__ import annotations

import logging

import torch.distributed as dist


def rank_speaks() -> bool:
    """Whether this process reports progress and warnings: rank 0 of a distributed run does, and any process alone.

    Example:
        >>> rank_speaks()
        True
    """
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def quieten_other_ranks() -> None:
    """Make information and warnings of the logger ``retrograde`` debug messages on every rank but 0.

    A handler whose level is ``DEBUG`` still gets them. Calling it again changes nothing.
    """
    logger = logging.getLogger("retrograde")
    if _demote not in logger.filters:
        logger.addFilter(_demote)


def _demote(record: logging.LogRecord) -> bool:
    if record.levelno < logging.ERROR and not rank_speaks():
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
    return True
