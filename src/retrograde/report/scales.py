"""Where numbers fall on a picture, and the round numbers written beside its axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A linear map from numbers to pixels.

    Attributes:
        low: the number at ``start``.
        high: the number at ``stop``.
        start: pixel of ``low``.
        stop: pixel of ``high``; smaller than ``start`` for an axis that runs upwards or is turned round.

    Example:
        >>> Scale(0, 10, 100, 200)(5)
        150.0
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, number: float) -> float:
        span = self.high - self.low
        share = (number - self.low) / span if span else 0.0
        return self.start + share * (self.stop - self.start)


@dataclass(frozen=True)
class Ticks:
    """The round numbers of an axis, with the text of each."""

    at: tuple[float, ...]
    text: tuple[str, ...]


def round_step(span: float, most: int, base: float = 1.0, *, whole: bool = False) -> float:
    """The smallest round step (1, 2, 2.5 or 5 times a power of ten, times ``base``) that cuts a span into ``most``.

    Args:
        span: what is cut.
        most: the most parts that it may be cut into.
        base: the unit in which the step is round.
        whole: whether 2.5 times a power is left out, for numbers that can only be whole.

    Example:
        >>> round_step(930, 6)
        200.0
    """
    least = span / most / base
    if least <= 0:
        return base
    power = 10.0 ** math.floor(math.log10(least))
    steps = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    return next(step * power * base for step in steps if step * power >= least * (1 - 1e-9))


def _ticks(low: float, high: float, step: float, write: Callable[[float], str]) -> Ticks:
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    at = tuple(k * step for k in range(first, last + 1))
    return Ticks(at, tuple(write(number) for number in at))


def byte_ticks(high: float, most: int = 6) -> Ticks:
    """Ticks from 0 in one unit, a power of 1024, with round numbers of that unit.

    Example:
        >>> byte_ticks(70 * 2**20).text
        ('0', '20 MiB', '40 MiB', '60 MiB')
    """
    unit, name = byte_unit(high)
    step = round_step(high, most, base=unit)
    if unit == 1:
        step = max(step, 1.0)
    return _ticks(0, high, step, lambda number: f"{_plain(number / unit)} {name}" if number else "0")


def byte_unit(count: float) -> tuple[int, str]:
    """The unit that a number of bytes is best written in: its size and name."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = 0 if count < 1024 else min(len(units) - 1, int(math.log(count, 1024)))
    return 1024**power, units[power]


def percent_ticks(low: float, high: float, most: int = 6) -> Ticks:
    """Ticks for fractions, written in percent.

    Example:
        >>> percent_ticks(0.2, 1.0).text
        ('20 %', '40 %', '60 %', '80 %', '100 %')
    """
    step = round_step((high - low) * 100, most) / 100
    return _ticks(low, high, step, lambda number: f"{_plain(number * 100)} %")


def plain_ticks(high: float, most: int = 6, unit: str = "", whole: bool = False) -> Ticks:
    """Ticks from 0, with an optional unit; ``whole`` for numbers that can only be whole.

    Example:
        >>> plain_ticks(1200, whole=True).text
        ('0', '200', '400', '600', '800', '1,000', '1,200')
    """
    step = round_step(high, most, whole=whole)
    step = max(1.0, step) if whole else step
    return _ticks(0, high, step, lambda number: f"{_plain(number)}{' ' + unit if unit else ''}" if number else "0")


def seconds_ticks(high: float, most: int = 6) -> Ticks:
    """Ticks from 0 for a duration in seconds, in the unit that suits it.

    Example:
        >>> seconds_ticks(0.05).text
        ('0', '10 ms', '20 ms', '30 ms', '40 ms', '50 ms')
    """
    unit, name = next(((u, n) for u, n in ((1.0, "s"), (1e-3, "ms")) if high >= u), (1e-6, "µs"))
    step = round_step(high, most, base=unit)
    return _ticks(0, high, step, lambda number: f"{_plain(number / unit)} {name}" if number else "0")


def _plain(number: float) -> str:
    return f"{round(number, 6):,.10g}" if abs(number) < 1e15 else f"{number:.3g}"
