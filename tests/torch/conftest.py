"""Fixtures for the PyTorch engine: fresh caches, a deterministic machine, and Dynamo reset between tests."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "torch-cache"))
    torch.manual_seed(0)
    yield
    torch._dynamo.reset()
