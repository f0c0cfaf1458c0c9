"""Random states: what is drawn after restoring is what was drawn after capturing."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from retrograde.runtime import capture_random_state, preserved_random_state


def draw(generator: np.random.Generator) -> tuple[float, ...]:
    return random.random(), float(np.random.random()), float(generator.random()), random.gauss(0, 1)


def test_every_state_comes_back_as_often_as_wanted() -> None:
    generator = np.random.default_rng(3)
    state = capture_random_state(generator)
    first = draw(generator)
    assert draw(generator) != first
    for _ in range(2):
        state.restore()
        assert draw(generator) == first


def test_a_generator_that_was_not_given_is_left_alone() -> None:
    given, other = np.random.default_rng(1), np.random.default_rng(1)
    state = capture_random_state(given)
    given.random(), other.random()
    state.restore()
    assert given.random() != other.random()


def test_a_normal_variate_kept_back_by_the_global_generator_is_part_of_the_state() -> None:
    np.random.standard_normal()
    state = capture_random_state()
    first = np.random.standard_normal(3)
    state.restore()
    assert np.array_equal(np.random.standard_normal(3), first)


def test_the_states_are_preserved_after_an_exception() -> None:
    generator = np.random.default_rng(5)
    before = capture_random_state(generator)

    @preserved_random_state(generator)
    def fail() -> None:
        draw(generator)
        raise KeyError("half-way")

    with pytest.raises(KeyError):
        fail()
    after = draw(generator)
    before.restore()
    assert draw(generator) == after


def test_pytorch_is_captured_where_it_is_imported() -> None:
    torch = pytest.importorskip("torch")
    with preserved_random_state() as state:
        first = torch.rand(4)
    assert torch.equal(torch.rand(4), first)
    state.restore()
    assert torch.equal(torch.rand(4), first)


def test_pytorch_is_not_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    state = capture_random_state()
    assert state.torch_cpu is None
    assert "torch" not in sys.modules
    state.restore()


def test_cuda_devices_are_captured_where_cuda_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    restored: list[list[str]] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: ["state of cuda:0", "state of cuda:1"])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    capture_random_state().restore()
    assert restored == [["state of cuda:0", "state of cuda:1"]]


def test_a_state_is_current_until_something_is_drawn():
    generator = np.random.default_rng(0)
    for draw in (random.random, np.random.random, generator.random):
        state = capture_random_state(generator)
        assert state.is_current()
        draw()
        assert not state.is_current()
        state.restore()
        assert state.is_current()
