"""Compiling kernels with Numba, cached on disk where anything is writable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel when it is first called.

    The machine code is kept beside the source file, or in the user's cache folder if that is not writable, or (if
    neither is) for this process only.
    """
    return _compiled(function, nogil=False)


def compiled_for_threads(function: Callable[..., Any]) -> Any:
    """Compile a kernel that lets other threads run while it does: ``compiled``, without the interpreter's lock."""
    return _compiled(function, nogil=True)


def _compiled(function: Callable[..., Any], *, nogil: bool) -> Any:
    try:
        return njit(cache=True, nogil=nogil)(function)
    except RuntimeError:
        return njit(nogil=nogil)(function)
