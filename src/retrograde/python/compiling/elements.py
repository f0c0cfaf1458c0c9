"""Numba's last step, from typed statements to LLVM: elements of arrays, and functions that only others call."""

# Numba has no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false, reportUntypedBaseClass=false

from __future__ import annotations

from typing import Any, Literal

from llvmlite import ir
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import BaseNativeLowering

_WORD: Any = ir.IntType(64)


class ElementLower(Lower):
    """Numba's lowering, in which an element of a C-contiguous array at unsigned indices is reached directly.

    Numba takes the whole array apart for each element, finds its way from operator to implementation anew, and leaves
    the rest to LLVM: most of the instructions that LLVM is given. What is computed is the same.
    """

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Any) -> Any:
        """`value[index]`."""
        kind: Any = self.typeof(value.name)
        place = self._place(kind, value.name, index.name)
        if place is None or signature.return_type != kind.dtype:
            return super().lower_getitem(resty, expr, value, index, signature)
        element = self.context.unpack_value(self.builder, kind.dtype, place)
        return self.context.cast(self.builder, element, signature.return_type, resty)

    def lower_setitem(self, target_var: Any, index_var: Any, value_var: Any, signature: Any) -> Any:
        """`target[index] = value`."""
        kind: Any = self.typeof(target_var.name)
        given: Any = self.typeof(value_var.name)
        place = self._place(kind, target_var.name, index_var.name) if isinstance(given, _SCALAR) else None
        if place is None:
            return super().lower_setitem(target_var, index_var, value_var, signature)
        value = self.context.cast(self.builder, self.loadvar(value_var.name), given, kind.dtype)
        self.context.pack_value(self.builder, kind.dtype, value, place)
        return None

    def _place(self, kind: Any, array: str, index: str) -> Any:
        """The address of an element; None where it is another kind of access."""
        if not _is_plain(kind) or self.context.enable_boundscheck:
            return None
        words = self._words(self.typeof(index), index)
        if words is None or len(words) != kind.ndim:
            return None
        data, extents = self._parts(kind, array)
        place: Any = None
        for at, word in enumerate(words):
            for extent in extents[at + 1 :]:
                word = self.builder.mul(word, extent)
            place = word if place is None else self.builder.add(place, word)
        return self.builder.gep(data, [place])

    def _words(self, kind: Any, name: str) -> list[Any] | None:
        """The indices as words, where all of them are unsigned or known not to be negative."""
        value = self.loadvar(name)
        if not isinstance(kind, types.BaseTuple):
            word = self._word(kind, value)
            return None if word is None else [word]
        parts: Any = kind
        words = [self._word(part, self.builder.extract_value(value, at)) for at, part in enumerate(parts)]
        return None if any(word is None for word in words) else words

    def _word(self, kind: Any, value: Any) -> Any:
        if isinstance(kind, types.IntegerLiteral):
            return _WORD(kind.literal_value) if kind.literal_value >= 0 else None
        return value if kind == types.uint64 else None

    def _parts(self, kind: Any, array: str) -> tuple[Any, list[Any]]:
        """Where an array's elements begin, and its extents but the first, which no address depends on."""
        model: Any = self.context.data_model_manager[kind]
        value = self.loadvar(array)
        data = self.builder.extract_value(value, model.get_field_position("data"))
        shape = model.get_field_position("shape")
        return data, [None, *(self.builder.extract_value(value, (shape, axis)) for axis in range(1, kind.ndim))]


_SCALAR = (types.Number, types.Boolean)


def _is_plain(kind: Any) -> bool:
    return type(kind) is types.Array and kind.layout == "C" and kind.aligned and isinstance(kind.dtype, _SCALAR)


@register_pass(mutates_CFG=True, analysis_only=False)
class ElementLowering(BaseNativeLowering):
    """The pass that lowers so."""

    _name = "element_lowering"

    @property
    def lowering_class(self) -> Any:
        """What lowers a function."""
        return ElementLower


class InnerLibrary(JITCodeLibrary):
    """The code of a function that only compiled functions call.

    They take it in as LLVM has it, and optimize it and make machine code of it with their own; doing both for the
    function by itself as well would be half of the time that a text of several functions takes.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class InnerLowering(ElementLowering):
    """The same for functions that only compiled functions call."""

    _name = "inner_lowering"

    def run_pass(self, state: Any) -> Literal[True]:
        """Lower a function, and make it known to those that call it."""
        state.library = InnerLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        state.flags.no_cpython_wrapper = True
        state.flags.no_cfunc_wrapper = True
        super().run_pass(state)
        entry = object()
        state.targetctx.insert_user_function(entry, state["cr"].fndesc, [state.library])
        state["cr"] = state["cr"]._replace(cfunc=entry)
        return True
