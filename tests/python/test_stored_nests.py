"""Loop nests on disk: found by what a program is, made anew where anything in it differs or the entry is damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.program import ProgramBuilder
from retrograde.program.model import Program
from retrograde.program.primitive import Primitive
from retrograde.python.compiling import Nests, content, stored_nests
from retrograde.python.compiling.content import digest_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path))
    return tmp_path / "nests"


def _program(
    factor: Any = 2.0, dtype: str = "float64", size: Any = "n", name: str = "x", axis: int = 0, out: str = "y"
) -> Program:
    builder = ProgramBuilder("scaled")
    x = builder.input(name, dtype, (size, 3))
    return builder.finish(**{out: np.sum(x * factor, axis=axis)})


def test_the_same_program_has_the_same_digest():
    assert digest_of(_program()) == digest_of(_program())
    assert digest_of(_program(np.arange(3.0))) == digest_of(_program(np.arange(3.0)))


@pytest.mark.parametrize(
    "other",
    [
        {"factor": 3.0},
        {"factor": np.float64(2.0)},
        {"factor": np.float32(2.0)},
        {"factor": 2},
        {"factor": np.array([1.0, 2.0, 3.0])},
        {"factor": np.array([1.0, 2.0, -3.0])},
        {"dtype": "float32"},
        {"size": 4},
        {"size": "m"},
        {"name": "z"},
        {"axis": 1},
        {"out": "z"},
    ],
    ids=str,
)
def test_a_program_that_differs_in_anything_has_another_digest(other: dict[str, Any]):
    assert digest_of(_program(**other)) not in (None, digest_of(_program()))
    others = [{}, {"factor": np.array([1.0, 2.0, 3.0])}, {"factor": np.array([1.0, 2.0, -3.0])}]
    assert len({digest_of(_program(**each)) for each in others}) == len(others)


def test_options_and_least_sizes_belong_to_the_digest():
    program, smaller = _program(), _program()
    smaller.least_size = 2
    assert len({digest_of(program, True), digest_of(program, False), digest_of(smaller, False)}) == 3


def test_the_source_of_what_makes_nests_belongs_to_the_digest():
    package = Path(rg.__file__).parent
    assert all(any((package / room).rglob("*.py")) for room in content._WRITERS)
    for module in ("program.model", "rules", "python.lowering.lower", "python.nests.driver", "python.compiling.nests"):
        source = import_module(f"retrograde.{module}").__file__
        assert source is not None
        assert any(Path(source).is_relative_to(package / room) for room in content._WRITERS)


def test_a_primitive_of_the_users_own_has_no_content():
    own = Primitive("own", np.negative, ("x",), result=lambda x: x, registered=False)
    builder = ProgramBuilder("negated")
    assert digest_of(builder.finish(y=own(builder.input("x", "float64", ("n",))))) is None


def test_nests_are_made_once_and_read_as_they_were_made(folder: Path):
    made: list[Nests | str] = [Nests("a = 1", ["f"], "f", {"c": np.arange(3.0), "n": np.float32(2), "p": np.sum}), "no"]
    with_numbers = Nests("a = 2", ["f"], "g", {"c": np.arange(6.0).reshape(2, 3), "n": np.float32(2)})
    made.append(with_numbers)
    programs = [_program(1.0), _program(2.0), _program(3.0)]
    for program, nests in zip(programs, made, strict=True):
        assert stored_nests(program, False, lambda nests=nests: nests) is nests
    assert len(list(folder.glob("*.json"))) == 2  # a function of NumPy's is nothing that a file can hold
    assert stored_nests(programs[1], False, lambda: pytest.fail("made again")) == "no"
    again = stored_nests(programs[2], False, lambda: pytest.fail("made again"))
    assert isinstance(again, Nests)
    assert (again.text, again.compiled, again.driver) == ("a = 2", ["f"], "g")
    assert again.namespace["c"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert again.namespace["n"].dtype == np.float32
    assert stored_nests(programs[2], True, lambda: "frugal") == "frugal"


_PROCESS = """
import sys, logging
logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
import numpy as np
import retrograde as rg

def settled(u, a):
    for _ in range(3):
        u = np.linalg.solve(a, u) + 0.5 * u
    return np.sum(u * u)

a = np.array([[2.0, 1.0], [0.0, 3.0]])
gradient = rg.grad(settled, wrt=(0, 1), backend="numba")(np.array([1.0, 2.0]), a)
print([part.tolist() for part in gradient])
print("made" if "retrograde.python.nests" in sys.modules else "found")
"""


def _run(script: Path) -> str:
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=os.environ, timeout=200
    ).stdout


def test_the_next_process_makes_no_nests_and_damage_is_made_anew(folder: Path, tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(_PROCESS)
    values, how = _run(script).splitlines()
    assert how == "made"
    assert _run(script).splitlines() == [values, "found"]
    (entry,) = folder.glob("*.json")
    whole = entry.read_text()
    entry.write_text(whole.replace("solve", "solva"))
    warning, *rest = _run(script).splitlines()
    assert "corrupt" in warning
    assert rest == [values, "made"]
    assert entry.read_text() == whole


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda _: "", lambda text: text[1:]])
def test_damaged_entries_are_made_anew(folder: Path, damage: Callable[[str], str]):
    program, nests = _program(), Nests("a = 1", [], "f", {})
    stored_nests(program, False, lambda: nests)
    (entry,) = folder.glob("*.json")
    entry.write_text(damage(entry.read_text()))
    assert stored_nests(program, False, lambda: "made anew") == "made anew"
    assert stored_nests(program, False, lambda: pytest.fail("made again")) == "made anew"


def test_a_captured_array_that_changed_gives_other_numbers():
    weights = np.array([1.0, 2.0])

    def weighed(x: Any) -> Any:
        for i in range(2):
            x[i] = x[i] * weights[i]
        return np.sum(x)

    gradients: list[Any] = []
    for factor in (1.0, 3.0):
        weights *= factor
        gradients.append(rg.grad(weighed, backend="numba")(np.ones(2)))
    assert gradients[0].tolist() == [1.0, 2.0]
    assert gradients[1].tolist() == [3.0, 6.0]
