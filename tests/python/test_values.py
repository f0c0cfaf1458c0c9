"""What names stand for while a function is read: array objects, views, numbers; regions; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import ProgramBuilder
from retrograde.python.reading.signals import NeedsStatic
from retrograde.python.reading.values import (
    Array,
    CellSlot,
    ContainerSlot,
    Heap,
    ItemSlot,
    Number,
    assign_augmented,
    call,
)
from retrograde.python.reading.values.views import composed


@pytest.fixture
def heap() -> Heap:
    return Heap(ProgramBuilder("f"))


def _vector(heap: Heap, name: str = "x", dtype: str = "float64") -> Array:
    return heap.array(heap.builder.input(name, dtype, ("n",)))


def _matrix(heap: Heap, name: str = "a", dtype: str = "float64") -> Array:
    return heap.array(heap.builder.input(name, dtype, ("m", "n")))


def _text(heap: Heap, **outputs: Any) -> str:
    return str(heap.builder.finish(**{name: heap.symbol(value) for name, value in outputs.items()}))


def test_a_write_through_a_row_is_one_update_of_the_array(heap: Heap) -> None:
    a = _matrix(heap)
    a[1][2] = 5.0
    row = a[0]
    row[1:] = 3.0
    assert "update a[1, 2] = 5.0" in _text(heap, a=a)
    assert "[0, 1:] = 3.0" in _text(heap, a=a)


def test_a_view_sees_later_writes_of_its_array(heap: Heap) -> None:
    x = _vector(heap)
    tail = x[1:]
    x[2] = 7.0
    program = heap.builder.finish(tail=tail.read())
    np.testing.assert_array_equal(program(np.arange(4.0))[0], [1.0, 7.0, 3.0])


def test_a_copy_does_not(heap: Heap) -> None:
    x = _vector(heap)
    kept = x.copy()
    x[2] = 7.0
    np.testing.assert_array_equal(heap.builder.finish(kept=kept.read())(np.arange(4.0))[0], np.arange(4.0))


def test_adding_to_an_element_is_one_instruction(heap: Heap) -> None:
    a = _matrix(heap)
    assign_augmented(a, (0, 1), "add", 2.0)
    assign_augmented(a, (0, slice(1, None)), "subtract", a[1, 1:])
    text = _text(heap, a=a)
    assert text.count("add_at") == 2
    assert "update" not in text


def test_augmented_assignment_to_items_of_a_list(heap: Heap) -> None:
    x = _vector(heap)
    items = [x, 3]
    assign_augmented(items, 0, "add", 1.0)
    assign_augmented(items, 1, "add", 1)
    assert items[0] is x
    assert items[1] == 4


def test_writing_all_elements_leaves_nothing_of_the_old_ones(heap: Heap) -> None:
    x, y = _vector(heap), _vector(heap, "y")
    x[:] = y
    assert "update" not in _text(heap, x=x)


def test_composed_indices() -> None:
    full = slice(None)
    assert composed((1, full), (slice(2, 5),), 2) == (1, slice(2, 5))
    assert composed((full, 2), (0,), 2) == (0, 2)
    assert composed(slice(2, None), slice(1, 3), 1) == slice(3, 5)
    assert composed((Ellipsis, 0), 1, 3) == (1, slice(None), 0)
    # An index out of bounds has to stay one, and a new axis is none of the array.
    assert composed(slice(1, 3), 5, 1) is None
    assert composed((None,), 0, 1) is None
    assert composed(slice(None, None, 2), 1, 1) is None


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [("float32", 2, "float32"), ("float32", 2.5, "float32"), ("int32", 3, "int32"), ("int32", 0.5, "float64")],
)
def test_numbers_of_python_take_the_dtype_of_arrays(heap: Heap, dtype: str, value: Any, expected: str) -> None:
    x = _vector(heap, dtype=dtype)
    number = heap.number(heap.builder.input("k", np.asarray(value).dtype), type(value))
    assert (x * number).dtype == expected
    assert call(heap, np.maximum, (x, number)).dtype == expected
    assert call(heap, np.where, (x > 0, x, number)).dtype == expected


def test_numbers_of_numpy_do_not(heap: Heap) -> None:
    x = _vector(heap, dtype="float32")
    assert (x * heap.number(heap.builder.input("k", "float64"))).dtype == "float64"


def test_python_numbers_follow_python(heap: Heap) -> None:
    k = heap.number(heap.builder.input("k", "int64"), int)
    a = heap.number(heap.builder.input("a", "float64"), float)
    kinds = {"/": (k / 2).kind, "//": (k // 2).kind, "**": (k**2).kind, "**-": (k**-1).kind, "mixed": (k + a).kind}
    assert kinds == {"/": float, "//": int, "**": int, "**-": float, "mixed": float}
    assert (k < a).kind is bool
    assert ((k < a) + 1).kind is int
    with pytest.raises(TypeError, match="bitwise_and of float and int"):
        _ = a & k


def test_in_place_by_name_changes_arrays_and_replaces_numbers(heap: Heap) -> None:
    x = _vector(heap)
    same = x
    x += 1.0
    assert x is same
    number = before = x[0]
    number += 1.0
    assert number is not before


def test_a_region_on_trial(heap: Heap) -> None:
    x, y = _vector(heap), _vector(heap, "y")
    state: dict[str, Any] = {"items": [x[0], y], "count": 0}
    before = x.read()
    mark = heap.mark([state])
    x[0] = 1.0
    inner = x.copy()
    inner[1] = 2.0
    state["items"][0] = x[1]
    state["new"] = 3
    changes = heap.changes(mark)
    assert [type(change) for change in changes] == [CellSlot, ContainerSlot, ItemSlot]
    assert changes[0].before is before
    assert changes[2].get() is state["items"][0]
    heap.restore(mark)
    assert x.read() is before
    assert "new" not in state
    assert heap.changes(mark) == []


def test_what_may_be_the_same_array_is_refused_once_one_of_the_two_is_written(heap: Heap) -> None:
    x = _vector(heap)
    perhaps = heap.detached(x.read(), [x])
    assert isinstance(perhaps[0], Number)
    mark = heap.mark()
    x[0] = 1.0
    assert heap.poisoned_since(mark) == [perhaps.cell]
    with pytest.raises(UnsupportedError, match="may be the same one in memory"):
        perhaps.read()
    heap.restore(mark)
    perhaps.read()


def test_a_reshape_of_an_array_that_does_not_lie_row_by_row_may_be_a_view_or_a_copy(heap: Heap) -> None:
    a = _matrix(heap)
    flat = a[:, 1:].reshape(-1)
    flat.read()
    a[0] = 1.0
    with pytest.raises(UnsupportedError, match="take a copy"):
        flat.read()


def test_the_truth_of_what_only_the_run_knows_is_asked_of_the_reader(heap: Heap) -> None:
    x = _vector(heap)
    with pytest.raises(NeedsStatic) as caught:
        bool(x[0] > 1.0)
    assert caught.value.purpose == "a truth value"
    with pytest.raises(NeedsStatic):
        range(x.shape[0])
    with pytest.raises(UsageError, match=r"np\.any"):
        heap.condition(x > 0)
    assert heap.condition(True) is True
    assert heap.condition(x[0]).dtype == "bool"


def _wrong_cast(heap: Heap) -> None:
    x = _vector(heap, dtype="int64")
    x += 0.5


def _complex_into_real(heap: Heap) -> None:
    _vector(heap)[0] = 1j


def _write_into_a_diagonal(heap: Heap) -> None:
    call(heap, np.diagonal, (_matrix(heap),))[0] = 1.0


def _float_index(heap: Heap) -> None:
    _ = _vector(heap)[_vector(heap, "y")]


def _round_digits(heap: Heap) -> None:
    round(heap.number(heap.builder.input("a", "float64"), float), 2)


def _without_seed(heap: Heap) -> None:
    call(heap, np.random.default_rng)


def _legacy(heap: Heap) -> None:
    call(heap, np.random.normal, (0.0, 1.0, 3))


def _unknown_distribution(heap: Heap) -> None:
    call(heap, np.random.default_rng, (0,)).poisson(3.0)


def _vectorized(heap: Heap) -> None:
    call(heap, np.frompyfunc, (abs, 1, 1))


def _copyto_cast(heap: Heap) -> None:
    call(heap, np.copyto, (_vector(heap, dtype="int64"), _vector(heap, "y")))


def _strings(heap: Heap) -> None:
    call(heap, np.array, (["a", "b"],))


def _view_method(heap: Heap) -> None:
    _vector(heap).view(np.int64)


def _set_shape(heap: Heap) -> None:
    _vector(heap).shape = (2, 3)


def _item_in_array(heap: Heap) -> None:
    _ = 3.0 in _vector(heap)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (_wrong_cast, "int64 array was to be changed in place by a float64 one"),
        (_complex_into_real, "would drop their imaginary parts"),
        (_write_into_a_diagonal, "read-only"),
        (_float_index, "an index by an array of float64"),
        (_round_digits, "np.round"),
        (_without_seed, "give it a seed, or pass a Generator"),
        (_legacy, "state that the whole process shares"),
        (_unknown_distribution, "`poisson` are not known to programs"),
        (_vectorized, "loop over the elements"),
        (_copyto_cast, "casting='same_kind', which forbids it"),
        (_strings, "'a' was used as a number"),
        (_view_method, "read as another dtype"),
        (_set_shape, r"x\.reshape\(shape\)"),
        (_item_in_array, "np.any"),
    ],
)
def test_refusals(heap: Heap, refused: Any, message: str) -> None:
    with pytest.raises((UnsupportedError, UsageError), match=message):
        refused(heap)


def test_a_function_that_has_to_know_sizes_asks_for_them(heap: Heap) -> None:
    with pytest.raises(NeedsStatic, match="an operand's size, by median"):
        call(heap, np.median, (_vector(heap),))


def test_a_constant_of_a_function_is_asked_for(heap: Heap) -> None:
    alpha = heap.number(heap.builder.input("alpha", "float64"), float)
    with pytest.raises(NeedsStatic, match="a constant of elu"):
        call(heap, rg.nn.elu, (_vector(heap),), {"alpha": alpha})


def test_draws_thread_the_generators_state(heap: Heap) -> None:
    rng = call(heap, np.random.default_rng, (5,))
    first, second = rng.normal(1.0, 2.0, 3), rng.random()
    found = heap.builder.finish(first=first.read(), second=heap.symbol(second))()
    expected = np.random.default_rng(5)
    np.testing.assert_array_equal(found[0], expected.normal(1.0, 2.0, 3))
    assert found[1] == expected.random()
