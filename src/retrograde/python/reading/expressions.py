"""Expressions: what Python would make of them, with arrays and numbers that only the run knows among the values."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import is_tuple
from retrograde.python.reading import names
from retrograde.python.reading.calling import call_value
from retrograde.python.reading.comparing import compared
from retrograde.python.reading.frames import Closure, Maybe
from retrograde.python.reading.iteration import Span, elements_known
from retrograde.python.reading.own_functions import in_words
from retrograde.python.reading.refusals import REFUSED, refuse
from retrograde.python.reading.regions import branch_value
from retrograde.python.reading.series import series, summed
from retrograde.python.reading.truth import is_dynamic, negated, truth
from retrograde.python.reading.values import Array, Number, Value, attribute, call

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}

AUGMENTED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.iadd,
    ast.Sub: operator.isub,
    ast.Mult: operator.imul,
    ast.Div: operator.itruediv,
    ast.FloorDiv: operator.ifloordiv,
    ast.Mod: operator.imod,
    ast.Pow: operator.ipow,
    ast.MatMult: operator.imatmul,
    ast.BitAnd: operator.iand,
    ast.BitOr: operator.ior,
    ast.BitXor: operator.ixor,
    ast.LShift: operator.ilshift,
    ast.RShift: operator.irshift,
}

_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}


def evaluate(reader: Reader, node: ast.expr) -> Any:
    """The value of an expression.

    Raises:
        UnsupportedError: it is of a kind that is not read.
    """
    known = _KINDS.get(type(node))
    if known is None:
        source = reader.frame.source
        what, remedy = REFUSED.get(type(node), (type(node).__name__, "write it in another way"))
        refuse(source.place(node), source.text(node), what, remedy)
    return known(reader, node)


def _constant(reader: Reader, node: ast.Constant) -> Any:
    return node.value


def _name(reader: Reader, node: ast.Name) -> Any:
    return names.load(reader, node)


def _attribute(reader: Reader, node: ast.Attribute) -> Any:
    owner = reader.evaluate(node.value)
    if is_dynamic(owner):
        return attribute(reader.heap, owner, node.attr)
    return names.present(f"the attribute {node.attr!r}", reader.inputs.attribute(owner, node.attr))


def _subscript(reader: Reader, node: ast.Subscript) -> Any:
    owner, index = reader.evaluate(node.value), reader.evaluate(node.slice)
    if owner is np.r_ or owner is np.c_:
        return call(reader.heap, owner, index if is_tuple(index) else (index,))
    if isinstance(owner, (Array, np.ndarray)):
        index = tuple(map(_counted, index)) if is_tuple(index) else _counted(index)
    return names.present(f"item {index!r}", item(owner, index))


def _counted(index: Any) -> Any:
    """An index: for a range with a bound that only the run knows the array of its numbers."""
    if not isinstance(index, Span):
        return index
    return call(index.count().heap, np.arange, (index.start, index.stop, index.step))


def item(owner: Any, index: Any) -> Any:
    """An item of anything.

    Raises:
        NeedsStatic: the index of a list or dict is a number that only the run knows.
        UsageError: it is a number, which has no items.
    """
    if isinstance(owner, Number):
        if index is Ellipsis or (isinstance(index, tuple) and not index):
            return owner
        raise UsageError("a number was indexed, which has no elements; pass an array, or leave the index out")
    if isinstance(owner, dict) and isinstance(index, Number):
        index = index.known("the key of a dict")
    return owner[index]


def _slice(reader: Reader, node: ast.Slice) -> slice:
    parts = (node.lower, node.upper, node.step)
    return slice(*(None if part is None else reader.evaluate(part) for part in parts))


def _several(reader: Reader, nodes: list[ast.expr]) -> list[Any]:
    values: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            values += elements_known(reader, reader.evaluate(node.value))
        else:
            values.append(reader.evaluate(node))
    return values


def _tuple(reader: Reader, node: ast.Tuple) -> tuple[Any, ...]:
    return tuple(_several(reader, node.elts))


def _list(reader: Reader, node: ast.List) -> list[Any]:
    return _several(reader, node.elts)


def _set(reader: Reader, node: ast.Set) -> set[Any]:
    return set(_several(reader, node.elts))


def _dict(reader: Reader, node: ast.Dict) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            made.update(reader.evaluate(value))
        else:
            made[reader.evaluate(key)] = reader.evaluate(value)
    return made


def _binary(reader: Reader, node: ast.BinOp) -> Any:
    left, right = reader.evaluate(node.left), reader.evaluate(node.right)
    return BINARY[type(node.op)](left, right)


def _unary(reader: Reader, node: ast.UnaryOp) -> Any:
    value = reader.evaluate(node.operand)
    return negated(reader, value) if isinstance(node.op, ast.Not) else _UNARY[type(node.op)](value)


def _bool(reader: Reader, node: ast.BoolOp) -> Any:
    return _chain(reader, node.values, conjunction=isinstance(node.op, ast.And))


def _chain(reader: Reader, nodes: list[ast.expr], *, conjunction: bool) -> Any:
    """`a and b and …`, or `a or b or …`: a value is asked for only if those before it do not decide."""
    first, rest = nodes[0], nodes[1:]
    value = reader.evaluate(first)
    if not rest:
        return value
    if not is_dynamic(value):
        return _chain(reader, rest, conjunction=conjunction) if bool(value) is conjunction else value
    return _either(reader, value, lambda: _chain(reader, rest, conjunction=conjunction), conjunction, rest)


def _either(reader: Reader, value: Any, others: Callable[[], Any], conjunction: bool, nodes: list[ast.expr]) -> Any:
    if all(_cannot_fail(reader, node) for node in nodes) and _is_flag(value):
        other = others()
        if _is_flag(other):
            return value & other if conjunction else value | other
        if isinstance(other, bool):
            return value if other is conjunction else other
        return branch_value(reader, truth(reader, value), *_sides(lambda: other, lambda: value, conjunction))
    return branch_value(reader, truth(reader, value), *_sides(others, lambda: value, conjunction))


def _sides(
    others: Callable[[], Any], value: Callable[[], Any], conjunction: bool
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return (others, value) if conjunction else (value, others)


def _is_flag(value: Any) -> bool:
    return isinstance(value, Number) and value.dtype.kind == "b"


def _cannot_fail(reader: Reader, node: ast.expr) -> bool:
    """Whether evaluating an expression early has no effect: it reads no element, divides by nothing, calls nothing."""
    refused = (ast.Subscript, ast.Call, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.NamedExpr, ast.LShift, ast.RShift)
    names = reader.frame.names
    return not any(
        isinstance(part, refused) or (isinstance(part, ast.Name) and isinstance(names.get(part.id), Maybe))
        for part in ast.walk(node)
    )


def _compare(reader: Reader, node: ast.Compare) -> Any:
    return _comparisons(reader, reader.evaluate(node.left), list(zip(node.ops, node.comparators, strict=True)))


def _comparisons(reader: Reader, left: Any, steps: list[tuple[ast.cmpop, ast.expr]]) -> Any:
    (sign, node), rest = steps[0], steps[1:]
    right = reader.evaluate(node)
    value = compared(reader, sign, left, right)
    if not rest:
        return value
    if not is_dynamic(value):
        return _comparisons(reader, right, rest) if value else value
    return _either(reader, value, lambda: _comparisons(reader, right, rest), True, [node for _, node in rest])


def _conditional(reader: Reader, node: ast.IfExp) -> Any:
    condition = reader.evaluate(node.test)
    if not is_dynamic(condition):
        return reader.evaluate(node.body if condition else node.orelse)
    return branch_value(
        reader,
        truth(reader, condition),
        lambda: reader.evaluate(node.body),
        lambda: reader.evaluate(node.orelse),
    )


def _lambda(reader: Reader, node: ast.Lambda) -> Closure:
    return names.closure(reader, node)


def _named(reader: Reader, node: ast.NamedExpr) -> Any:
    value = reader.evaluate(node.value)
    names.store(reader, node.target.id, value)
    return value


def _comprehension(reader: Reader, node: Any) -> Any:
    """A comprehension is executed, over what has a length that is known; or it becomes a loop."""
    found = series(reader, node) if isinstance(node, (ast.ListComp, ast.GeneratorExp)) else None
    if found is not None:
        return found
    made: list[Any] = []

    def element() -> None:
        if isinstance(node, ast.DictComp):
            made.append((reader.evaluate(node.key), reader.evaluate(node.value)))
        else:
            made.append(reader.evaluate(node.elt))

    with names.inner_scope(reader, node.generators):
        _loops(reader, node.generators, element)
    if isinstance(node, ast.DictComp):
        return dict(made)
    return set(made) if isinstance(node, ast.SetComp) else made


def _loops(reader: Reader, generators: list[ast.comprehension], action: Callable[[], None]) -> None:
    if not generators:
        action()
        return
    first, rest = generators[0], generators[1:]
    for value in elements_known(reader, reader.evaluate(first.iter)):
        names.assign(reader, first.target, value)
        conditions = (reader.evaluate(condition) for condition in first.ifs)
        if all(bool(condition) for condition in conditions):
            _loops(reader, rest, action)


def _joined(reader: Reader, node: ast.JoinedStr) -> str:
    return "".join(map(str, (reader.evaluate(part) for part in node.values)))


def _formatted(reader: Reader, node: ast.FormattedValue) -> str:
    value = reader.evaluate(node.value)
    if isinstance(value, Value) and reader.quotes:
        return f"{{{reader.frame.source.text(node.value)}}}"
    value = in_words(value)
    form = "" if node.format_spec is None else reader.evaluate(node.format_spec)
    converted = {-1: lambda part: part, 97: ascii, 114: repr, 115: str}[node.conversion](value)  # pyright: ignore
    return format(converted, form)


def _call(reader: Reader, node: ast.Call) -> Any:
    function = reader.evaluate(node.func)
    if function is sum and node.args and isinstance(node.args[0], (ast.GeneratorExp, ast.ListComp)):
        start = reader.evaluate(node.args[1]) if len(node.args) > 1 else 0
        total = reader.located(node, lambda: summed(reader, node.args[0], start))  # pyright: ignore
        if total is not None:
            return total
    arguments = _several(reader, node.args)
    keywords: dict[str, Any] = {}
    for keyword in node.keywords:
        value = reader.evaluate(keyword.value)
        keywords.update(value if keyword.arg is None else {keyword.arg: value})
    return reader.located(node, lambda: call_value(reader, function, arguments, keywords))


_KINDS: dict[type[ast.expr], Callable[[Reader, Any], Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _bool,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.Call: _call,
}
