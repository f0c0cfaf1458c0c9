"""``retrograde doctor``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from retrograde.cli import doctor
from retrograde.cli.doctor import Check, check_package

Run = Callable[..., Result]


def test_it_says_what_is_here(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.stdout
    for words in ("Python", "machine", "numpy", "numba compiles", "planning works", "cache folder"):
        assert words in result.stdout


def test_json(run: Run) -> None:
    document = json.loads(run("doctor", "--json").stdout)
    assert document["ok"] is True
    assert {"name", "found", "status", "advice"} == set(document["checks"][0])


def test_what_is_broken_exits_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run_checks", lambda: [Check("numpy", "1.2", "failed", "pip install 'numpy>=2.0'")])
    result = run("doctor")
    assert result.exit_code == 1
    assert "pip install 'numpy>=2.0'" in result.stdout


def test_a_check_that_raises_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Check:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(doctor, "_numba", broken)
    found = {check.name: check for check in doctor.run_checks()}["numba compiles"]
    assert (found.status, found.found) == ("failed", "RuntimeError: no compiler")


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.13.0", "ok"), ("2.13.1+cpu", "ok"), ("2.14.0", "failed"), ("2.12.9", "failed"), ("3.0", "failed")],
)
def test_versions_of_an_engine(version: str, status: str) -> None:
    found = check_package("torch", (2, 13), (2, 14), engine=True, version=version)
    assert found.status == status
    assert ("pip install 'torch>=2.13,<2.14'" in found.advice) == (status == "failed")


def test_the_versions_of_torch_are_those_that_the_engine_supports() -> None:
    source = (Path(doctor.__file__).parent.parent / "torch" / "versions.py").read_text()
    least, below = doctor._ENGINES["torch"]
    assert f"SUPPORTED_FROM = {least}" in source
    assert f"SUPPORTED_BELOW = {below}" in source


def test_a_missing_engine_is_no_failure_and_a_missing_dependency_is() -> None:
    engine = check_package("no-such-engine", (1,), None, engine=True)
    assert (engine.status, engine.advice) == ("missing", "pip install 'retrograde[no-such-engine]'")
    assert check_package("no-such-package", (1,), None).status == "failed"


def test_a_cache_folder_that_cannot_be_written_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path / "file"))
    result = run("doctor", "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}["cache folder"]
    assert result.exit_code == 0
    assert found["status"] == "missing"
    assert "set RETROGRADE_CACHE_DIR" in found["advice"]
