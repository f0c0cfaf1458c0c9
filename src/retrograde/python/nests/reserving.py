"""Have the memory of temporary arrays stay with the process from call to call.

The C library of Linux hands what is freed at the end of its heap back to the system as soon as that is twice the
largest block that it has seen freed, up to 32 MB; each page then costs a fault at the next call, which takes several
times as long as computing what it holds. Freeing one block as large as all the arrays of a call together, which is
never touched, tells it how much is worth keeping.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from retrograde.python.nests.parts.fields import Indices
from retrograde.python.nests.parts.model import Line, Part, every_part
from retrograde.python.nests.translating.translator import Translator

_MOST_BYTES = 31 << 20
_FEWEST_ARRAYS = 2


def reserving(translator: Translator, parts: list[Part]) -> list[str]:
    """The statement that does so, in terms of what a procedure is given.

    Args:
        translator: knows how long the axes of arrays are.
        parts: all of the compiled regions.
    """
    bytes_of: Counter[Indices] = Counter()
    arrays = 0
    for part in every_part(parts):
        if isinstance(part, Line) and part.makes and part.text.startswith(f"{part.makes} = np."):
            extents = translator.extents.get(part.makes, ())
            if extents and all(map(translator.is_given, extents)):
                bytes_of[extents] += np.dtype(getattr(np, part.text.rsplit("np.", 1)[1].rstrip(")"))).itemsize
                arrays += 1
    if arrays < _FEWEST_ARRAYS:
        return []
    terms = [
        " * ".join([str(item_bytes), *(f"({translator.size_text(extent)})" for extent in extents)])
        for extents, item_bytes in bytes_of.items()
    ]
    return [f"np.empty(min({' + '.join(terms)}, {_MOST_BYTES}), np.uint8)"]
