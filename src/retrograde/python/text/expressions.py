"""Expressions as Python, with as few parentheses as it takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain, count
from typing import Any

import numpy as np

from retrograde.program.kinds import as_tuple, is_list, is_ndarray, is_slice, is_tuple
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.python.lowering.model import Apply, Entry, Expression, Name
from retrograde.python.text.bounds import Bounds
from retrograde.python.text.constants import array_text, dtype_text, number_text
from retrograde.python.text.signs import negated
from retrograde.python.text.specials import ATOM, LOWEST, SPECIAL, UNARY, Text, kind_of, rank_of
from retrograde.python.text.spellings import DEFAULTS, INFIX, REDUCTIONS, SEARCHES, TEMPLATES, numpy_name

_OPPOSITES = {"add": "-", "subtract": "+"}


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

    def text(self, expression: Expression, binding: int = LOWEST) -> str:
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
            return self.name(expression), ATOM
        if isinstance(expression, Apply):
            return self._apply(expression)
        if isinstance(expression, Entry):
            return self.item(self.name(expression.stack), expression.index), ATOM
        if is_tuple(expression):
            parts = ", ".join(map(self.text, expression))
            return f"({parts}{',' if len(expression) == 1 else ''})", ATOM
        if is_slice(expression):
            parts = (expression.start, expression.stop, expression.step)
            return f"slice({', '.join(map(self.text, parts))})", ATOM
        return self._constant(expression)

    def _constant(self, value: Any) -> Text:
        if is_ndarray(value):
            return self._array(value), ATOM
        if is_list(value):
            return f"[{', '.join(map(self.text, value))}]", ATOM
        text = number_text(value, self._plain_numbers)
        return text, UNARY if text.startswith("-") else ATOM

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
        special = SPECIAL.get(name)
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
            return self._filled(TEMPLATES[name], apply), ATOM
        function = numpy_name(apply.primitive)
        return self._call(function or self._operation(apply.primitive), apply), ATOM

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
        kinds = {kind_of(operand) for operand in apply.operands}
        if not any(map(rank_of, apply.operands)):
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
                return self.text(operands[key.rstrip(".")], ATOM if key.endswith(".") else LOWEST)
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
    rank = rank_of(apply.operands[0])
    if value is None or (rank and value == tuple(range(rank))):
        return ""
    axes = as_tuple(value)
    return f", axis={axes[0] if len(axes) == 1 else axes}"
