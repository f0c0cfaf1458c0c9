"""A training chain: the smallest graph on which every strategy shows what it does."""

from __future__ import annotations

from retrograde import Graph, Operation, Storage, Value


def training_chain(length: int, *, size: int = 10, cost: float = 1.0) -> Graph:
    """Forward operations 0 to n-1, then backward ones n to 2n-1; backward n+k undoes forward n-1-k.

    Value i is what forward operation i reads: value 0 the caller's input, value n the result. Backward operation
    n+k reads what forward operation n-1-k read, and the gradient that arrives (value n+1) or comes before it.
    The last gradient is an output.
    """
    forward = [Operation(f"forward {i}", cost, (i,), (i + 1,)) for i in range(length)]
    backward = [
        Operation(f"backward {length - 1 - k}", cost, (length - 1 - k, length + 1 + k), (length + 2 + k,), segment=1)
        for k in range(length)
    ]
    values = [Value(i, {0: 0, length + 1: 1}.get(i)) for i in range(2 * length + 2)]
    return Graph(
        operations=(*forward, *backward),
        values=tuple(values),
        storages=tuple(Storage(size) for _ in values),
        order=tuple(range(2 * length)),
        outputs=(2 * length + 1,),
        name=f"training chain of {length}",
    )
