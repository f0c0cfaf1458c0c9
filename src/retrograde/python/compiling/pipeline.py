"""How Numba compiles generated text: by the passes that such text needs."""

# Numba has no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import InlineOverloads, NopythonTypeInference, PreLowerStripPhis
from numba.core.untyped_passes import (
    FixupArgs,
    GenericRewrites,
    IRProcessing,
    ReconstructSSA,
    RewriteDynamicRaises,
    TranslateByteCode,
)


class TextCompiler(CompilerBase):
    """Numba's compiler without the passes that find nothing in generated text.

    Closures, `with`, comprehensions, branches that constants decide, and sums of whole arrays do not occur in it. Each
    pass that looks for them analyses the whole function again; together they take a seventh of the time.
    """

    def define_pipelines(self) -> list[Any]:
        """The passes, in order."""
        passes: Any = PassManager("generated text")
        passes.add_pass(TranslateByteCode, "analyzing bytecode")
        passes.add_pass(FixupArgs, "fix up args")
        passes.add_pass(IRProcessing, "processing IR")
        passes.add_pass(GenericRewrites, "nopython rewrites")
        passes.add_pass(RewriteDynamicRaises, "rewrite dynamic raises")
        passes.add_pass(ReconstructSSA, "ssa")
        passes.add_pass(NopythonTypeInference, "nopython frontend")
        passes.add_pass(PreLowerStripPhis, "remove phis nodes")
        passes.add_pass(InlineOverloads, "inline overloaded functions")
        passes.passes.extend(DefaultPassBuilder.define_nopython_lowering_pipeline(self.state).passes)
        passes.finalize()
        return [passes]

    def compile_extra(self, func: Any) -> Any:
        """A function compiled."""
        with _without_collector():
            return super().compile_extra(func)


@contextmanager
def _without_collector() -> Generator[None]:
    """Python's collector of cycles pauses: it walks through all of Numba's objects again and again, a sixth of the
    time, and finds little before the function is done."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
