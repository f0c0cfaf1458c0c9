"""How Numba compiles generated text: by the passes that such text needs."""

# Numba has no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import (
    AnnotateTypes,
    InlineOverloads,
    IRLegalization,
    NoPythonBackend,
    NoPythonSupportedFeatureValidation,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import (
    FixupArgs,
    GenericRewrites,
    IRProcessing,
    ReconstructSSA,
    RewriteDynamicRaises,
    TranslateByteCode,
)

from retrograde.python.compiling.elements import ElementLowering, InnerLowering


class TextCompiler(CompilerBase):
    """Numba's compiler without the passes that find nothing in generated text.

    Closures, `with`, comprehensions, branches that constants decide, and sums of whole arrays do not occur in it. Each
    pass that looks for them analyses the whole function again; together they take a seventh of the time.
    """

    lowering: type[ElementLowering] = ElementLowering

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
        passes.add_pass(NoPythonSupportedFeatureValidation, "ensure features that are in use are in a valid form")
        passes.add_pass(IRLegalization, "ensure IR is legal prior to lowering")
        passes.add_pass(AnnotateTypes, "annotate types")
        passes.add_pass(self.lowering, "native lowering")
        passes.add_pass(NoPythonBackend, "nopython mode backend")
        passes.finalize()
        return [passes]

    def compile_extra(self, func: Any) -> Any:
        """A function compiled."""
        with _without_collector():
            return super().compile_extra(func)


class InnerCompiler(TextCompiler):
    """The same for functions that only compiled functions call."""

    lowering = InnerLowering


class InnerDispatcher(CPUDispatcher):
    """A function that only compiled functions call: it has nothing to enter it by from Python."""

    def __init__(self, function: Any, options: Mapping[str, Any]) -> None:
        super().__init__(function, targetoptions={"nopython": True, **options}, pipeline_class=InnerCompiler)

    def add_overload(self, cres: Any) -> None:
        """Keep what was compiled for a signature."""
        self.overloads[tuple(cres.signature.args)] = cres


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
