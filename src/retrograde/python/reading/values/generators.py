"""Random generators under reading: each draw is an instruction, and puts the next state into the generator's cell."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.calls import call, replaces
from retrograde.python.reading.values.creation import extents_of
from retrograde.python.reading.values.handle import Handle, Value
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.numbers import Number
from retrograde.rules.random import state_of


class Generator(Value):
    """What stands for a `numpy.random.Generator`.

    Attributes:
        heap: the array objects.
        state: the generator's state: 64-bit words, in a cell that each draw writes.
        bits: the bit generator: "PCG64".
    """

    __slots__ = ("bits", "state")

    def __init__(self, heap: Heap, state: Array, bits: str = "PCG64") -> None:
        self.heap = heap
        self.state = state
        self.bits = bits

    def _draw(self, name: str, *operands: Any, **static: Any) -> Symbol:
        primitive = PRIMITIVES[name]
        values = (self.state.symbol(), *operands)
        numbers, after = self.heap.builder.emit(primitive, values, {**static, "kind": self.bits})
        self.state.cell.write(after)
        return numbers

    def _given(self, numbers: Symbol, kind: type | None = None) -> Any:
        """A drawn array, or a number: of Python, if NumPy gives one."""
        return self.heap.array(numbers) if numbers.ndim else self.heap.number(numbers, kind)

    def _standard(self, method: str, size: Any, dtype: Any = float) -> Any:
        dtype = np.dtype(dtype)
        numbers = self._draw("random_numbers", _shape(size), method=method, dtype=dtype)
        return self._given(numbers, float)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Numbers from [0, 1)."""
        return self._into(out, "random", size, dtype)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Numbers from the normal distribution of mean 0 and deviation 1."""
        return self._into(out, "standard_normal", size, dtype)

    def standard_exponential(
        self, size: Any = None, dtype: Any = np.float64, method: str = "zig", out: Any = None
    ) -> Any:
        """Numbers from the exponential distribution of mean 1."""
        if method != "zig":
            raise UnsupportedError(f'standard_exponential by method {method!r} was asked for; leave it "zig"')
        return self._into(out, "standard_exponential", size, dtype)

    def _into(self, out: Any, method: str, size: Any, dtype: Any) -> Any:
        if out is None:
            return self._standard(method, size, dtype)
        out[...] = self._standard(method, out.shape if size is None else size, dtype)
        return out

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Numbers from a normal distribution; they have derivatives by its mean and its deviation."""
        shape = self._common(size, loc, scale)
        return loc + scale * self._standard("standard_normal", shape)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Numbers from an interval; they have derivatives by its ends."""
        shape = self._common(size, low, high)
        return low + (high - low) * self._standard("random", shape)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Numbers from an exponential distribution; they have derivatives by its mean."""
        return scale * self._standard("standard_exponential", self._common(size, scale))

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """Numbers whose logarithms are from a normal distribution."""
        drawn = self.normal(mean, sigma, size)
        made = call(self.heap, np.exp, (drawn,))
        return self.heap.number(made.symbol, float) if isinstance(drawn, Number) and drawn.kind else made

    def _common(self, size: Any, *parameters: Any) -> Any:
        if size is not None:
            return size
        shapes = [part.shape for part in parameters if getattr(part, "ndim", 0)]
        if len(shapes) > 1:
            raise UnsupportedError(
                "random numbers for two arrays of parameters were asked for without a size; say it (size=x.shape)"
            )
        return shapes[0] if shapes else None

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64, endpoint: bool = False
    ) -> Any:
        """Whole numbers."""
        low, high = (0, low) if high is None else (low, high)
        bounds = [self.heap.symbol(bound) for bound in (low, high)]
        if any(getattr(bound, "ndim", 0) for bound in bounds):
            raise UnsupportedError("integers between arrays of bounds were asked for; draw for each pair, or scale")
        static = {"endpoint": bool(endpoint), "dtype": np.dtype(dtype)}
        return self._given(self._draw("random_integers", *bounds, _shape(size), **static))

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """A count's numbers, or an array's rows, in a random order."""
        if not isinstance(x, Array):
            return self._given(self._draw("random_permutation", extents_of(x)))
        if axis:
            raise UnsupportedError("a permutation along an axis but the first was asked for; move that axis first")
        return x[self._given(self._draw("random_permutation", extents_of(x.shape[0])))]

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Put an array's rows in a random order, in place."""
        if not isinstance(x, Array):
            raise UnsupportedError("a list was to be shuffled by numbers that only the run knows; shuffle an array")
        x[...] = self.permutation(x, axis)

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True
    ) -> Any:
        """Some of a count's numbers, or of an array's rows."""
        if isinstance(a, (list, tuple)):
            a = call(self.heap, np.array, (a,))
        count = self.heap.symbol(a.shape[0] if isinstance(a, Array) else a)
        static = {"replace": bool(replace), "shuffle": bool(shuffle)}
        if p is None:
            places = self._draw("random_choice", count, _shape(size), **static)
        else:
            places = self._draw("random_weighted_choice", count, self.heap.symbol(p), _shape(size), **static)
        if not isinstance(a, Array):
            return self._given(places, int)
        if axis:
            raise UnsupportedError("a choice along another axis than the first was asked for; move that axis first")
        return a[self._given(places)]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(np.random.Generator, name):
            raise AttributeError(f"a Generator has no attribute {name!r}")
        raise UnsupportedError(
            f"numbers drawn by `{name}` are not known to programs; draw them before the call and pass them as an "
            "argument, or make them of random, standard_normal, standard_exponential, integers, choice"
        )


def _shape(size: Any) -> tuple[Any, ...]:
    return () if size is None else extents_of(size)


def generator(heap: Heap, symbol: Symbol, bits: str) -> Generator:
    """The generator whose state a symbol is."""
    return Generator(heap, heap.array(symbol), bits)


@replaces(np.random.default_rng)
def _default_rng(heap: Heap, seed: Any = None) -> Any:
    if isinstance(seed, Generator):
        return seed
    if seed is None:
        raise UnsupportedError(
            "np.random.default_rng() without a seed gives other numbers in each call; give it a seed, or pass a "
            "Generator as an argument"
        )
    if isinstance(seed, Handle):
        return Generator(heap, heap.array(PRIMITIVES["random_state"](heap.symbol(seed))))
    made = np.random.default_rng(seed)
    return Generator(heap, heap.array(state_of(made)), made.bit_generator.state["bit_generator"])


def _refuse(name: str) -> None:
    def refused(heap: Heap, *arguments: Any, **options: Any) -> NoReturn:
        raise UnsupportedError(
            f"np.random.{name} uses a state that the whole process shares, so that a gradient would not see the same "
            "numbers; write `rng = np.random.default_rng(seed)` and draw from rng, or pass a Generator as an argument"
        )

    replaces(getattr(np.random, name))(refused)


_LEGACY = (
    "seed", "rand", "randn", "randint", "random", "random_sample", "normal", "standard_normal", "uniform",
    "choice", "shuffle", "permutation", "exponential", "poisson", "binomial", "gamma", "beta", "sample", "ranf",
    "RandomState", "get_state", "set_state", "lognormal", "multivariate_normal",
)  # fmt: skip

for _name in _LEGACY:
    if hasattr(np.random, _name):
        _refuse(_name)
