"""What is not read is refused at the first call, with file, line, the construct, and what to write instead."""

from __future__ import annotations

import builtins
import logging
import random
import re
import threading
import time
from typing import Any

import numpy as np
import pytest

from retrograde.errors import RetrogradeError, UnsupportedError, UsageError
from retrograde.program import PRIMITIVES, ProgramBuilder
from retrograde.python.reading import NoSource, read

COUNT = 0
CACHE: list[Any] = []
STATE = np.zeros(3)
LOCK = threading.Lock()


def tries(x):
    try:
        return x
    except ValueError:
        return x * 2.0


def opens(x):
    with LOCK:
        return x * 2.0


def yields(x):
    yield x


def delegates(x):
    yield from x


def uses_global(x):
    global COUNT
    COUNT += 1
    return x


def outer():
    count = 0

    def inner(x):
        nonlocal count
        count += 1
        return x

    return inner


INNER = outer()


def uses_nonlocal(x):
    return INNER(x)


def loops_over_nonlocal(x):
    total = 0.0

    def add(y):
        nonlocal total
        total += y

    def inner_all(y):
        for i in range(len(y)):
            add(y[i])

    inner_all(x)
    return total


def defines_class(x):
    class Inner:
        pass

    return x


def prints(x):
    print(x)
    return x


def reads_input(x):
    return x * float(input())


def opens_file(x):
    return x * len(open("file").read())


def evaluates(x):
    return eval("x")


def matches(x):
    match {"a": x}:
        case {"a": y, **rest}:
            return y, rest


def takes_the_time(x):
    start = time.perf_counter()
    return x * 2.0, time.perf_counter() - start


def draws_of_python(x):
    return x * random.random()


def logs(x):
    logging.getLogger("x").info("doubled")
    return x


def spells_data(x):
    return {str(x[0]): x}


def spells_an_array(x):
    return {f"{[x]}": x}


def appends_outside(x):
    CACHE.append(x)
    return x


def writes_outside(x):
    STATE[0] = x[0]
    return x


def raises_again(x):
    if x[0] > 0.0:
        raise
    return x


def never_ends(x):
    while True:
        x = x * 0.5


def truth_of_array(x):
    if x > 0.0:
        return x
    return -x


def condition_writes(x):
    def smaller(v):
        v *= 0.5
        return v.sum() > 1.0

    while smaller(x):
        x = x + 0.1
    return x


def returns_sometimes(x):
    if x[0] > 0.0:
        return x


def different_ranks(x):
    y = x if x[0] > 0.0 else 1.0
    return y


def grows_by_data(x):
    found = []
    while x[0] < 10.0:
        x = x * 2.0
        found.append(x)
    return found


def different_items(x):
    if x[0] > 0.0:
        return x, 1.0
    return x, x


def index_by_data(x):
    return [x, x * 2.0][int(x[0])]


def recursion_by_data(x):
    if x[0] > 10.0:
        return x
    return recursion_by_data(x * 2.0)


def decorated_inside(x):
    @np.vectorize
    def inner(v):
        return v

    return inner(x)


def deletes_elements(x):
    del x[0]
    return x


def strings(x):
    return x


class Box:
    def __init__(self) -> None:
        self.value = 1.0


def sets_attribute(x, box):
    box.value = x
    return x


async def waits(x):
    return x


REFUSED = [
    (tries, "try:", "`try`", "test for the case"),
    (opens, "with LOCK", "`with`", "outside of the function"),
    (yields, "yield x", "`yield`", "into an array"),
    (delegates, "yield from x", "`yield from`", "into an array"),
    (uses_global, "global COUNT", "`global`", "return the value"),
    (uses_nonlocal, "nonlocal count", "`nonlocal`", "return the value"),
    (loops_over_nonlocal, "add(y[i])", "'total' is `nonlocal`", "return the value"),
    (defines_class, "class Inner", "class definition", "outside"),
    (prints, "print(x)", "printing", "after the call"),
    (reads_input, "input()", "terminal", "before the call"),
    (opens_file, 'open("file")', "files", "before the call"),
    (evaluates, 'eval("x")', "`eval`", "write the expression out"),
    (matches, "match {", "`match`", "`if`"),
    (takes_the_time, "time.perf_counter()", "the time", "around the call"),
    (draws_of_python, "random.random()", "random numbers of Python's own", "default_rng"),
    (logs, 'logging.getLogger("x")', "logging", "return what"),
    (spells_data, "str(x[0])", "a number in a string", "depends on data"),
    (spells_an_array, '{f"{[x]}": x}', "a number in a string", "depends on data"),
    (appends_outside, "CACHE.append(x)", "CACHE", "as an argument"),
    (writes_outside, "STATE[0] = x[0]", "STATE", "as an argument"),
    (raises_again, "raise", "without an exception", "name the exception"),
    (never_ends, "while True", "never ends", "`break`"),
    (condition_writes, "while smaller(x)", "condition", "in the body"),
    (returns_sometimes, "def returns_sometimes", "ends without one", "`return`"),
    (different_ranks, "y = x if", "an array of float64 with 1 axes on one way and a number", ""),
    (different_items, "def different_items", "a number (float) on one way and an array of float64", ""),
    (grows_by_data, "while x[0] < 10.0", "list", "np.empty"),
    (index_by_data, "[int(x[0])]", "has to be known", "depends on data"),
    (recursion_by_data, "recursion_by_data(x * 2.0)", "deep", "write a loop"),
    (decorated_inside, "def inner", "decorated", "define it outside"),
    (deletes_elements, "del x[0]", "deleted", "np.delete"),
]


@pytest.mark.parametrize(
    ("function", "text", "what", "remedy"), REFUSED, ids=lambda part: getattr(part, "__name__", "")
)
def test_refused_constructs_say_where_and_what_to_write(function: Any, text: str, what: str, remedy: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(function, (np.ones(3),))
    message = str(caught.value)
    assert __file__ in message
    assert "line " in message
    assert function.__name__ in message or "in inner" in message
    for part in (text, what, remedy):
        assert part in message, message


def test_the_truth_of_an_array_is_refused() -> None:
    with pytest.raises(UsageError, match=r"line \d+, in truth_of_array: `if x > 0.0:`.*np\.any"):
        read(truth_of_array, (np.ones(3),))


def test_a_return_value_that_may_have_been_written_is_refused_at_its_return() -> None:
    def either(x, y):
        z = x if x[0] > 0.5 else y
        x[1] = 2.0
        return z

    with pytest.raises(UnsupportedError, match=r"line \d+, in either: `return z`: .*take a copy"):
        read(either, (np.ones(3), np.ones(3)))


def test_objects_from_outside_are_not_changed() -> None:
    box = Box()
    with pytest.raises(UnsupportedError, match="caller's object"):
        read(sets_attribute, (np.ones(3), box))
    assert box.value == 1.0
    assert not CACHE


def test_a_number_that_is_checked_stays_open() -> None:
    def checked(x, n):
        if n < 2:
            raise ValueError("too few")
        return x * n

    assert read(checked, (np.ones(3), 5)).fits((np.ones(3), 5), {})
    assert read(checked, (np.ones(3), 5)).fits((np.ones(3), 6), {})
    with pytest.raises(ValueError, match="too few"):
        read(checked, (np.ones(3), 1))


@pytest.mark.parametrize(
    "value",
    [np.array(["a"]), np.array([None]), np.array(["2020-01-01"], "M8[D]"), np.zeros(2, [("a", float)])],
    ids=str,
)
def test_arrays_of_other_elements_are_refused_by_their_dtype(value: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"x is an array of .*convert it before the call"):
        read(strings, (value,))


def test_arrays_of_other_byte_order_and_masked_ones_are_refused() -> None:
    with pytest.raises(UsageError, match="byte order"):
        read(strings, (np.ones(3).astype(">f8"),))
    with pytest.raises(UsageError, match="MaskedArray"):
        read(strings, (np.ma.masked_array([1.0, 2.0]),))


@pytest.mark.parametrize("function", [np.sin, len, builtins.abs, np.vectorize(abs)])
def test_functions_without_source_are_told_apart(function: Any) -> None:
    with pytest.raises(NoSource, match='backend="tape"'):
        read(function, (np.ones(3),))


def test_a_function_that_was_typed_where_no_file_is_has_no_source() -> None:
    names: dict[str, Any] = {}
    exec("def f(x):\n    return x", names)
    with pytest.raises(NoSource, match="define it in a file"):
        read(names["f"], (np.ones(3),))


def test_coroutines_are_refused() -> None:
    with pytest.raises(RetrogradeError, match="async"):
        read(waits, (np.ones(3),))


def test_errors_of_the_user_are_those_of_python() -> None:
    def wrong(x):
        return x + undefined  # noqa: F821  # pyright: ignore

    with pytest.raises(NameError, match="undefined") as caught:
        read(wrong, (np.ones(3),))
    assert re.search(r"test_reading_refusals.py, line \d+, in wrong: `return x \+ undefined", caught.value.__notes__[0])


def test_the_identity_of_numbers_is_refused() -> None:
    three = 3

    def counts(x):
        k = 0
        while x.sum() > 0:
            x, k = x - 1, k + 1
        return x if k is three else 2 * x

    with pytest.raises(UsageError, match=r"line .* in counts: .*k is three.* write `==`"):
        read(counts, (np.ones(3),))


def test_arrays_that_cannot_become_constants_are_refused_at_their_line() -> None:
    def spelled(x):
        return np.array2string(x)

    with pytest.raises(UnsupportedError, match=r"line .* in spelled: `np.array2string"):
        read(spelled, (np.ones(3),))


def test_a_number_has_no_elements() -> None:
    def first(x):
        return x[...] * x[0]

    with pytest.raises(UsageError, match=r"line \d+, in first: `return .*a number was indexed"):
        read(first, (2.0,))


def test_a_constant_of_a_primitive_is_no_symbol() -> None:
    builder = ProgramBuilder("constants")
    x, alpha = builder.input("x", "float64", ("n",)), builder.input("alpha", "float64")
    with pytest.raises(UnsupportedError, match="alpha of elu is a constant"):
        PRIMITIVES["elu"](x, alpha=alpha)
