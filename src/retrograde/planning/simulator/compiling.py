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
    return _compiled(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a small kernel into each kernel that calls it.

    A call passes every array of the problem and the state by its parts, which takes longer than a small kernel does.
    """
    return _compiled(function, forceinline=True)


def compiled_for_threads(function: Callable[..., Any]) -> Any:
    """Compile a kernel that lets other threads run while it does: ``compiled``, without the interpreter's lock."""
    return _compiled(function, nogil=True)


def _compiled(function: Callable[..., Any], *, nogil: bool = False, forceinline: bool = False) -> Any:
    try:
        return njit(cache=True, nogil=nogil, forceinline=forceinline)(function)
    except RuntimeError:
        return njit(nogil=nogil, forceinline=forceinline)(function)
