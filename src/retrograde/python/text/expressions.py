"""Expressions as Python, with as few parentheses as it takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain, count
from typing import Any

import numpy as np

from retrograde.program.kinds import as_tuple, is_list, is_ndarray, is_slice, is_tuple
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Apply, Entry, Expression, Name
from retrograde.python.text.bounds import Bounds
from retrograde.python.text.constants import array_text, dtype_text, number_text
from retrograde.python.text.signs import negated
from retrograde.python.text.spellings import DEFAULTS, INFIX, REDUCTIONS, SEARCHES, TEMPLATES, numpy_name
from retrograde.rules.contraction.pairwise import layout_of

_LOWEST, _UNARY, _POWER, _ATOM = 0, 11, 12, 14

_OPPOSITES = {"add": "-", "subtract": "+"}

Text = tuple[str, int]
"""An expression's text, and how strongly its outermost operator binds."""


class ExpressionPrinter:
    """Prints expressions, and notes what the text has to import and to define for them.

    Args:
        spell: what a name is called.
        plain_numbers: whether NumPy's numbers of the default precisions may be written as Python's.
        taken: names that operations must not have.
        bounds: of the integers that are named.

    Attributes:
        imported: operations to import from `retrograde.python.operations`, and what the text calls them.
        classes: names of classes to import, and their modules.
        given: what has no text, such as operations of the user's own: whoever runs the text hands it over.
        constants: large constants: the text of each by the name it is given.
    """

    def __init__(
        self,
        spell: Callable[[Name], str] | None = None,
        plain_numbers: bool = True,
        taken: Iterable[str] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self._taken = frozenset(taken)
        self._spell: Callable[[Name], str] = spell or _own_text
        self._plain_numbers = plain_numbers
        self.imported: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self.given: dict[str, Any] = {}
        self.constants: dict[str, str] = {}
        self._known: dict[int, tuple[Any, str]] = {}

    def text(self, expression: Expression, binding: int = _LOWEST) -> str:
        """An expression's text, in parentheses if it binds less strongly than what is around it."""
        text, own = self._text(expression)
        return f"({text})" if own < binding else text

    def name(self, name: Name) -> str:
        """A name's text."""
        return self._spell(name)

    def item(self, array: str, index: Expression) -> str:
        """An array, or a stack, at an index."""
        return f"{array}[{self.index(index)}]"

    def index(self, index: Expression) -> str:
        """What stands in the brackets."""
        if is_tuple(index) and index:
            return ", ".join(map(self._index_part, index))
        return self._index_part(index)

    def _index_part(self, part: Expression) -> str:
        if is_slice(part):
            ends = [part.start, part.stop] + ([] if part.step is None else [part.step])
            return ":".join("" if end is None else self.text(end) for end in ends)
        return "..." if part is Ellipsis else self.text(part)

    def _text(self, expression: Expression) -> Text:
        if isinstance(expression, Name):
            return self.name(expression), _ATOM
        if isinstance(expression, Apply):
            return self._apply(expression)
        if isinstance(expression, Entry):
            return self.item(self.name(expression.stack), expression.index), _ATOM
        if is_tuple(expression):
            parts = ", ".join(map(self.text, expression))
            return f"({parts}{',' if len(expression) == 1 else ''})", _ATOM
        if is_slice(expression):
            parts = (expression.start, expression.stop, expression.step)
            return f"slice({', '.join(map(self.text, parts))})", _ATOM
        return self._constant(expression)

    def _constant(self, value: Any) -> Text:
        if is_ndarray(value):
            return self._array(value), _ATOM
        if is_list(value):
            return f"[{', '.join(map(self.text, value))}]", _ATOM
        text = number_text(value, self._plain_numbers)
        return text, _UNARY if text.startswith("-") else _ATOM

    def _array(self, value: np.ndarray[Any, Any]) -> str:
        text, is_short = array_text(value)
        if is_short:
            return text
        if id(value) not in self._known:
            name = f"CONSTANT_{len(self._known) + 1}"
            self._known[id(value)] = (value, name)
            self.constants[name] = text
        return self._known[id(value)][1]

    def _apply(self, apply: Apply) -> Text:
        name = apply.primitive.name
        special = _SPECIAL.get(name)
        if special is not None:
            found = special(self, apply)
            if found is not None:
                return found
        if name in INFIX and self._may_be_infix(apply):
            sign, strength = INFIX[name]
            left, right = apply.operands
            opposite = negated(right) if name in _OPPOSITES else None
            if opposite is not None:
                sign, right = _OPPOSITES[name], opposite
            return f"{self.text(left, strength + (strength == 4))} {sign} {self.text(right, strength + 1)}", strength
        if name in TEMPLATES:
            return self._filled(TEMPLATES[name], apply), _ATOM
        function = numpy_name(apply.primitive)
        return self._call(function or self._operation(apply.primitive), apply), _ATOM

    def _operation(self, primitive: Primitive) -> str:
        """The name of an operation that NumPy does not have."""
        if primitive.name in PRIMITIVES and PRIMITIVES[primitive.name] is primitive:
            name = f"{primitive.name}_of" if primitive.name in self._taken else primitive.name
            self.imported[primitive.name] = name
            return name
        return self._hand_over(primitive.name, primitive)

    def _hand_over(self, called: str, value: Any) -> str:
        """A name for what only the caller has."""
        base = "".join(part if part.isalnum() else "_" for part in called).strip("_") or "operation"
        numbers = chain((f"own_{base}",), (f"own_{base}{number}" for number in count(2)))
        name = next(name for name in numbers if self.given.get(name, value) is value)
        self.given[name] = value
        return name

    def static(self, value: Any) -> str:
        """A Python constant: a number, a text, a dtype, a container or a record of them."""
        if isinstance(value, np.dtype):
            return dtype_text(value)
        if isinstance(value, np.generic):
            return number_text(value, False)
        if is_tuple(value) and type(value) is not tuple:  # pyright: ignore[reportUnknownArgumentType]
            kind = type(value)  # pyright: ignore[reportUnknownVariableType]
            self.classes[kind.__name__] = kind.__module__
            fields: Any = value
            return f"{kind.__name__}({', '.join(map(self.static, fields))})"
        if is_tuple(value) or is_list(value):
            parts = ", ".join(map(self.static, value))
            return f"[{parts}]" if is_list(value) else f"({parts}{',' if len(value) == 1 else ''})"
        if value is None or isinstance(value, (int, float, complex, str)):
            return number_text(value, False)
        return self._hand_over(type(value).__name__, value)

    def _call(self, function: str, apply: Apply) -> str:
        arguments = [*map(self.text, apply.operands)]
        arguments += [f"{key}={self.static(value)}" for key, value in apply.static.items()]
        return f"{function}({', '.join(arguments)})"

    def _may_be_infix(self, apply: Apply) -> bool:
        """Whether Python's numbers do as NumPy's: truth values and signs of remainders do not."""
        kinds = {_kind_of(operand) for operand in apply.operands}
        if not any(map(_rank_of, apply.operands)):
            if apply.primitive.name in ("floor_divide", "remainder") and kinds != {"i"}:
                return False
            if apply.primitive.name in ("add", "subtract", "multiply") and kinds == {"b"}:
                return False
            if not any(isinstance(operand, (Name, Apply, Entry)) for operand in apply.operands):
                return False
        return True

    def _filled(self, template: str, apply: Apply) -> str:
        operands = dict(zip(apply.primitive.operands, apply.operands, strict=False))

        def fill(match: re.Match[str]) -> str:
            key = match[1]
            if key == "*":
                return ", ".join(map(self.text, apply.operands))
            if key == "shape1":
                return self._shape(operands["shape"])
            if key.rstrip(".!") in operands:
                return self.text(operands[key.rstrip(".")], _ATOM if key.endswith(".") else _LOWEST)
            return self._argument(key, apply)

        return re.sub(r"\{([a-z0-9*]+[.!]?)\}", fill, template)

    def _shape(self, shape: Expression) -> str:
        return self.text(shape[0]) if is_tuple(shape) and len(shape) == 1 else self.text(shape)

    def _argument(self, key: str, apply: Apply) -> str:
        """A static parameter: `axis!` its value alone, `axis` the argument, or nothing where it is NumPy's default."""
        value = apply.static[key.rstrip("!")]
        if key.endswith("!"):
            return self.static(value)
        if key == "axis" and apply.primitive.name in REDUCTIONS | SEARCHES:
            return _axes(value, apply)
        if key == "axes":
            rank = len(value)
            return "" if value == tuple(reversed(range(rank))) else f", {value}"
        return "" if value == DEFAULTS[key] else f", {key}={self.static(value)}"


def _own_text(name: Name) -> str:
    return name.text


def _axes(value: Any, apply: Apply) -> str:
    rank = _rank_of(apply.operands[0])
    if value is None or (rank and value == tuple(range(rank))):
        return ""
    axes = as_tuple(value)
    return f", axis={axes[0] if len(axes) == 1 else axes}"


def _zero_like(kind: ArrayType) -> Any:
    return False if kind.dtype.kind == "b" else 0 if kind.dtype.kind in "iu" else 0.0


def _rank_of(operand: Expression) -> int:
    kind = getattr(operand, "type", None)
    if isinstance(kind, ArrayType):
        return kind.rank
    return operand.ndim if is_ndarray(operand) else 0


def _kind_of(operand: Expression) -> str:
    kind = getattr(operand, "type", None)
    return kind.dtype.kind if isinstance(kind, ArrayType) else np.asarray(operand).dtype.kind


def _getitem(printer: ExpressionPrinter, apply: Apply) -> Text:
    array, index = apply.operands
    return printer.item(printer.text(array, _ATOM), index), _ATOM


def _size(printer: ExpressionPrinter, apply: Apply) -> Text:
    axis, offset = apply.static["axis"], apply.static["offset"]
    size = f"{printer.text(apply.operands[0], _ATOM)}.shape[{axis}]"
    if offset >= 0:
        return (f"{size} + {offset}", 9) if offset else (size, _ATOM)
    if printer.bounds.of_extent(apply.operands[0], axis) + offset >= 0:
        return f"{size} - {-offset}", 9
    return f"max({size} - {-offset}, 0)", _ATOM


def _negative(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return f"-{printer.text(apply.operands[0], _UNARY)}", _UNARY


def _square(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return (f"{printer.text(apply.operands[0], _POWER + 1)} ** 2", _POWER) if _rank_of(apply.operands[0]) else None


_SHORTCUTS = (-1, 0, 0.5, 1, 2)
"""Exponents for which NumPy's operator does something else than `numpy.power`."""


def _power(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    base, exponent = apply.operands
    known = isinstance(exponent, (int, float)) and exponent not in _SHORTCUTS
    if not known or not _rank_of(base):
        return None
    return f"{printer.text(base, _POWER + 1)} ** {printer.text(exponent, _UNARY)}", _POWER


def _positive(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return (f"{printer.text(apply.operands[0], _ATOM)}.copy()", _ATOM) if _rank_of(apply.operands[0]) else None


def _invert(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return (f"~{printer.text(apply.operands[0], _UNARY)}", _UNARY) if _rank_of(apply.operands[0]) else None


def _transpose(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    axes = apply.static["axes"]
    return (f"{printer.text(apply.operands[0], _ATOM)}.T", _ATOM) if axes == (1, 0) else None


def _full(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """Ones have a name of their own."""
    value, shape = apply.operands
    if not isinstance(value, np.generic) or value != 1:
        return None
    extents = shape[0] if is_tuple(shape) and len(shape) == 1 else shape
    dtype = apply.static["dtype"]
    return f"np.ones({printer.text(extents)}{'' if dtype == 'float64' else ', ' + dtype_text(dtype)})", _ATOM


def _copy(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return None if _rank_of(apply.operands[0]) else (f"np.array({printer.text(apply.operands[0])})", _ATOM)


def _astype(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A number is converted by calling the type: Python's numbers know no `astype`."""
    operand, dtype = apply.operands[0], np.dtype(apply.static["dtype"])
    if _rank_of(operand) or (_kind_of(operand) == "c" and dtype.kind != "c"):
        return None
    return f"{dtype_text(dtype)}({printer.text(operand)})", _ATOM


def _eye(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    rows, columns = map(printer.text, apply.operands[0])
    sizes = rows if rows == columns else f"{rows}, {columns}"
    offset = f", k={apply.static['k']}" if apply.static["k"] else ""
    dtype = "" if apply.static["dtype"] == "float64" else f", dtype={printer.static(np.dtype(apply.static['dtype']))}"
    return f"np.eye({sizes}{offset}{dtype})", _ATOM


def _where(printer: ExpressionPrinter, apply: Apply) -> Text:
    condition, *values = apply.operands
    return _chosen(printer, apply, condition, values)


def _masked(printer: ExpressionPrinter, apply: Apply) -> Text:
    value, condition = apply.operands
    return _chosen(printer, apply, condition, [value, _zero_like(apply.type)])


def _chosen(printer: ExpressionPrinter, apply: Apply, condition: Expression, values: list[Expression]) -> Text:
    """One of two values; of numbers NumPy's function would make an array without axes."""
    if isinstance(condition, Apply) and condition.primitive.name == "logical_not":
        condition, values = condition.operands[0], values[::-1]
    kinds = {_dtype_of(value) for value in values if isinstance(value, (Name, Apply, Entry))}
    if apply.type.rank or kinds != {apply.type.dtype}:
        return f"np.where({', '.join(map(printer.text, (condition, *values)))})", _ATOM
    return f"{printer.text(values[0], 2)} if {printer.text(condition, 2)} else {printer.text(values[1], 2)}", 1


def _dtype_of(operand: Expression) -> Any:
    return getattr(operand.type, "dtype", None)


def _sum_to(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A sum over leading axes, if those that stay are certainly as they were."""
    x = apply.operands[0]
    if not isinstance(x, (Name, Apply, Entry)) or not isinstance(x.type, ArrayType):
        return None
    leading = x.type.rank - apply.type.rank
    stay = x.type.sizes[leading:]
    if not leading or None in stay or stay != apply.type.sizes:
        return None
    axis = "" if not stay else ", axis=0" if leading == 1 else f", axis={tuple(range(leading))}"
    return f"np.sum({printer.text(x)}{axis})", _ATOM


def _einsum(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A product of matrices, vectors and numbers, as the evaluation of the contraction takes it."""
    layout = layout_of(apply.static["subscripts"])
    one, other = apply.operands[::-1] if layout.swapped else apply.operands
    if not layout.contracted:
        return _outer(printer, apply)
    singles = all(len(part) <= 1 for part in (layout.rows, layout.columns, layout.contracted))
    if layout.batch or not singles or not (layout.rows or layout.columns or layout.x == layout.y):
        return None
    left = _turned(printer, one, layout.first, 10)
    right = _turned(printer, other, layout.second, 11)
    product = f"{left} @ {right}"
    return (product, 10) if layout.last is None else (f"({product}).T", _ATOM)


def _turned(printer: ExpressionPrinter, operand: Expression, order: tuple[int, ...], binding: int) -> str:
    return f"{printer.text(operand, _ATOM)}.T" if order == (1, 0) else printer.text(operand, binding)


def _outer(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A product with the axes of each operand where the result has them; nothing is summed over."""
    operands, out = apply.static["subscripts"].split("->")
    texts: list[str] = []
    for labels, operand, binding in zip(operands.split(","), apply.operands, (10, 11), strict=True):
        if "".join(label for label in out if label in labels) != labels:
            return None
        placed = ["None" if label not in labels else ":" for label in out]
        while placed and placed[0] == "None":
            placed.pop(0)
        spread = f"{printer.text(operand, _ATOM)}[{', '.join(placed)}]"
        texts.append(spread if "None" in placed else printer.text(operand, binding))
    return f"{texts[0]} * {texts[1]}", 10


_SPECIAL: dict[str, Callable[[ExpressionPrinter, Apply], Text | None]] = {
    "getitem": _getitem,
    "size": _size,
    "negative": _negative,
    "square": _square,
    "power": _power,
    "positive": _positive,
    "invert": _invert,
    "transpose": _transpose,
    "copy": _copy,
    "full": _full,
    "astype": _astype,
    "eye": _eye,
    "where": _where,
    "masked": _masked,
    "sum_to": _sum_to,
    "einsum": _einsum,
}
"""Primitives whose spelling depends on more than a template can say."""
