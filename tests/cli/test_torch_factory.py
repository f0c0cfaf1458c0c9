"""Factories that return a PyTorch module with its example inputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

pytest.importorskip("torch")

Run = Callable[..., Result]

FACTORIES = """
import torch

model = torch.nn.Sequential(*(torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh()) for _ in range(6)))
x = torch.ones(32, 16)


def positional():
    return model, (x,)


def one_tensor():
    return model, x


def by_name():
    return model, {"input": x}


def with_loss():
    return [model, (x,), lambda y: y.square().mean()]


def branching():
    class Branching(torch.nn.Module):
        def forward(self, x):
            if x.sum() > 0:
                return model(x)
            return x

    return Branching(), (x,)
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "torch_factories_of_a_test.py").write_text(FACTORIES)
    yield "torch_factories_of_a_test"
    sys.modules.pop("torch_factories_of_a_test", None)


@pytest.mark.parametrize("factory", ["positional", "one_tensor", "by_name", "with_loss"])
def test_it_is_captured_and_planned(run: Run, module: str, factory: str) -> None:
    result = run("plan", f"{module}:{factory}", "--budget", "100%", "--strategy", "store_all", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["operations"] > 12
    assert document["peak_bytes"] > 6 * 32 * 16 * 4


def test_a_module_that_cannot_be_captured_names_the_line(run: Run, module: str) -> None:
    result = run("plan", f"{module}:branching", "--budget", "100%")
    assert result.exit_code == 2
    assert "cannot be captured as one graph" in result.stderr
    assert "torch_factories_of_a_test.py:" in result.stderr.splitlines()[-1]
