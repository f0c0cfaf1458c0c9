"""``retrograde check``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from retrograde.autodiff.checking import GradientReport

Run = Callable[..., Result]

MODEL = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np

print("imported")

@dataclass
class Scale:
    by: float

scale = Scale(3.0)

def loss(x, k):
    print("called")
    return np.sum(k * x * x)

def loss_arguments():
    return np.array([1.0, 2.0]), scale.by

def right(x, k):
    return 2 * k * x, np.sum(x * x)

def wrong(x, k):
    return -2 * k * x, np.sum(x * x)

def line(x):
    return 3.0 * x

line_arguments = np.ones(2)

def fails(x):
    raise RuntimeError("it cannot be done")

def packed(x):
    return np.packbits(x)

constant = 3
"""


@pytest.fixture(autouse=True)
def model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)


def test_right_derivatives(run: Run) -> None:
    result = run("check", "model.py:loss", "--order", "2")
    assert result.exit_code == 0, result.stderr
    for words in (
        "Derivatives of loss",
        "verdict",
        "right",
        "forward over reverse",
        "the Hessian is symmetric",
        "x[0]",
    ):
        assert words in result.stdout
    assert "imported" not in result.stdout
    assert "called" in result.stderr


def test_a_wrong_gradient(run: Run) -> None:
    assert run("check", "model.py:loss", "--gradient", "right").exit_code == 0
    result = run("check", "model.py:loss", "--gradient", "wrong")
    assert result.exit_code == 1
    assert "x, given gradient, at the point given: it has the wrong sign" in result.stdout
    assert run("check", "model.py:loss", "--gradient", "wrong", "--wrt", "k", "--wrt", "k").exit_code == 2


def test_json(run: Run) -> None:
    result = run("check", "model.py:loss", "--gradient", "wrong", "--json")
    assert result.exit_code == 1
    report = GradientReport.from_json(result.stdout)
    assert report.verdict == "wrong"
    assert json.loads(result.stdout)["findings"] == list(report.findings)


def test_arguments(run: Run) -> None:
    assert run("check", "model.py:loss", "--args", "np.array([1.0, -3.0]), scale.by").exit_code == 0
    assert run("check", "model.py:line", "--args", "2.0,").exit_code == 0
    found = json.loads(run("check", "model.py:line", "--json").stdout)
    assert {group["argument"] for group in found["groups"]} == {"x"}


def test_options(run: Run) -> None:
    options = "--wrt 1 --mode forward --method central --point given --point boundary --bounds 0, --rtol 1e-4 --seed 7"
    result = run("check", "model.py:loss", "--json", *options.split(), "--directions", "2", "--samples", "1")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert {group["argument"] for group in found["groups"]} == {"k"}
    assert {group["mode"] for group in found["groups"]} == {"forward"}
    assert {group["point"] for group in found["groups"]} == {"given", "lower bound"}
    assert (found["method"], found["rtol"], found["seed"]) == ("central", 1e-4, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.py"], "'model.py' names no function in a file; give FILE.py:FUNCTION"),
        (["nothing.py:f"], "there is no file nothing.py"),
        (["text.txt:f"], "text.txt is no Python file"),
        (["broken.py:f"], "broken.py, line 2: "),
        (["raising.py:f"], "running raising.py failed: ZeroDivisionError: division by zero at "),
        (["model.py:nothing"], "model.py has no 'nothing'; it has Scale, dataclass, fails, line, loss"),
        (["model.py:constant"], "'constant' in model.py is a int, not a function"),
        (["model.py:right"], "there are no arguments for right; give --args"),
        (["model.py:loss", "--args", "1 +"], "--args '1 +' failed: SyntaxError"),
        (["model.py:loss", "--args", "1/0"], "--args '1/0' failed: ZeroDivisionError"),
        (["model.py:loss", "--args", "1.0"], "model.py:loss failed: TypeError"),
        (["model.py:fails", "--args", "1.0"], "model.py:fails failed: RuntimeError: it cannot be done at "),
        (["model.py:loss", "--args", "1, 2"], "hold no array of a floating or complex dtype"),
        (["model.py:loss", "--gradient", "nothing"], "model.py has no 'nothing'"),
        (["model.py:loss", "--method", "guess"], "method='guess' was asked for"),
        (["model.py:loss", "--bounds", "3"], "--bounds '3' is not LOW,HIGH"),
        (["model.py:loss", "--bounds", "a,b"], "--bounds 'a,b' is not LOW,HIGH"),
        (["model.py:loss", "--wrt", "z"], "wrt='z' names no argument of loss"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "raising.py").write_text("1 / 0\n")
    result = run("check", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert [line for line in result.stderr.splitlines() if line.startswith("retrograde: ")]


def test_a_function_without_a_rule_fails_the_check(run: Run) -> None:
    result = run("check", "model.py:packed", "--args", "np.ones(3)")
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
