"""A runner, and graphs in files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from retrograde import Graph
from retrograde.cli import main


def training_chain(length: int = 12, size: int = 1024) -> Graph:
    """A forward chain whose values are read again in reverse."""
    edges = [(i, i + 1) for i in range(2 * length)] + [(i, 2 * length - i) for i in range(length)]
    count = 2 * length + 1
    return Graph.from_arrays(
        cost=[1] * count, bytes=[size] * count, edges=edges, outputs=[2 * length], name="a training chain"
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path / "cache"))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments))

    return invoke


@pytest.fixture
def graph() -> Graph:
    return training_chain()


@pytest.fixture
def graph_file(tmp_path: Path, graph: Graph) -> str:
    """The training chain as a JSON file."""
    path = tmp_path / "graph.json"
    path.write_text(graph.to_json())
    return str(path)


@pytest.fixture
def edited_graph_file(tmp_path: Path, graph: Graph) -> Callable[..., str]:
    """Writes the training chain as JSON after an edit of the document."""

    def write(edit: Callable[[dict[str, object]], None]) -> str:
        document = json.loads(graph.to_json())
        edit(document)
        path = tmp_path / "edited.json"
        path.write_text(json.dumps(document))
        return str(path)

    return write
