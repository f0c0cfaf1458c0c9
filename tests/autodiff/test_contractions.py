"""Products of arrays: NumPy's values, derivatives of first and second order, programs, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import agrees

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import PRIMITIVES, ProgramBuilder
from retrograde.rules.contraction import pairwise

_RANDOM = np.random.default_rng(11)


def _real(*shape: int) -> Any:
    return _RANDOM.standard_normal(shape)


def _cplx(*shape: int) -> Any:
    return _real(*shape) + 1j * _real(*shape)


_EINSUMS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij->ji", ((3, 4),)),
    ("ij->", ((3, 4),)),
    ("ba", ((2, 3),)),
    ("ii->i", ((3, 3),)),
    ("iji->j", ((2, 3, 2),)),
    ("iii", ((2, 2, 2),)),
    ("ij,jk->ik", ((2, 3), (3, 4))),
    (" ij , kj ", ((2, 3), (2, 3))),
    ("ij,k", ((2, 3), (2,))),
    ("ijk,lji->lki", ((2, 3, 4), (3, 3, 2))),
    ("ii,ik->k", ((3, 3), (3, 2))),
    ("...ij,...jk->...ik", ((2, 2, 3), (3, 2))),
    ("...ij,...jk->...ik", ((0, 2, 3), (0, 3, 2))),
    ("j...k,lj...->lk...", ((2, 3, 2), (2, 2, 3))),
    ("...k,...nk->...", ((2, 3), (2, 4, 3))),
    ("ij,ij->ij", ((2, 3), (2, 3))),
    (",i->i", ((), (3,))),
    ("i,j,k->kji", ((2,), (3,), (2,))),
    ("ab,bc,cd,de->ae", ((2, 3), (3, 4), (4, 3), (3, 2))),
    ("ijk,lji,lli->lki", ((2, 3, 2), (3, 3, 2), (3, 3, 2))),
    ("i,i,i->i", ((3,), (3,), (3,))),
]


@pytest.mark.parametrize(("subscripts", "shapes"), _EINSUMS)
@pytest.mark.parametrize("of", [_real, _cplx])
def test_einsum(subscripts: str, shapes: tuple[tuple[int, ...], ...], of: Callable[..., Any]) -> None:
    agrees(lambda *arrays: np.einsum(subscripts, *arrays), *(of(*shape) for shape in shapes))


_STRETCHED = [("ij,ij", (1, 3), (2, 3)), ("ij,jk->ik", (2, 1), (3, 2)), ("i,i->i", (1,), (3,))]
_STRETCHED += [("...i,...i->...", (2, 1, 3), (4, 3)), ("i,i", (1,), (1,))]


@pytest.mark.parametrize(("subscripts", "one", "other"), _STRETCHED)
def test_einsum_broadcasts_axes_of_size_one(subscripts: str, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    agrees(lambda x, y: np.einsum(subscripts, x, y), _real(*one), _real(*other), programs=False)


def test_einsum_by_lists_of_labels() -> None:
    agrees(lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), _real(2, 3), _real(3, 2))
    agrees(lambda x, y: np.einsum(x, [7, 1], y, [1, 2], [2, 7]), _real(2, 3), _real(3, 2))
    agrees(lambda x: np.einsum(x, [Ellipsis, 1, 1], [Ellipsis]), _real(2, 3, 3))


@pytest.mark.parametrize(
    "optimize", [False, True, "greedy", "optimal", ("greedy", 10), ["einsum_path", (1, 2), (0, 1)]]
)
def test_einsum_by_every_path(optimize: Any) -> None:
    x, y, z = _real(2, 3), _real(3, 4), _real(4, 2)
    agrees(lambda x, y, z: np.einsum("ab,bc,cd->ad", x, y, z, optimize=optimize), x, y, z, order=1)


def test_einsum_of_many_labels() -> None:
    wide = [chr(ord("a") + at) for at in range(20)]
    x = _real(*[1] * 20)
    agrees(lambda x, y: np.einsum(f"{''.join(wide)},{''.join(wide[:3])}B->B", x, y), x, _real(1, 1, 1, 2), order=1)


def test_einsum_casts() -> None:
    x = _real(2, 3).astype(np.float32)
    agrees(lambda y: np.einsum("ij,ij->", y, x, dtype=np.float64), _real(2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ij,jk",), "has 2 terms, and 1 arrays were given"),
        (("i1->i",), "cannot read 'i1'"),
        (("ij->k",), "a result with the labels"),
        (("ij->ii",), "a result with the labels"),
        (("i->i",), "1 labels for an array with 2 axes"),
        (("...i->i",), r"write `\.\.\.` behind `->`, too"),
        (("ii->i",), "diagonal of axes of sizes 2 and 3"),
        (("ij,ij", np.ones((3, 3))), "axes of sizes 2 and 3; make them equal"),
        (("ij,jk->ik", np.ones((2, 2))), "axes of sizes 3 and 2; make them equal"),
        ((), "called without operands"),
    ],
)
def test_einsum_says_what_is_wrong(arguments: tuple[Any, ...], message: str) -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones((2, 3)))
        first, others = arguments[:1], arguments[1:]
        with pytest.raises(UsageError, match=message):
            np.einsum(*first, x, *others)


@pytest.mark.parametrize("subscripts", ["aab,b->a", "ab,c->ac", "ab,b->c"])
def test_the_primitive_takes_pairs_only(subscripts: str) -> None:
    with pytest.raises(UsageError, match="has a label twice or one that is nowhere else"):
        pairwise.layout_of(subscripts)


def _anywhere(random: np.random.Generator, labels: str) -> Any:
    """An array whose axes lie in memory in any order."""
    order = random.permutation(len(labels))
    x = random.standard_normal([_SIZES[labels[at]] for at in order])
    return np.transpose(x, np.argsort(order))


_SIZES = {"a": 2, "b": 3, "c": 1, "d": 4, "e": 2}


@pytest.mark.parametrize("seed", range(5))
def test_contractions_of_arrays_that_lie_in_memory_in_any_way(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(100):
        x, y = ("".join(random.permutation(list("abcde"))[: random.integers(0, 4)]) for _ in range(2))
        out = [label for label in "abcde" if (label in x) != (label in y) or (label in x and random.random() < 0.5)]
        subscripts = f"{x},{y}->{''.join(random.permutation(out))}" if out else f"{x},{y}->"
        one, other = _anywhere(random, x), _anywhere(random, y)
        found = pairwise.contract(one, other, subscripts)
        np.testing.assert_allclose(found, np.einsum(subscripts, one, other), rtol=1e-12, atol=1e-13, err_msg=subscripts)


def test_the_primitive_checks_shapes() -> None:
    with pytest.raises(UsageError, match="with 1 and 2 axes; give a label for each axis"):
        pairwise.contract(np.ones(3), np.ones((3, 3)), "ab,bc->ac")


_RANKS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (4, 3, 2))]
_RANKS += [((2, 2, 3), (3,)), ((3,), (2, 3, 2))]
_BATCHES = [*_RANKS, ((1, 2, 2), (3, 2, 1)), ((2, 1, 2, 3), (4, 3, 2)), ((4, 2, 3), (2, 1, 3, 2)), ((2, 0), (0, 2))]


@pytest.mark.parametrize(("one", "other"), _BATCHES)
def test_matmul(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    agrees(np.matmul, _real(*one), _cplx(*other), programs=1 not in (*one, *other))


@pytest.mark.parametrize(("one", "other"), [*_RANKS, ((), (3,)), ((2,), ())])
def test_dot(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    agrees(np.dot, _cplx(*one), _real(*other))


def test_dot_as_a_method() -> None:
    agrees(lambda x: x.dot(np.ones((2, 3, 2))), _real(4, 3))


@pytest.mark.parametrize(("one", "other"), [((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 2, 3), (4, 3))])
def test_inner(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    agrees(np.inner, _real(*one), _cplx(*other))


_AXES: list[Any] = [2, ([0, 1], [1, 0]), 1, 0, ([-1], [0]), (1, 0)]
_TENSORS = [
    ((2, 2, 3), (2, 3, 2)),
    ((2, 3), (3, 2)),
    ((2, 3), (3, 2)),
    ((2, 3), (2,)),
    ((2, 3), (3, 1)),
    ((2, 3), (3,)),
]


@pytest.mark.parametrize(("axes", "shapes"), list(zip(_AXES, _TENSORS, strict=True)))
def test_tensordot(axes: Any, shapes: tuple[tuple[int, ...], ...]) -> None:
    agrees(lambda x, y: np.tensordot(x, y, axes), *(_cplx(*shape) for shape in shapes))


def test_operands_may_be_lists() -> None:
    for product in (np.dot, np.inner, np.outer, np.vdot, np.matmul, np.vecdot, np.convolve):
        agrees(lambda x, product=product: product(x, [1.0, 2.0]), _real(2))
    agrees(lambda x: np.tensordot([[1.0, 2.0]], x, 1), _real(2))
    agrees(lambda x: np.einsum("i,ij->j", [1.0, 2.0], x), _real(2, 2))
    agrees(lambda x: np.einsum("i,ij,j", [1.0, 2.0], x, [3, 4]), _real(2, 2))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64, np.longdouble])
def test_dtypes(dtype: Any) -> None:
    x = _real(3, 3).astype(dtype)
    for function in (
        lambda x: x @ x[0],
        lambda x: np.einsum("ij,jk,kl->il", x, x, x),
        lambda x: np.kron(x, x),
        lambda x: np.convolve(x[0], x[1]),
        lambda x: np.trace(x),
    ):
        with rg.GradientTape() as tape:
            tracked = tape.watch(x)
            out = function(tracked)
            loss = np.sum(np.real(out))
        assert (out.dtype, out.shape) == (function(x).dtype, np.shape(function(x)))
        assert tape.gradient(loss, tracked).dtype == dtype


def test_bfloat16() -> None:
    """NumPy's matmul makes float32 of it, its dot does not; gradients are of the source's type."""
    dtype = pytest.importorskip("ml_dtypes").bfloat16
    x, y = _real(2, 3, 4).astype(dtype), _real(3, 4, 2).astype(dtype)
    products: list[Callable[..., Any]] = [np.tensordot, lambda x, y: np.dot(x, y[0]), lambda x, y: np.outer(x[0, 0], y)]
    products += [lambda x, y: x @ y[0], lambda x, y: x[0] @ y[0, :, 0], lambda x, y: np.vecdot(x[0], x[1])]
    for product in products:
        with rg.GradientTape() as tape:
            tracked = tape.watch(x), tape.watch(y)
            out = product(*tracked)
            loss = np.sum(out)
        expected = product(x, y)
        assert (out.dtype, out.shape) == (expected.dtype, np.shape(expected))
        wide = rg.grad(lambda x, product=product: np.sum(product(x, y.astype(float))))(x.astype(float))
        gradient, _ = tape.gradient(loss, tracked, unconnected="zero")
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient.astype(float), wide, rtol=0.05, atol=0.05)


def test_products_of_vectors() -> None:
    agrees(np.outer, _cplx(2, 2), _real(3))
    agrees(np.linalg.outer, _real(2), _cplx(3))
    agrees(np.vdot, _cplx(2, 3), _cplx(3, 2))
    agrees(np.vecdot, _cplx(2, 3), _cplx(3))
    agrees(lambda x, y: np.vecdot(x, y, axis=0), _cplx(3, 2), _real(3, 1))
    agrees(lambda x, y: np.linalg.vecdot(x, y, axis=0), _real(3, 2), _cplx(3, 2))
    agrees(np.linalg.matmul, _real(2, 2), _real(2, 2))
    agrees(lambda x, y: np.linalg.tensordot(x, y, axes=1), _real(2, 2), _real(2, 2))


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="NumPy has them since 2.2")
def test_products_of_matrices_and_vectors_over_batches() -> None:
    agrees(np.matvec, _cplx(2, 2, 3), _real(3))
    agrees(np.matvec, _real(2, 3), _real(4, 3))
    agrees(np.vecmat, _cplx(2, 3), _cplx(3, 2))
    agrees(np.vecmat, _cplx(3), _cplx(2, 3, 2))


@pytest.mark.parametrize(
    ("one", "other"), [((2,), (3,)), ((2, 1), (2, 3)), ((2,), (2, 2)), ((), (3,)), ((2, 1, 2), (2, 2))]
)
def test_kron(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    agrees(np.kron, _real(*one), _cplx(*other))


def test_cross() -> None:
    agrees(np.cross, _real(3), _cplx(3))
    agrees(np.cross, _real(4, 3), _real(3))
    agrees(lambda x, y: np.cross(x, y, axisa=0, axisc=0), _real(3, 2), _real(2, 3))
    agrees(lambda x, y: np.linalg.cross(x, y, axis=0), _real(3, 2), _real(3, 2))


@pytest.mark.filterwarnings("ignore:Arrays of 2-dim")
@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (3, 2)])
def test_cross_in_a_plane(sizes: tuple[int, int]) -> None:
    agrees(np.cross, _real(sizes[0]), _real(sizes[1]), programs=False)


def test_trace() -> None:
    agrees(lambda x: np.trace(x, 1), _real(3, 4))
    agrees(lambda x: np.trace(x, -1, 1, 2), _real(2, 4, 3))
    agrees(lambda x: np.linalg.trace(x, offset=1), _cplx(2, 3, 3))


@pytest.mark.parametrize("exponent", [-2, 0, 1, 2, 3, 6])
def test_matrix_power(exponent: int) -> None:
    x = 1.0 * np.eye(2) + 0.2 * _real(2, 2, 2)
    agrees(lambda x: np.linalg.matrix_power(x, exponent), x)


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((2, 3), (3, 2), (2, 4), (4, 2)), ((3,), (3, 2), (2, 3), (3,))])
def test_multi_dot(shapes: tuple[tuple[int, ...], ...]) -> None:
    agrees(lambda *chain: np.linalg.multi_dot(chain), *(_real(*shape) for shape in shapes))


_LENGTHS = [(4, 2), (2, 4), (3, 3), (5, 4), (1, 3)]


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("lengths", _LENGTHS)
def test_convolution(function: Any, mode: str, lengths: tuple[int, int]) -> None:
    one, other = (_cplx(length) for length in lengths)
    agrees(lambda x, y: function(x, y, mode), one, other, programs=mode == "full")
    agrees(lambda x, y: function(x, y, mode), one.real, other.real, programs=False, order=1)


def test_convolution_with_a_number() -> None:
    agrees(np.convolve, _real(3), _real())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.matmul(x, 2.0), "numbers are multiplied with"),
        (lambda x: np.tensordot(x, x, ([0], [0, 1])), "over 1 axes of one array and 2 of the other"),
        (lambda x: np.linalg.outer(x, x), "np.outer flattens them"),
        (lambda x: np.vecdot(x, 2.0), "a product of vectors and vectors was asked for"),
        (lambda x: np.trace(x, 0, 1, -1), "which are one; give two"),
        (lambda x: np.cross(x, x), "vectors of 4 components"),
        (lambda x: np.linalg.matrix_power(x, 1.5), "give an int"),
        (lambda x: np.linalg.multi_dot([x]), "give two or more"),
        (lambda x: np.linalg.multi_dot([x[0], x, x[0], x]), "vectors in the first and the last place"),
        (lambda x: np.convolve(x, x), "numpy's takes vectors"),
        (lambda x: np.convolve(x[0], x[0], "around"), '"full", "same" or "valid"'),
    ],
)
def test_what_is_wrong_is_said(function: Callable[[Any], Any], message: str) -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones((4, 4)))
        with pytest.raises(UsageError, match=message):
            function(x)


def test_a_convolution_in_a_program_has_to_know_which_operand_is_longer() -> None:
    builder = ProgramBuilder("f")
    x = builder.input("x", "float64", ("n",))
    with pytest.raises(UnsupportedError, match="has to know which operand is the longer one"):
        np.convolve(x, np.ones(3), "same")


_BY_BLAS = ["abc,cd->abd", "abcd,aecd->aceb", "ab,bcd->acd", "ab,cbd->cad", "ab,b->a", "ab,cab->c", "abcd,cdb->ab"]


@pytest.mark.parametrize("subscripts", _BY_BLAS)
def test_contractions_are_products_of_matrices_in_both_directions(
    subscripts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy's own einsum would take a time that is many times as long."""
    terms = subscripts.split("->")[0].split(",")
    x, y = (_real(*("abcde".index(label) + 2 for label in term)) for term in terms)
    out = np.einsum(subscripts, x, y)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a contraction was left to einsum")

    monkeypatch.setattr(pairwise.np, "einsum", refuse)
    einsum = PRIMITIVES["einsum"]
    found, pullback = rg.vjp(lambda x, y: einsum(x, y, subscripts=subscripts))(x, y)
    np.testing.assert_allclose(found, out, rtol=1e-12)
    assert [g.shape for g in pullback(np.ones_like(out))] == [x.shape, y.shape]


def test_the_gradient_of_a_linear_layer_has_no_array_for_each_batch() -> None:
    """A matrix that a batch shares gets its cotangent from one product, and not from one for each that is added up."""
    x, w = _real(50, 4, 30), _real(30, 20)
    _, pullback = rg.vjp(np.matmul)(x, w)
    g = np.ones((50, 4, 20))
    import tracemalloc

    pullback_again = rg.vjp(np.matmul)(x, w)[1]
    pullback(g)
    tracemalloc.start()
    pullback_again(g)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < x.nbytes + 4 * w.nbytes
