"""A primitive: one operation, how to evaluate it, the type of its result, and its derivatives. All of it data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.dispatch import apply
from retrograde.program.types import ArrayType

Array: TypeAlias = Any
"""Whatever speaks NumPy's protocols: an array, a number, a tracked array, a dual, a symbol of a program."""

RuleFunction: TypeAlias = Callable[..., Array]
TypeRule: TypeAlias = Callable[..., ArrayType | tuple[ArrayType, ...]]


class Rule:
    """A derivative with respect to one operand, and what it reads.

    The first parameter of the function is the cotangent `g` (reverse) or the tangent `d` (forward). The names of the
    others say what it reads: an operand, `out`, the shape of an operand (`x_shape`), a static parameter. The engines
    pass exactly these, so that what is not named need not be kept.

    Of a primitive with several `outputs`, `g` is a tuple with None for an output that no cotangent came for, a forward
    rule returns a tuple, and outputs are read by their names. Of a variadic one, `at` is the position of the operand
    that the rule is for, and `xs_shape` has the shapes of all operands.

    Args:
        function: the rule.
        reads: the names of what it reads, where they are not those of its parameters.
        scatters: of a reverse rule, that it is `scatter(g, index, x_shape)`: engines may add `g` at the index instead.
        overwriting: of a reverse rule, the same for plain arrays, with the share in the memory of `g`, which nobody
            reads afterwards.
        instead: the same derivative from other reads, for programs in which those are at hand.
    """

    __slots__ = ("function", "instead", "overwriting", "reads", "scatters")

    def __init__(
        self,
        function: RuleFunction,
        reads: tuple[str, ...] | None = None,
        *,
        scatters: bool = False,
        overwriting: RuleFunction | None = None,
        instead: RuleFunction | Rule | None = None,
    ) -> None:
        if reads is None:
            code: Any = function.__code__
            reads = tuple(code.co_varnames[1 : code.co_argcount])
        self.function = function
        self.reads = reads
        self.scatters = scatters
        self.overwriting = overwriting
        self.instead = None if instead is None else _as_rule(instead)


class Primitive:
    """One operation that retrograde can evaluate, put into a program, and differentiate.

    Args:
        name: as programs print it.
        evaluate: computes the result from arrays; called with the operands in order and the static parameters by name.
        operands: their names, in order. A shape or an index is an operand (it may hold sizes that only the run knows).
        result: the type of the result from the types of the operands and the static parameters.
        static: names of parameters that are Python constants.
        reverse: for each differentiable operand its share of the cotangent. The engine un-broadcasts, casts and adds
            up.
        forward: for each differentiable operand its share of the tangent. Left out for what is in `linear`.
        linear: operands in which the primitive is linear while the others are held: the tangent takes the operand's
            place.
        views: says for operands whether NumPy's result may share memory with the first of them; None if it never does.
        outputs: names of the results, if it has several: `evaluate` and `result` then return tuples.
        variadic: there is one name in `operands`, for any number of them. Its reverse rule serves each; it has to be
            linear in all of them together.
        elementwise: an element of a result depends on the elements of the operands at the same place only, after
            broadcasting. What batches directions and finds sparsity makes use of it. A ufunc need not say it.
        overwrite: computes the result as `evaluate` does, into the memory of the first operand, a NumPy array that
            nobody reads afterwards.
        registered: keep it in `PRIMITIVES`, where names are unique. Those of users are not.

    Attributes:
        overwriting: the same primitive, evaluated so; None without `overwrite`.

    Calling a primitive applies it, to whatever speaks NumPy's protocols.
    """

    __slots__ = (
        "elementwise",
        "evaluate",
        "forward",
        "linear",
        "name",
        "operands",
        "outputs",
        "overwriting",
        "recipes",
        "result",
        "reverse",
        "static",
        "variadic",
        "views",
    )

    def __init__(
        self,
        name: str,
        evaluate: Callable[..., Array],
        operands: tuple[str, ...],
        *,
        result: TypeRule,
        static: tuple[str, ...] = (),
        reverse: Mapping[str, RuleFunction | Rule] = MappingProxyType({}),
        forward: Mapping[str, RuleFunction | Rule] = MappingProxyType({}),
        linear: tuple[str, ...] = (),
        views: Callable[..., bool] | None = None,
        outputs: tuple[str, ...] = (),
        variadic: bool = False,
        elementwise: bool = False,
        overwrite: Callable[..., Array] | None = None,
        registered: bool = True,
    ) -> None:
        self.name = name
        self.evaluate = evaluate
        self.operands = operands
        self.result = result
        self.static = static
        self.outputs = outputs
        self.variadic = variadic
        self.reverse = {operand: _as_rule(rule) for operand, rule in reverse.items()}
        self.forward = {operand: _as_rule(rule) for operand, rule in forward.items()}
        self.forward.update({operand: self._linear_rule(operand) for operand in linear})
        self.linear = linear
        self.views = views
        self.elementwise = elementwise or (isinstance(evaluate, np.ufunc) and evaluate.signature is None)
        self.recipes: dict[Any, Any] = {}
        self.overwriting: Primitive | None = None
        if overwrite is not None:
            self.overwriting = copy(self)
            self.overwriting.evaluate = overwrite
        _check(self)
        if registered:
            _register(self)

    def __call__(self, *operands: Array, **static: Any) -> Array:
        """Apply the primitive."""
        return apply(self, operands, static)

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join((*self.operands, *self.static))})>"

    def names(self, count: int) -> tuple[str, ...]:
        """The name of each of that many operands."""
        return self.operands * count if self.variadic else self.operands

    def _linear_rule(self, operand: str) -> Rule:
        position = self.operands.index(operand)
        others = tuple(name for name in self.operands if name != operand)
        count = len(others)

        def pushed(d: Array, *reads: Any) -> Array:
            if self.variadic:
                return apply(self, d, dict(zip(self.static, reads, strict=True)))
            operands = (*reads[:position], d, *reads[position:count])
            return apply(self, operands, dict(zip(self.static, reads[count:], strict=True)))

        return Rule(pushed, (*others, *self.static))


class _Declared(dict[str, Primitive]):
    """Primitives by name; the error says what makes one known."""

    def __missing__(self, name: str) -> Primitive:
        raise UsageError(f"no primitive {name!r} is declared; import retrograde.rules, which declares those of NumPy")


PRIMITIVES: dict[str, Primitive] = _Declared()
"""Every primitive by name. `retrograde.rules` fills it."""


def _as_rule(rule: RuleFunction | Rule) -> Rule:
    return rule if isinstance(rule, Rule) else Rule(rule)


def _register(primitive: Primitive) -> None:
    if primitive.name in PRIMITIVES:
        raise UsageError(f"a primitive named {primitive.name!r} is already declared; give this one another name")
    PRIMITIVES[primitive.name] = primitive


def _check(primitive: Primitive) -> None:
    if set(primitive.reverse) != set(primitive.forward):
        raise UsageError(
            f"primitive {primitive.name!r} has reverse rules for {sorted(primitive.reverse)} and forward rules for "
            f"{sorted(primitive.forward)}; declare both for each differentiable operand (`linear` makes the forward "
            "one)"
        )
    if primitive.variadic and (len(primitive.operands) != 1 or set(primitive.linear) != set(primitive.reverse)):
        raise UsageError(
            f"variadic primitive {primitive.name!r} has the operands {list(primitive.operands)} and is linear in "
            f"{list(primitive.linear)}; it takes one name for all operands, and is linear in them if it has a rule"
        )
    shapes = {f"{operand}_shape" for operand in primitive.operands}
    results = primitive.outputs or ("out",)
    readable = {*results, *primitive.operands, *primitive.static, *shapes, *(("at",) if primitive.variadic else ())}
    for rules in (primitive.reverse, primitive.forward):
        for operand, rule in rules.items():
            if operand not in primitive.operands or not readable.issuperset(rule.reads):
                raise UsageError(
                    f"a rule of primitive {primitive.name!r} for {operand!r} reads {list(rule.reads)}; "
                    f"it can read {sorted(readable)} and be for {list(primitive.operands)}"
                )
