"""Compiling kernels with Numba, cached on disk where anything is writable."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

_ROOMS = Path(__file__).parent


def drop_stale_kernels(rooms: Path) -> bool:
    """Delete the machine code beside kernels if any of their sources changed since it was written.

    Numba looks only at the file of the kernel itself, not at those of the kernels that it calls.

    Args:
        rooms: the folder that has the kernels, in files ``kernels.py`` and ``*_kernels.py``.

    Returns:
        Whether anything had changed, or nothing was known.
    """
    digest = hashlib.sha256()
    for source in sorted([*rooms.rglob("kernels.py"), *rooms.rglob("*_kernels.py"), *rooms.rglob("layout.py")]):
        digest.update(source.read_bytes())
    stamp = rooms / "__pycache__" / "kernels.digest"
    with contextlib.suppress(OSError):
        if stamp.read_text() == digest.hexdigest():
            return False
    with contextlib.suppress(OSError):
        for code in [*rooms.rglob("*.nbi"), *rooms.rglob("*.nbc")]:
            code.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())
    return True


drop_stale_kernels(_ROOMS)


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
