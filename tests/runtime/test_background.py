"""The background thread: in order, errors where they are waited for, nothing held, safe in finalizers and forks."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import pytest

from retrograde.runtime import background
from retrograde.runtime.background import in_background


def test_jobs_are_done_in_order_by_one_thread_that_is_not_this_one() -> None:
    seen: list[tuple[int, str]] = []
    jobs = [in_background(lambda i=i: seen.append((i, threading.current_thread().name))) for i in range(50)]
    jobs[-1].wait()
    assert [i for i, _ in seen] == list(range(50))
    assert {name for _, name in seen} == {"retrograde-background"}


def test_an_error_is_raised_where_it_is_waited_for_and_the_thread_goes_on() -> None:
    def fail() -> None:
        raise KeyError("lost")

    failed = in_background(fail)
    after = in_background(lambda: None)
    after.wait()
    with pytest.raises(KeyError, match="lost"):
        failed.wait()
    failed.wait()


def test_what_is_done_holds_nothing() -> None:
    class Content:
        def use(self) -> None:
            pass

    content = Content()
    job = in_background(content.use)
    job.wait()
    gone = weakref.ref(content)
    del content
    gc.collect()
    assert gone() is None


def test_finalizers_may_ask_for_work() -> None:
    class Node:
        pass

    done = threading.Event()
    node = Node()
    node.itself = node  # type: ignore[attr-defined]
    weakref.finalize(node, in_background, done.set)
    del node
    gc.collect()
    in_background(lambda: None).wait()
    assert done.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own() -> None:
    in_background(lambda: None).wait()
    child = os.fork()
    if child == 0:
        in_background(lambda: None).wait()
        os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_thread_is_started_only_when_it_is_needed() -> None:
    fresh = background._Thread()  # pyright: ignore[reportPrivateUsage]
    before = threading.active_count()
    assert threading.active_count() == before
    fresh.start(lambda: None).wait()
    fresh.start(lambda: None).wait()
    assert threading.active_count() == before + 1
