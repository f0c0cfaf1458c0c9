"""What a kernel is: a NumPy function as people write it, its inputs by size, and what is differentiated by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Random = np.random.Generator
Size = Mapping[str, Any]


@dataclass(frozen=True)
class Kernel:
    """A NumPy function to differentiate.

    Attributes:
        name: as NPBench and PolyBench call it, where they have it.
        family: the file that it stands in.
        kind: what its time goes to: "nest" (loops over elements, triangular loops), "stencil", "dense" (products of
            matrices), "elementwise", "network".
        function: the function itself; it may write into its arguments, and may return nothing.
        make: its arguments: `make(random, **size)`, as a tuple in the order of the signature.
        wrt: every argument of floats, scalars included.
        of: "return", and the names of the arguments that it writes.
        sizes: "tiny" for tests, and NPBench's "S", "M" and "paper".
        tolerance: relative, of a gradient against finite differences.
    """

    name: str
    family: str
    kind: str
    function: Callable[..., Any]
    make: Callable[..., tuple[Any, ...]]
    wrt: tuple[str, ...]
    of: tuple[str, ...]
    sizes: Mapping[str, Size]
    tolerance: float = 1e-6

    def arguments(self, size: str = "tiny", seed: int = 0) -> tuple[Any, ...]:
        """New arguments for the function."""
        return self.make(np.random.default_rng(seed), **self.sizes[size])

    def __repr__(self) -> str:
        return self.name


def names(text: str) -> tuple[str, ...]:
    """Names that are written with spaces between them."""
    return tuple(text.split())


class Family:
    """The kernels of one file, in order.

    Args:
        name: of the file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.kernels: list[Kernel] = []

    def add(
        self,
        function: Callable[..., Any],
        make: Callable[..., tuple[Any, ...]],
        kind: str,
        wrt: str,
        of: str = "return",
        tolerance: float = 1e-6,
        **sizes: Size,
    ) -> None:
        """Put a kernel into the family; `wrt` and `of` are names with spaces between them."""
        name = function.__name__
        self.kernels.append(Kernel(name, self.name, kind, function, make, names(wrt), names(of), sizes, tolerance))
