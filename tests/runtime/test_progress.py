"""The progress reporter: silent at first, one line at a time after that."""

from __future__ import annotations

import io
import re

import pytest

from retrograde.planning.progress import Progress
from retrograde.runtime import ProgressReporter, describe_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def reports(stream: io.StringIO, *moments: float) -> str:
    clock = Clock()
    with ProgressReporter(stream, clock=clock) as reporter:
        for moment in moments:
            clock.seconds = 100 + moment
            reporter(Progress("search", fraction=moment / 20, peak_bytes=3 * 2**20, cost=1.5))
    return stream.getvalue()


def test_a_short_planning_says_nothing() -> None:
    assert reports(io.StringIO(), 0.1, 0.5, 1.0) == ""
    assert reports(Terminal(), 0.1, 0.5, 1.0) == ""


def test_a_file_gets_a_line_every_few_seconds() -> None:
    lines = reports(io.StringIO(), 0.5, 1.5, 2, 3, 6, 6.5, 7, 12).splitlines()
    assert lines == [
        "retrograde: planning (search), 8 %, 2 s, best peak so far 3.00 MiB",
        "retrograde: planning (search), 32 %, 6 s, best peak so far 3.00 MiB",
        "retrograde: planning (search), 60 %, 12 s, best peak so far 3.00 MiB",
    ]


def test_a_terminal_gets_one_line_that_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    written = reports(Terminal(), 1.5, 3)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert "planning (search), 15 %" in plain
    assert written.rstrip("\r\n").endswith("\x1b[2K"), "the last thing on a terminal is wiping the line"


def test_it_writes_to_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = ProgressReporter(clock=clock)
    clock.seconds += 2
    reporter(Progress("auto"))
    reporter.close()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "retrograde: planning (auto), 2 s\n")


def test_a_closed_stream_does_not_stop_the_planning() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    clock = Clock()
    reporter = ProgressReporter(stream, clock=clock)
    clock.seconds += 2
    stream.close()
    reporter(Progress("auto"))
    reporter.close()


def test_what_is_not_known_is_left_out() -> None:
    assert describe_progress(Progress("[bold]"), 61.4) == "planning ([bold]), 61 s"
