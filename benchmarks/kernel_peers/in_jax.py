"""The kernels that JAX can express. Imported where JAX is installed, by benchmarks and by a test that needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from kernels import KERNELS
from kernels.registry import Kernel

from kernel_peers import jax_dense, jax_fields

jax.config.update("jax_enable_x64", True)

IN_JAX: dict[str, Callable[..., tuple[Any, ...]]] = {
    name: getattr(module, name) for module in (jax_dense, jax_fields) for name in KERNELS if hasattr(module, name)
}


def gradient(
    kernel: Kernel, arguments: tuple[Any, ...], ones: bool = False
) -> tuple[Callable[..., Any], list[Any], Any]:
    """A compiled function of the floating arguments and the cotangents, and what to call it with.

    Args:
        kernel: one of `IN_JAX`.
        arguments: of the kernel; its integers are compiled in.
        ones: whether the cotangents to call it with are ones; otherwise they are left None.
    """
    function = IN_JAX[kernel.name]
    parameters = kernel.function.__code__.co_varnames[: len(arguments)]
    at = [parameters.index(name) for name in kernel.wrt]

    def outputs(*floats: Any) -> Any:
        given = list(arguments)
        for place, value in zip(at, floats, strict=True):
            given[place] = value
        return function(*given)

    def pulled_back(floats: Any, cotangents: Any) -> Any:
        return jax.vjp(outputs, *floats)[1](cotangents)

    floats = [jax.numpy.asarray(arguments[place]) for place in at]
    shapes = jax.eval_shape(outputs, *floats)
    cotangents = jax.tree.map(lambda out: jax.numpy.ones(out.shape, out.dtype), shapes) if ones else None
    return jax.jit(pulled_back), floats, cotangents


def cotangents_of(cotangents: tuple[Any, ...]) -> Any:
    """Cotangents as JAX wants them: conjugated where complex, in arrays."""
    return jax.tree.map(lambda g: jax.numpy.conj(jax.numpy.asarray(np.asarray(g))), tuple(cotangents))
