"""The text of loop nests, and that text on disk, by the content of the program that it was made of."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from retrograde.disk_cache import DiskCache
from retrograde.program.model import Place, Program
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.python.compiling.content import digest_of, is_registered
from retrograde.python.compiling.known import KNOWN

_KINDS = "fciub"


@dataclass(frozen=True, slots=True)
class Nests:
    """Text for Numba, and what goes with it.

    Attributes:
        text: of a module.
        compiled: the functions in it that are to be compiled, callees first.
        driver: the function in it that does what the procedure does.
        namespace: objects that the text needs under these names.
        reasons: what runs as Python, and why.
        inner: those of the compiled functions that nothing but the others calls.
        regions: how many compiled regions there are.
    """

    text: str
    compiled: list[str]
    driver: str
    namespace: dict[str, Any]
    reasons: list[tuple[Place | None, str]] = field(default_factory=list[tuple[Place | None, str]])

    inner: list[str] = field(default_factory=list[str])

    @property
    def regions(self) -> int:
        """How many functions are compiled."""
        return len(self.compiled)


def stored_nests(program: Program, frugal: bool, make: Callable[[], Nests | str]) -> Nests | str:
    """A program's loop nests: those that an earlier process made of the same program, or new ones.

    Args:
        program: what they are of.
        frugal: as `lower` takes it.
        make: makes them.

    Returns:
        The loop nests, or why there are none.
    """
    digest = digest_of(program, frugal)
    if digest is None:
        return make()
    cache = DiskCache("nests")
    found = cache.get(digest)
    if found is not None:
        return _read(found)
    nests = make()
    document = _document(nests)
    if document is not None:
        cache.put(digest, document)
    return nests


def _document(nests: Nests | str) -> dict[str, Any] | None:
    """What JSON can hold of loop nests; None where their text uses an object that it cannot."""
    if isinstance(nests, str):
        return {"demoted": nests}
    namespace = {name: _written(value) for name, value in nests.namespace.items()}
    if any(value is None for value in namespace.values()):
        return None
    reasons = [[None if place is None else asdict(place), reason] for place, reason in nests.reasons]
    return {
        "text": nests.text,
        "compiled": nests.compiled,
        "inner": nests.inner,
        "driver": nests.driver,
        "namespace": namespace,
        "reasons": reasons,
    }


def _read(document: dict[str, Any]) -> Nests | str:
    if "demoted" in document:
        return document["demoted"]
    namespace = {name: _object(*written) for name, written in document["namespace"].items()}
    reasons = [(None if place is None else Place(**place), reason) for place, reason in document["reasons"]]
    return Nests(document["text"], document["compiled"], document["driver"], namespace, reasons, document["inner"])


def _written(value: Any) -> list[Any] | None:
    if isinstance(value, Primitive):
        return ["primitive", value.name] if is_registered(value) else None
    if any(value is function for function in KNOWN.values()):
        return ["known", value.__name__]
    if isinstance(value, np.dtype):
        kind = cast("np.dtype[Any]", value)
        return ["dtype", kind.str] if kind.kind in _KINDS else None
    if not isinstance(value, (np.ndarray, np.generic)):
        return None
    array = cast("np.ndarray[Any, np.dtype[Any]]", np.asarray(cast("Any", value)))
    if array.dtype.kind not in _KINDS:
        return None
    order = "F" if array.flags.f_contiguous else "C"
    elements = base64.b64encode(array.tobytes(order)).decode()
    return ["number" if isinstance(value, np.generic) else "array", array.dtype.str, array.shape, order, elements]


def _object(kind: str, *parts: Any) -> Any:
    if kind == "primitive":
        return PRIMITIVES[parts[0]]
    if kind == "known":
        return KNOWN[parts[0]]
    if kind == "dtype":
        return np.dtype(parts[0])
    dtype, shape, order, elements = parts
    array = np.frombuffer(base64.b64decode(elements), dtype).reshape(shape, order=order)
    return array[()] if kind == "number" else array.copy(order)
