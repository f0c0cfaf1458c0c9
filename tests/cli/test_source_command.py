"""``retrograde source``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

_MODEL = """
import numpy as np

def relax(u, rate, steps):
    for _ in range(steps):
        u = np.tanh(rate * u)
    return np.sum(u)

relax_arguments = (np.ones(3), 0.5, 4)

def printing(u):
    print(u)
    return np.sum(u)
"""


Run = Callable[..., Result]


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "source_model.py"
    path.write_text(_MODEL)
    return str(path)


def test_the_text_runs_by_itself(model: str, run: Run):
    result = run("source", f"{model}:relax", "--wrt", "rate")
    assert result.exit_code == 0
    scope: dict[str, object] = {}
    exec(result.stdout, scope)
    (function,) = [value for name, value in scope.items() if callable(value) and "relax" in name]
    by_rate = function(np.ones(3), 0.5, 4, 1.0)  # pyright: ignore
    relax = scope_of(model)["relax"]
    step = 1e-6
    ends = [relax(np.ones(3), 0.5 + sign * step, 4) for sign in (1, -1)]  # pyright: ignore
    assert by_rate == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-7)


def scope_of(model: str) -> dict[str, object]:
    scope: dict[str, object] = {}
    exec(Path(model).read_text(), scope)
    return scope


def test_json_has_the_text_and_the_explanation(model: str, run: Run):
    result = run("source", f"{model}:relax", "--args", "np.ones(5), 0.5, 7", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert "def relax" in document["source"]
    assert document["explanation"]["kept_bytes"] == 7 * 5 * 8


def test_an_explanation(model: str, run: Run):
    result = run("source", f"{model}:relax", "--explain")
    assert result.exit_code == 0
    assert "one for each of 4 iterations" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{}:absent"], "has no 'absent'"),
        (["{}:relax", "--wrt", "x"], "wrt='x' names no argument"),
        (["{}:relax", "--of", "u"], "of='u' names no output"),
        (["{}:printing", "--args", "np.ones(2)"], "source_model.py, line 12"),
        (["{}:printing"], "there are no arguments"),
    ],
)
def test_errors_are_bad_usage(model: str, arguments: list[str], message: str, run: Run):
    result = run("source", *(part.format(model) for part in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
