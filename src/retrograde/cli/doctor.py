"""``retrograde doctor``: what is installed here, and whether it works."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from retrograde.cli.exits import EXIT_CHECK_FAILED, EXIT_DONE
from retrograde.cli.printing import print_json, print_tables

if TYPE_CHECKING:
    from retrograde.report import Table

# Package: what is needed of it, from a version and below another; None where any will do.
_NEEDED: dict[str, tuple[tuple[int, ...], tuple[int, ...] | None]] = {
    "numpy": ((2, 0), None),
    "scipy": ((1, 14), None),
    "numba": ((0, 61), None),
    "rustworkx": ((0, 16), None),
}
_ENGINES: dict[str, tuple[tuple[int, ...], tuple[int, ...] | None]] = {
    "torch": ((2, 13), (2, 14)),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        found: what was found.
        status: ``"ok"``, ``"missing"`` (nothing is wrong, something is not there), or ``"failed"``.
        advice: what to do; empty if nothing.
    """

    name: str
    found: str
    status: str = "ok"
    advice: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
def doctor_command(as_json: bool) -> int:
    """Say what is installed here, and whether it is supported and works.

    Exits with 1 if something that is installed is not supported or does not work. A missing engine is no failure.
    """
    checks = run_checks()
    failed = any(check.status == "failed" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        print_tables([_table(checks)])
    return EXIT_CHECK_FAILED if failed else EXIT_DONE


def run_checks() -> list[Check]:
    """Everything that the doctor looks at."""
    return [
        _python(),
        Check("platform", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        _machine(),
        Check("retrograde", importlib.metadata.version("retrograde")),
        *(check_package(name, *needed) for name, needed in _NEEDED.items()),
        *(check_package(name, *needed, engine=True) for name, needed in _ENGINES.items()),
        _guarded("numba compiles", _numba),
        _guarded("planning works", _planning),
        *_torch_engine(),
        _guarded("cache folder", _cache_folder),
    ]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        return Check(name, f"{type(error).__name__}: {error}", "failed", "reinstall retrograde and what it depends on")


def _python() -> Check:
    return Check("Python", f"{platform.python_version()} ({platform.python_implementation()})")


def _machine() -> Check:
    import psutil

    from retrograde.graph.units import format_bytes

    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = f"{format_bytes(memory.available)} free of {format_bytes(memory.total)}"
    return Check("machine", f"{cores} cores, {free}")


def check_package(
    name: str,
    least: tuple[int, ...],
    below: tuple[int, ...] | None,
    *,
    engine: bool = False,
    version: str | None = None,
) -> Check:
    """Whether a package is there in a version that is supported.

    Args:
        name: of the package.
        least: the first version that is supported.
        below: the first that is not any more; None if there is none.
        engine: whether retrograde works without it.
        version: the version to judge; the installed one when left out.
    """
    wanted = f"{name}>={_dotted(least)}" + (f",<{_dotted(below)}" if below else "")
    if version is None:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            status = "missing" if engine else "failed"
            extra = f"retrograde[{name}]" if engine else wanted
            return Check(name, "not installed", status, f"pip install '{extra}'")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version.split("+")[0])[:3])
    if numbers < least or (below is not None and numbers >= below):
        return Check(name, version, "failed", f"not supported; pip install '{wanted}'")
    return Check(name, version)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _numba() -> Check:
    import numba

    compiled = numba.njit(lambda count: count * 2)
    works = int(compiled(21)) == 42
    return Check("numba compiles", "yes" if works else "wrong result", "ok" if works else "failed")


def _planning() -> Check:
    from retrograde.graph import Graph
    from retrograde.planning import plan

    graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2), (0, 2)])
    plan(graph, "100%", "store_all").verify(graph)
    return Check("planning works", "a small plan was verified")


def _torch_engine() -> list[Check]:
    """Whether the PyTorch engine can be imported; nothing where PyTorch is missing or is a version it refuses."""
    if check_package("torch", *_ENGINES["torch"], engine=True).status != "ok":
        return []

    def engine_imports() -> Check:
        importlib.import_module("retrograde.torch")
        return Check("torch engine", "imported")

    return [_guarded("torch engine", engine_imports)]


def _cache_folder() -> Check:
    from retrograde.disk_cache import default_cache_folder

    folder = default_cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "plans are not kept between runs; set RETROGRADE_CACHE_DIR to a folder that can be written"
        return Check("cache folder", f"{folder}: {error.strerror or error}", "missing", advice)
    return Check("cache folder", str(folder))


def _table(checks: list[Check]) -> Table:
    from retrograde.report import Cell, Table

    tones = {"ok": "good", "missing": "muted", "failed": "bad"}
    rows = tuple((c.name, c.found, Cell(c.status, tones[c.status]), c.advice) for c in checks)
    return Table("retrograde doctor", ("what", "found", "status", "what to do"), rows)
