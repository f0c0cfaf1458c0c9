"""One background thread for slow transfers, which does what it is asked for in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue


class Job:
    """Work for the background thread, and what became of it.

    Args:
        work: what to do.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work
        self._done = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it; afterwards nothing of it is held."""
        try:
            assert self._work is not None
            self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._work = None
            self._done.set()

    def wait(self) -> None:
        """Wait until it is done, and raise what it raised; a second time it raises nothing."""
        self._done.wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class _Thread:
    """One background thread that does jobs in the order in which they come."""

    def __init__(self) -> None:
        # Jobs come from finalizers, too, which may interrupt a put: this queue allows that.
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None]) -> Job:
        """Have the thread do something, after what it was asked for before."""
        job = Job(work)
        self._jobs.put(job)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="retrograde-background", daemon=True)
                self._thread.start()
        return job

    def _run(self) -> None:
        while True:
            self._jobs.get().run()


_thread = _Thread()


def in_background(work: Callable[[], None]) -> Job:
    """Have the background thread of this process do something, after what it was asked for before.

    Finalizers may call it. The thread ends with the process, whatever it is doing.

    Example:
        >>> seen = []
        >>> in_background(lambda: seen.append(1)).wait()
        >>> seen
        [1]
    """
    return _thread.start(work)


def _forget_thread() -> None:
    global _thread
    _thread = _Thread()


# A forked child has no threads but the one that forked.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_thread)
