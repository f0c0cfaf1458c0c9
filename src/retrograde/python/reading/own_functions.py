"""Python's own functions that need to know how reading stands: those that go through values, and ask what they are."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import copy
import itertools
import operator
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.python.reading.iteration import (
    combine_enumerate,
    combine_ndenumerate,
    combine_ndindex,
    combine_reversed,
    combine_zip,
    elements_known,
    make_range,
    turns_of,
)
from retrograde.python.reading.kinds import map_arrays
from retrograde.python.reading.patterns import is_mapping, is_sequence
from retrograde.python.reading.records import group_of, is_group, items_of
from retrograde.python.reading.regions import branch_value
from retrograde.python.reading.truth import is_dynamic, truth
from retrograde.python.reading.values import Generator, Number, call
from retrograde.python.reading.vectorizing import Vectorized

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


def _listed(kind: Callable[..., Any]) -> Callable[..., Any]:
    def made(reader: Reader, values: Any = (), **keywords: Any) -> Any:
        if kind is dict and not isinstance(values, (list, tuple)) and turns_of(reader, values) is None:
            return dict(values, **keywords)
        return kind(elements_known(reader, values), **keywords)

    return made


def _isinstance(reader: Reader, value: Any, kinds: Any) -> bool:
    """Of an array or number that only the run knows, what its value will be."""
    if isinstance(value, Number):
        example: Any = value.kind(0) if value.kind is not None else value.dtype.type(0)
        return isinstance(example, kinds)
    if isinstance(value, Generator):
        return isinstance(np.random.default_rng(0), kinds)
    return isinstance(np.zeros(0) if is_dynamic(value) else value, kinds)


def _map(reader: Reader, function: Any, *values: Any) -> list[Any]:
    parts = zip(*(elements_known(reader, value) for value in values), strict=False)
    return [reader.call(function, list(part), {}) for part in parts]


def _filter(reader: Reader, function: Any, values: Any) -> list[Any]:
    found = elements_known(reader, values)
    return [part for part in found if (part if function is None else reader.call(function, [part], {}))]


def _sorted(reader: Reader, values: Any, key: Any = None, reverse: bool = False) -> list[Any]:
    called = None if key is None else lambda value: reader.call(key, [value], {})
    return sorted(elements_known(reader, values), key=called, reverse=reverse)


def _quantified(reader: Reader, values: Any, conjunction: bool) -> Any:
    """`all` and `any`, of what only the run knows as well."""
    found: Any = conjunction
    for value in elements_known(reader, values):
        if not is_dynamic(value):
            if bool(value) is not conjunction:
                return not conjunction
        else:
            flag = reader.heap.number(reader.heap.condition(value), bool)
            found = flag if not is_dynamic(found) else found & flag if conjunction else found | flag
    return found


def _length(reader: Reader, value: Any) -> Any:
    turns = turns_of(reader, value) if not isinstance(value, range) else None
    return len(value) if turns is None else turns.count


def _hasattr(reader: Reader, value: Any, name: str) -> bool:
    return hasattr(value, name)


def _getattr(reader: Reader, value: Any, name: str, *default: Any) -> Any:
    if default and not hasattr(value, name):
        return default[0]
    return getattr(value, name) if is_dynamic(value) else reader.inputs.attribute(value, name)


def _copied(reader: Reader, value: Any) -> Any:
    """`copy.deepcopy`, of containers and arrays."""
    return map_arrays(lambda part: part.copy() if is_dynamic(part) else copy.deepcopy(part), value)


def _copied_once(reader: Reader, value: Any) -> Any:
    """`copy.copy`: of a container another one with the same arrays."""
    if is_dynamic(value):
        return value.copy()
    return group_of(type(value), tuple(items_of(value)), list(items_of(value).values())) if is_group(value) else value


def _extreme(function: Any, better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """`max` and `min`, by a key as well."""

    def extreme(reader: Reader, *values: Any, key: Any = None, **default: Any) -> Any:
        if key is None:
            return call(reader.heap, function, values, default)
        found = elements_known(reader, values[0]) if len(values) == 1 else list(values)
        if not found:
            return function(found, **default)
        best, best_key = found[0], reader.call(key, [found[0]], {})
        for value in found[1:]:
            mine = reader.call(key, [value], {})
            chosen = truth(reader, better(mine, best_key))
            pair: Any = ((value, mine), (best, best_key))
            best, best_key = branch_value(reader, chosen, lambda: pair[0], lambda: pair[1])  # noqa: B023
        return best

    return extreme


def _listed_by(function: Any) -> Callable[..., Any]:
    """A function of `itertools`, of sequences whose length is known."""

    def made(reader: Reader, *values: Any, **options: Any) -> list[Any]:
        known = [_known(reader, value) for value in values]
        return list(function(*known, **options))

    return made


def _known(reader: Reader, value: Any) -> Any:
    if isinstance(value, Number):
        return value.known("a number that says how far to go through a sequence")
    return value if value is None or isinstance(value, int) else elements_known(reader, value)


def _accumulated(reader: Reader, values: Any, function: Any = operator.add, *, initial: Any = None) -> list[Any]:
    found = elements_known(reader, values)
    total = [initial] if initial is not None else found[:1]
    for value in found if initial is not None else found[1:]:
        total.append(reader.call(function, [total[-1], value], {}))
    return total


def in_words(value: Any) -> Any:
    """A value that is to become part of a string: what only the run knows has to be known."""
    return map_arrays(lambda part: part.known("a number in a string") if is_dynamic(part) else part, value)


def _spelled(function: Any) -> Callable[..., Any]:
    return lambda reader, *values, **options: function(*map(in_words, values), **options)


def _warned(reader: Reader, message: Any, category: Any = None, *_: Any, **options: Any) -> None:
    """A warning: given while the function is read, where the run certainly comes to it; a program gives none."""
    if reader.is_certain and not is_dynamic(message):
        warnings.warn(message, category, stacklevel=2)


def _starred(reader: Reader, function: Any, values: Any) -> list[Any]:
    return [reader.call(function, list(value), {}) for value in elements_known(reader, values)]


OWN: dict[Any, Callable[..., Any]] = {
    max: _extreme(max, operator.gt),
    min: _extreme(min, operator.lt),
    itertools.chain: _listed_by(itertools.chain),
    itertools.product: _listed_by(itertools.product),
    itertools.combinations: _listed_by(itertools.combinations),
    itertools.permutations: _listed_by(itertools.permutations),
    itertools.pairwise: _listed_by(itertools.pairwise),
    itertools.islice: _listed_by(itertools.islice),
    itertools.zip_longest: _listed_by(itertools.zip_longest),
    itertools.accumulate: _accumulated,
    itertools.starmap: _starred,
    is_sequence: lambda reader, *given: is_sequence(*given),
    is_mapping: lambda reader, *given: is_mapping(*given),
    str: _spelled(str),
    repr: _spelled(repr),
    format: _spelled(format),
    slice: lambda reader, *bounds: slice(*bounds),
    warnings.warn: _warned,
    np.vectorize: lambda reader, function, otypes=None, **options: Vectorized(function, {"otypes": otypes, **options}),
    np.ndindex: combine_ndindex,
    np.ndenumerate: combine_ndenumerate,
    copy.deepcopy: _copied,
    copy.copy: _copied_once,
    range: lambda reader, *bounds: make_range(*bounds),
    enumerate: combine_enumerate,
    zip: combine_zip,
    reversed: combine_reversed,
    list: _listed(list),
    tuple: _listed(tuple),
    set: _listed(set),
    dict: _listed(dict),
    isinstance: _isinstance,
    map: _map,
    filter: _filter,
    sorted: _sorted,
    len: _length,
    all: lambda reader, values: _quantified(reader, values, True),
    any: lambda reader, values: _quantified(reader, values, False),
    callable: lambda reader, value: callable(value),
    hasattr: _hasattr,
    getattr: _getattr,
}
"""What is done in the place of Python's functions."""
