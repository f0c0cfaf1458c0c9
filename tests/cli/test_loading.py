"""Graphs from files and from the user's own callables: what works, and what each failure says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]
Edited = Callable[..., str]


def refused(run: Run, target: str) -> str:
    """The last line of standard error of a plan that is refused as bad usage."""
    result = run("plan", target, "--budget", "50%")
    assert result.exit_code == 2, (result.stdout, result.stderr)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_a_missing_file(run: Run) -> None:
    assert "there is no file nothing.json; give a graph's JSON file, or MODULE:FACTORY" in refused(run, "nothing.json")


def test_a_folder(run: Run, tmp_path: Path) -> None:
    assert f"cannot read {tmp_path}: Is a directory" in refused(run, str(tmp_path))


def test_a_file_that_is_not_text(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    assert "bytes.json is not a text file" in refused(run, "bytes.json")


def test_a_file_that_is_not_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("hello")
    assert "not a graph: Expecting value" in refused(run, "text.json")


def test_a_graph_with_a_cycle(run: Run, tmp_path: Path) -> None:
    (tmp_path / "g.json").write_text('{"cost": [1, 1], "bytes": [1, 1], "edges": [[0, 1], [1, 0]]}')
    assert "the graph has a cycle: operations" in refused(run, "g.json")


def test_a_graph_with_a_missing_input(run: Run, edited_graph_file: Edited) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["values"].append({"storage": 0})

    assert "is a missing input: no operation makes it" in refused(run, edited_graph_file(edit))


def test_a_graph_with_a_negative_size(run: Run, edited_graph_file: Edited) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["storages"][3]["bytes"] = -4

    assert "bytes must be an int of 0 or more, found -4" in refused(run, edited_graph_file(edit))


def test_a_graph_of_an_unknown_version(run: Run, edited_graph_file: Edited) -> None:
    assert "version 99; this release reads" in refused(run, edited_graph_file(lambda d: d.update(version=99)))


FACTORIES = """
import retrograde

print("importing")
constant = 3
graph = retrograde.Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])


def make():
    print("making")
    return graph


def wrong():
    return 42


def fails():
    return 1 / 0


class inner:
    make = staticmethod(make)
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[str]:
    """A module of factories in the current folder."""
    (tmp_path / "factories_of_a_test.py").write_text(FACTORIES)
    yield "factories_of_a_test"
    sys.modules.pop("factories_of_a_test", None)


@pytest.mark.parametrize("path", ["make", "graph", "inner.make"])
def test_a_factory_or_a_graph_is_planned(run: Run, module: str, path: str) -> None:
    result = run("plan", f"{module}:{path}", "--budget", "100%", "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("{")
    assert "making" not in result.stdout


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("absent", "has no 'absent'"),
        ("constant", "is a int, not a callable that returns a graph"),
        ("wrong", "returned a int; return a retrograde.Graph, (module, inputs) or (module, inputs, loss)"),
        ("fails", "failed: ZeroDivisionError: division by zero at"),
    ],
)
def test_what_a_factory_may_do_wrong(run: Run, module: str, path: str, reason: str) -> None:
    assert reason in refused(run, f"{module}:{path}")


def test_a_module_that_is_not_there(run: Run) -> None:
    assert "there is no module 'no_such_module' to import from" in refused(run, "no_such_module:make")


def test_a_module_that_fails_to_import(run: Run, tmp_path: Path) -> None:
    (tmp_path / "breaks_on_import.py").write_text("import no_such_dependency\n")
    line = refused(run, "breaks_on_import:make")
    assert "importing 'breaks_on_import' failed: ModuleNotFoundError: No module named 'no_such_dependency'" in line
    assert "breaks_on_import.py:1" in line


def test_a_target_without_a_factory(run: Run) -> None:
    assert "'training:' is not MODULE:FACTORY; for example, training:step" in refused(run, "training:")
