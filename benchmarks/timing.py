"""Ratios of step times on a machine that others use too: interleaved, beside an anchor, repeated where disturbed."""

from __future__ import annotations

import glob
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CALM = 0.02
"""The share of a step that its threads may wait for a core before it counts as disturbed."""
_GROUP = 3
"""Steps between two of the anchor."""


@dataclass(frozen=True)
class Sample:
    """One timed step.

    Attributes:
        seconds: by the clock that was asked for.
        disturbance: how long threads of this process that could run waited for a core, as a share of the wall time;
            0 where the system does not say.
    """

    seconds: float
    disturbance: float


@dataclass(frozen=True)
class Ratio:
    """The median of a ratio over rounds.

    Attributes:
        median: the ratio.
        low: its first quartile.
        high: its third quartile.
        rounds: how many rounds it is the median of.
        calm_rounds: how many of them nobody disturbed.
    """

    median: float
    low: float
    high: float
    rounds: int
    calm_rounds: int


@dataclass(eq=False)
class Stopwatch:
    """Times single steps, again where they were disturbed.

    Args:
        clock: ``"wall"``, or ``"cpu"`` for the CPU seconds of the process (one thread only: threads that wait for
            each other spin).
        attempts: how often a disturbed step is timed at most.
        patience_seconds: how much time repetitions may take in all.
    """

    clock: str = "wall"
    attempts: int = 3
    patience_seconds: float = 60.0

    def time(self, step: Callable[[], object]) -> Sample:
        """The least disturbed of a few runs of a step."""
        best = self._time_once(step)
        for _ in range(self.attempts - 1):
            if best.disturbance <= CALM or self.patience_seconds <= 0:
                break
            begin = time.perf_counter()
            best = min(best, self._time_once(step), key=lambda sample: sample.disturbance)
            self.patience_seconds -= time.perf_counter() - begin
        return best

    def _time_once(self, step: Callable[[], object]) -> Sample:
        read = CLOCKS[self.clock]
        waited, begin, start = _waited_seconds(), time.perf_counter(), read()
        step()
        seconds, wall = read() - start, time.perf_counter() - begin
        return Sample(seconds, max(0.0, _waited_seconds() - waited) / wall if self.clock == "wall" else 0.0)


def _waited_seconds() -> float:
    """How long threads of this process have waited for a core so far; 0 where the system does not say."""
    waited = 0
    for path in glob.glob("/proc/self/task/*/schedstat"):
        try:
            with open(path) as file:
                waited += int(file.read().split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return waited * 1e-9


@dataclass(eq=False)
class Rounds:
    """Times of several variants, round by round, each as a ratio to the anchor's around it."""

    samples: dict[str, list[Sample]] = field(default_factory=dict[str, list[Sample]])
    anchor_seconds: list[float] = field(default_factory=list[float])

    def ratio(self, name: str, reference: str, rounds: int) -> Ratio:
        """Time of a variant over that of a reference.

        Rounds in which either was disturbed are left out while enough others remain; they are chosen by how long
        threads waited for a core, never by the times.

        Args:
            name: the variant.
            reference: the variant it is compared with.
            rounds: how many of the least disturbed rounds count.
        """
        pairs = list(zip(self.samples[name], self.samples[reference], strict=True))
        pairs.sort(key=lambda pair: max(sample.disturbance for sample in pair))
        calm = sum(max(sample.disturbance for sample in pair) <= CALM for pair in pairs)
        taken = pairs[: max(rounds, calm)]
        ratios = [ours.seconds / theirs.seconds for ours, theirs in taken]
        low, median, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        return Ratio(median, low, high, len(ratios), min(calm, len(ratios)))


def time_rounds(
    steps: Mapping[str, Callable[[], object]],
    anchor: str,
    rounds: int,
    watch: Stopwatch,
    *,
    seed: int = 0,
    after_step: Callable[[str], None] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Rounds:
    """Time variants step by step, in a new order each round, an anchor between every few of them.

    Args:
        steps: for each variant one step; the anchor is among them.
        anchor: the variant that all are timed beside.
        rounds: how often each is timed.
        watch: times one step.
        seed: of the orders.
        after_step: called with the name after each step, outside the clock.
        tell: called with a line of text now and then.
    """
    shuffle = random.Random(seed)
    result = Rounds({name: [] for name in steps})
    check = after_step or (lambda _: None)

    def run(name: str) -> Sample:
        sample = watch.time(steps[name])
        check(name)
        return sample

    for number in range(rounds):
        names = [name for name in steps if name != anchor]
        shuffle.shuffle(names)
        before, anchors = run(anchor), []
        for first in range(0, len(names), _GROUP):
            group = [(name, run(name)) for name in names[first : first + _GROUP]]
            after = run(anchor)
            for name, sample in group:
                result.samples[name].append(_beside(sample, before, after))
            anchors.append(after.seconds)
            before = after
        result.samples[anchor].append(Sample(1.0, before.disturbance))
        result.anchor_seconds.append(statistics.median(anchors or [before.seconds]))
        tell(f"round {number + 1} of {rounds}, {anchor} {1e3 * result.anchor_seconds[-1]:.0f} ms")
    return result


def _beside(sample: Sample, before: Sample, after: Sample) -> Sample:
    """A sample as a ratio to the mean of the two anchors around it."""
    mean = (before.seconds + after.seconds) / 2
    return Sample(sample.seconds / mean, max(sample.disturbance, before.disturbance, after.disturbance))


def spread(values: Sequence[float]) -> str:
    """The smallest, middle and largest of some seconds, for people."""
    return f"{1e3 * min(values):.0f} / {1e3 * statistics.median(values):.0f} / {1e3 * max(values):.0f} ms"
