"""Capture and restoring of random states, so that what is computed twice draws the same numbers twice."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class RandomState:
    """The states of random generators at one moment; ``restore`` puts them back, as often as wanted.

    Attributes:
        python: of the module ``random``.
        numpy: of NumPy's global generator.
        generators: pairs of a NumPy generator and the state of its bit generator.
        torch_cpu: of PyTorch's generator on the CPU; None where PyTorch was not imported.
        torch_cuda: of each CUDA device; empty where CUDA was not in use.
    """

    python: tuple[Any, ...]
    numpy: Mapping[str, Any]
    generators: tuple[tuple[np.random.Generator, Mapping[str, Any]], ...] = ()
    torch_cpu: Any = None
    torch_cuda: tuple[Any, ...] = ()

    def restore(self) -> None:
        """Put every captured state back."""
        random.setstate(self.python)
        np.random.set_state(dict(self.numpy))
        for generator, state in self.generators:
            generator.bit_generator.state = state
        if self.torch_cpu is not None:
            torch = sys.modules["torch"]
            torch.set_rng_state(self.torch_cpu)
            if self.torch_cuda:
                torch.cuda.set_rng_state_all(list(self.torch_cuda))

    def is_current(self) -> bool:
        """Whether nothing was drawn since: every state is as it was captured."""
        now = capture_random_state(*(generator for generator, _ in self.generators))
        pairs = zip((state for _, state in self.generators), (state for _, state in now.generators), strict=True)
        return (
            self.python == now.python
            and _is_same(self.numpy, now.numpy)
            and all(_is_same(before, after) for before, after in pairs)
            and _is_same(self.torch_cpu, now.torch_cpu)
            and _is_same(self.torch_cuda, now.torch_cuda)
        )


def _is_same(one: Any, other: Any) -> bool:
    """Equality of states: of numbers, of texts, of arrays, and of containers of these."""
    if isinstance(one, Mapping):
        return all(_is_same(one[name], other[name]) for name in one)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))  # pyright: ignore[reportUnknownArgumentType]
    return bool(np.all(np.asarray(one) == np.asarray(other)))


def capture_random_state(*generators: np.random.Generator) -> RandomState:
    """The random states of Python, NumPy and, where it is imported, PyTorch, as they are now.

    Args:
        generators: NumPy generators to capture beside the global one.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> state = capture_random_state(generator)
        >>> first = generator.random()
        >>> state.restore()
        >>> generator.random() == first
        True
    """
    torch: Any = sys.modules.get("torch")
    on_cpu: Any = None
    on_cuda: tuple[Any, ...] = ()
    if torch is not None and hasattr(torch, "get_rng_state"):
        on_cpu = torch.get_rng_state()
        # Asking a CUDA device for its state would start CUDA in a program that does not use it.
        if torch.cuda.is_initialized():
            on_cuda = tuple(torch.cuda.get_rng_state_all())
    return RandomState(
        python=random.getstate(),
        numpy=np.random.get_state(legacy=False),
        generators=tuple((generator, generator.bit_generator.state) for generator in generators),
        torch_cpu=on_cpu,
        torch_cuda=on_cuda,
    )


@contextlib.contextmanager
def preserved_random_state(*generators: np.random.Generator) -> Generator[RandomState]:
    """Whatever the block draws, afterwards the random states are as they were before, after an exception too.

    Args:
        generators: NumPy generators to preserve beside the global one.

    Example:
        >>> with preserved_random_state():
        ...     first = random.random()
        >>> random.random() == first
        True
    """
    state = capture_random_state(*generators)
    try:
        yield state
    finally:
        state.restore()
