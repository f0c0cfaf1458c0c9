"""A checkpointed call on a tape: what the call leaves there, and how a cotangent passes through it.

The call runs on the tape as any other code, from sources of its own, and what it recorded is dropped when it returns.
One node takes its place: its parents are the arguments and whatever tracked arrays the function read from around it,
found by following the recording to nodes that were there before. When a cotangent comes, the call is recorded again,
and the cotangent passes through that.

Of nested tapes each has such a node. What runs on the inner tape runs as a checkpointed call on the outer one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from retrograde.autodiff.checkpointing.same import Fingerprint
from retrograde.autodiff.cotangents import Parts
from retrograde.autodiff.tape.backward import pull_back
from retrograde.autodiff.tape.tracked import Node, TrackedArray
from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.program.in_place import slot
from retrograde.runtime import RandomState, capture_random_state, preserved_random_state

if TYPE_CHECKING:
    from retrograde.autodiff.tape.gradient_tape import GradientTape

Flat: TypeAlias = Callable[[list[Any]], list[Any]]


def evaluate(run: Flat, leaves: list[Any], generators: Sequence[np.random.Generator]) -> list[Any]:
    """Run a function of a list of arrays; what tapes record of it is dropped, to be recomputed.

    Args:
        run: what to run; it gives the same whenever it is run on the same.
        leaves: arrays, tracked arrays, and whatever else the function takes.
        generators: what it may draw random numbers from, beside the global generators.
    """
    tops = [leaf for leaf in leaves if isinstance(leaf, Intercepting)]
    top = max(tops, key=lambda leaf: leaf.level, default=None)
    if type(top) is TrackedArray and top.node.tape.recording and top.node.tape.border is None:
        return _Segment(run, top.node.tape, leaves, generators).call(leaves)
    return run(leaves)


class _Layout(NamedTuple):
    """What the first run found out. A position is one in the list of results and, behind them, of written arguments.

    Attributes:
        written: positions of the arguments that were written in place.
        results: how many results there are.
        outputs: the positions of the tracked arrays that the call made.
        reached: the positions of the arguments on which outputs depend.
        captured: the nodes of tracked arrays around the function on which outputs depend.
    """

    written: list[int]
    results: int
    outputs: list[int]
    reached: list[int]
    captured: list[Node]


class _Segment:
    """One checkpointed call on one tape."""

    def __init__(
        self, run: Flat, tape: GradientTape, leaves: list[Any], generators: Sequence[np.random.Generator]
    ) -> None:
        self.run = run
        self.tape = tape
        self.values = [leaf.value if self._is_own(leaf) else leaf for leaf in leaves]
        # Arguments that are one object stay one object.
        first: dict[int, int] = {}
        self.same_as = [first.setdefault(id(leaf), at) for at, leaf in enumerate(leaves)]
        self.nodes: list[Node | None] = [leaf.node if self._is_own(leaf) else None for leaf in leaves]
        self.layout: _Layout | None = None
        self.random: RandomState | None = None
        self.generators = generators
        self.fingerprints: list[Fingerprint] = []

    def call(self, leaves: list[Any]) -> list[Any]:
        """Run, and put one node in the place of what was recorded."""
        state = capture_random_state(*self.generators)
        self.entered: list[Any] = []
        self.results: list[Any] = []
        values = evaluate(self._forward, self.values, self.generators)
        if not state.is_current():
            self.random = state
        return self._replaced(values, leaves)

    def _is_own(self, leaf: Any) -> bool:
        return type(leaf) is TrackedArray and leaf.node.tape is self.tape

    def _enter(self, values: list[Any], *, linked: bool) -> list[Any]:
        """The arguments as tracked arrays from which the recording of this run begins."""
        entered: list[Any] = []
        for at, (value, node) in enumerate(zip(values, self.nodes, strict=True)):
            if self.same_as[at] != at:
                value = entered[self.same_as[at]]
            elif node is not None:
                # Linked, so that what the function puts elsewhere has its gradient, too.
                parents, pulls = ((node,), (_same,)) if linked else ((), ())
                value = TrackedArray(value, Node(self.tape, parents, pulls, None, value))
            entered.append(value)
        return entered

    def _forward(self, values: list[Any]) -> list[Any]:
        before = self.tape.next_index()
        entered = self._enter(values, linked=True)
        first = [item.node if self._is_own(item) else None for item in entered]
        with _recording(self.tape):
            results = self.run(list(entered))
        if self.layout is None:
            self.layout = self._laid_out(results, entered, first, before)
            self.entered, self.results = entered, results
        every = [*results, *(entered[at] for at in self.layout.written)]
        return [item.value if self._is_own(item) else item for item in every]

    def _laid_out(self, results: list[Any], entered: list[Any], first: list[Any], before: int) -> _Layout:
        written = [
            at
            for at, item in enumerate(entered)
            if self._is_own(item) and self.same_as[at] == at and item.node is not first[at]
        ]
        arguments = {id(item) for item in entered}
        every = [*results, *(entered[at] for at in written)]
        outputs = [
            at
            for at, item in enumerate(every)
            if self._is_own(item) and item.node.index > before and (id(item) not in arguments or at >= len(results))
        ]
        own = {id(node): at for at, node in enumerate(first) if node is not None}
        roots = _roots([every[at].node for at in outputs], own, before)
        reached = sorted({own[id(node)] for node in roots if id(node) in own})
        captured = [node for node in roots if id(node) not in own]
        return _Layout(written, len(results), outputs, reached, captured)

    def _replaced(self, values: list[Any], leaves: list[Any]) -> list[Any]:
        """The results as the caller gets them: outputs of one node, and the caller's own arguments."""
        layout = self.layout
        assert layout is not None
        entered, results = self.entered, self.results
        del self.entered, self.results
        places = {position: place for place, position in enumerate(layout.outputs)}
        parents = (*(_given(self.nodes[at]) for at in layout.reached), *layout.captured)
        operation = Node(self.tape, parents, self._pulls(len(parents)), None, Parts)
        made: dict[int, Any] = {id(item): leaf for item, leaf in zip(entered, leaves, strict=True)}
        every = [*results, *(entered[at] for at in layout.written)]
        for position, place in places.items():
            value = values[position]
            self.fingerprints.append(Fingerprint(value))
            part = Node(self.tape, (operation,), (Parts.of(place, len(places)),), None, value)
            output = TrackedArray(value, part)
            if position < layout.results:
                made.setdefault(id(every[position]), output)
            else:
                leaves[layout.written[position - layout.results]][...] = output
        outs = [made.get(id(item), item) for item in results]
        for item, out in zip(results, outs, strict=True):
            base = slot(item, "_base", None) if self._is_own(item) else None
            if base is not None and id(base) in made and not any(item is argument for argument in entered):
                out.note_view_of(made[id(base)], slot(item, "_place", ()))
        return outs

    def _pulls(self, count: int) -> tuple[Callable[[list[Parts], Any], Any], ...]:
        """What makes the parents' shares: all of them come of one recomputation, which the first one asks for."""
        made: dict[Parts, list[Any]] = {}

        def puller(place: int) -> Callable[[list[Parts], Any], Any]:
            def pull(held: list[Parts], kept: Any) -> Any:
                (g,) = held
                if g not in made:
                    made.clear()
                    made[g] = self._pull(g.parts)
                share, made[g][place] = made[g][place], None
                if place == count - 1:
                    made.clear()
                return share

            return pull

        return tuple(map(puller, range(count)))

    def _pull(self, cotangents: tuple[Any, ...]) -> list[Any]:
        given = [at for at, cotangent in enumerate(cotangents) if cotangent is not None]
        count = len(self.values)

        def again(flat: list[Any]) -> list[Any]:
            return self._shares(flat[:count], dict(zip(given, flat[count:], strict=True)))

        return evaluate(again, [*self.values, *(cotangents[at] for at in given)], self.generators)

    def _shares(self, values: list[Any], cotangents: dict[int, Any]) -> list[Any]:
        """Record the call again, and pull the cotangents of its outputs back to its parents."""
        layout = self.layout
        assert layout is not None
        before = self.tape.next_index()
        entered = self._enter(values, linked=False)
        sources: list[Any] = [entered[at].node if self._is_own(entered[at]) else None for at in range(len(entered))]
        with preserved_random_state(*self.generators), _recording(self.tape):
            if self.random is not None:
                self.random.restore()
            results = self.run(list(entered))
        every = [*results, *(entered[at] for at in layout.written)]
        outputs = [every[at] for at in layout.outputs]
        self._check(outputs, before)
        seeds = [(outputs[place].node, cotangent) for place, cotangent in cotangents.items()]
        del results, every, outputs, entered
        wanted = [*(sources[at] for at in layout.reached), *layout.captured]
        with _cut_off(layout.captured):
            shares = pull_back(seeds, wanted, keep=False)
        pairs = zip(shares, wanted, strict=True)
        return [np.zeros(node.shape, node.dtype) if share is None else share for share, node in pairs]

    def _check(self, outputs: list[Any], before: int) -> None:
        layout = self.layout
        assert layout is not None
        if not all(map(self._is_own, outputs)) or not all(
            fingerprint.fits(output.value) for fingerprint, output in zip(self.fingerprints, outputs, strict=True)
        ):
            raise UsageError(
                f"{self._name()} was checkpointed, and gave another result when it was called again for the gradient; "
                "it has to compute the same from the same arguments: pass what changes as an argument, and random "
                "generators, too"
            )
        roots = _roots([output.node for output in outputs], (), before)
        if {id(node) for node in roots} != {id(node) for node in layout.captured}:
            raise UsageError(
                f"{self._name()} was checkpointed, and read other tracked arrays from around it when it was called "
                "again for the gradient (one was written in place, or a container has another in its place); pass "
                "them as arguments"
            )

    def _name(self) -> str:
        return getattr(self.run, "name", "a function")


def _same(held: list[Any], kept: Any) -> Any:
    return held[0]


def _given(node: Node | None) -> Node:
    assert node is not None
    return node


def _roots(nodes: Iterable[Node], stops: Any, before: int) -> list[Node]:
    """Where a recording began: the nodes of `stops`, and those that were there before."""
    waiting = list(nodes)
    seen = {id(node) for node in waiting}
    found: list[Node] = []
    while waiting:
        node = waiting.pop()
        if node.index <= before or id(node) in stops:
            found.append(node)
            continue
        fresh = [parent for parent in node.parents if id(parent) not in seen]
        seen.update(map(id, fresh))
        waiting.extend(fresh)
    return sorted(found, key=lambda node: node.index)


@contextmanager
def _recording(tape: GradientTape) -> Generator[None]:
    recorded, tape.recording = tape.recording, True
    try:
        yield
    finally:
        tape.recording = recorded


@contextmanager
def _cut_off(nodes: list[Node]) -> Generator[None]:
    """Let a pull end at these nodes, which stay as they are."""
    saved = [{name: getattr(node, name) for name in Node.__slots__} for node in nodes]
    for node in nodes:
        node.parents, node.pulls = (), ()
    try:
        yield
    finally:
        for node, state in zip(nodes, saved, strict=True):
            for name, part in state.items():
                setattr(node, name, part)
