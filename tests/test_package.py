"""The package as a whole: what importing it costs, what it offers, and what is installed with it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import retrograde as rg


def test_importing_loads_nothing_slow() -> None:
    heavy = ("click", "jax", "numba", "onnx", "rich", "scipy.optimize", "torch")
    program = f"import sys, retrograde; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    for name in rg.__all__:
        assert getattr(rg, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rg.nothing  # type: ignore[attr-defined]


def test_it_is_marked_as_typed() -> None:
    assert (Path(rg.__file__).parent / "py.typed").exists()


def test_the_version_is_that_of_the_distribution() -> None:
    assert rg.__version__ == version("retrograde")


def test_the_command_and_the_backend_are_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="retrograde")
    assert command.value == "retrograde.cli:main"
    (backend,) = entry_points(group="torch_dynamo_backends", name="retrograde")
    assert backend.value == "retrograde.torch.backend:retrograde"
