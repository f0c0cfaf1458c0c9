"""Compiled modules, and their code on disk: content, damage, several processes, no folder."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.python.compiling import compile_text

_TEXT = """
import numpy as np

def scaled(x, factor):
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        out[i] = x[i] * factor
    return out

def driver(x):
    return (scaled(x, FACTOR),)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path))
    return tmp_path / "compiled"


def _module(factor: float, tag: str):
    return compile_text(_TEXT + f"# {tag}\n", ["scaled"], namespace={"FACTOR": factor})


def test_the_same_content_is_the_same_module_and_other_content_another():
    one, same, other = _module(2.0, "same"), _module(2.0, "same"), _module(3.0, "same")
    assert one is same
    assert one is not other
    assert one.__name__ != other.__name__


def test_objects_that_are_no_numbers_keep_modules_apart():
    text = "def ask():\n    return answer()\n"
    modules = [compile_text(text, namespace={"answer": answer}) for answer in (lambda: 1, lambda: 2)]
    assert [module.ask() for module in modules] == [1, 2]


def test_long_tuples_and_the_order_of_elements_keep_modules_apart():
    rows, other = np.arange(2000.0), np.arange(2000.0)
    other[1000] = 7.0
    square = np.arange(6.0).reshape(2, 3)
    for pair in (((rows,), (other,)), (square, np.asfortranarray(square))):
        one, another = (compile_text("def ask():\n    return GIVEN\n", namespace={"GIVEN": given}) for given in pair)
        assert one.__name__ != another.__name__


def test_a_traceback_shows_the_generated_line():
    module = compile_text("def fail(x):\n    return x / 0  # nothing to divide by\n")
    with pytest.raises(ZeroDivisionError) as caught:
        module.fail(1)
    assert "nothing to divide by" in "".join(traceback.format_exception(caught.value))


def test_a_name_that_the_text_does_not_define():
    with pytest.raises(rg.UsageError, match=r"'absent' was to be compiled, and the text .* defines no such function"):
        compile_text("x = 1\n", ["absent"])


def test_compiled_functions_are_not_handed_in():
    with pytest.raises(rg.UsageError, match="compiled by itself"):
        compile_text("def f(x):\n    return g(x)\n", ["f"], namespace={"g": _module(2.0, "handed").scaled})


_PROCESS = """
import sys, logging
logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
import numpy as np
from retrograde.python.compiling import compile_text
text = sys.stdin.read()
module = compile_text(text, ["scaled"], namespace={"FACTOR": 2.5})
print(module.driver(np.arange(3.0))[0].tolist(), "hits", sum(module.scaled.stats.cache_hits.values()))
"""


def _started() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    return process


def _result(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(_TEXT, timeout=100)
    assert process.returncode == 0
    return out


def test_the_next_process_finds_the_code_and_damage_is_compiled_anew(folder: Path):
    first, second = _started(), _started()
    for process in (first, second):  # two at once
        assert _result(process).startswith("[0.0, 2.5, 5.0]")
    assert "[0.0, 2.5, 5.0] hits 1" in _result(_started())
    (entry,) = folder.glob("*.code")
    whole = entry.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 16
    entry.write_bytes(bytes(flipped))
    out = _result(_started())
    assert "damaged; it is compiled anew" in out
    assert "[0.0, 2.5, 5.0] hits 0" in out
    assert entry.read_bytes() != bytes(flipped)
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b"", b"nothing of the kind" * 10):
        assert _loaded(entry, damaged) is None


def _loaded(entry: Path, content: bytes):
    """What a cache of this process finds in a file of such content."""
    from numba.core.registry import cpu_target

    from retrograde.python.compiling.stored import StoredCode

    class Here(StoredCode):
        def _path(self, sig, codegen):
            return entry

    entry.write_bytes(content)
    return Here("any", entry.parent).load_overload(None, cpu_target.target_context)


def test_a_right_digest_over_what_cannot_be_unpickled_is_compiled_anew(folder: Path):
    from retrograde.python.compiling import stored

    folder.mkdir()
    entry = folder / "any.code"
    for payload in (b"no pickle", b"", b"\x80\x05N."):
        content = stored._digest(entry.name, payload) + payload
        assert _loaded(entry, content) is None


def test_an_entry_of_another_name_is_not_taken(folder: Path):
    _module(2.0, "renamed").driver(np.ones(2))
    (entry,) = folder.glob("*.code")
    content = entry.read_bytes()
    assert _loaded(folder / "other.code", content) is None


def test_without_a_writable_folder_it_works_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocked = tmp_path / "a_file"
    blocked.write_text("")
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(blocked))
    (out,) = _module(4.0, "no folder").driver(np.ones(2))
    assert out.tolist() == [4.0, 4.0]


def test_the_folder_stays_below_its_size(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from retrograde.python.compiling import stored

    folder.mkdir()
    for at in range(3):
        (folder / f"{at}.code").write_bytes(bytes(100))
        os.utime(folder / f"{at}.code", (at, at))
    monkeypatch.setattr(stored, "_MOST_BYTES", 200)
    stored._trim(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["1.code", "2.code"]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_after_compiling(enabled: bool) -> None:
    module = compile_text(f"def f(x):\n    return x + {int(enabled)}\n", ["f"])
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        assert module.f(1) == 1 + enabled
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


_ELEMENTS = """
import numpy as np

at = np.uint64

def moved(target, source, i):
    target[at(i), 0] = source[at(i + 1), at(0)]
    target[at(i), 1] = source[-1, i]

def all_moved(target, source, flags, line):
    for i in range(source.shape[0] - 1):
        moved(target, source, i)
        flags[at(i)] = target[at(i), 1] == source[1, 0]
        line[at(i)] = i + 0.5
    line[-1] = 7
"""


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int8", "uint16", "bool"])
def test_elements_are_reached_as_numpy_reaches_them(dtype: str):
    module = compile_text(_ELEMENTS, ["moved", "all_moved"], inner=["moved"])
    plain: dict[str, Any] = {}
    exec(_ELEMENTS, plain)
    source = (np.arange(12).reshape(4, 3) * (1.5 if dtype[0] in "fc" else 1)).astype(dtype)
    found, wanted = ([np.zeros((3, 2), dtype), source.copy(), np.zeros(3, bool), np.zeros(4, dtype)] for _ in range(2))
    module.all_moved(*found)
    plain["all_moved"](*wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


def test_a_view_with_gaps_is_reached_as_well():
    module = compile_text(_ELEMENTS, ["moved", "all_moved"], inner=["moved"])
    wide = np.arange(48.0).reshape(8, 6)
    target, flags, line = np.zeros((3, 2)), np.zeros(3, bool), np.zeros(4)
    module.all_moved(target, wide[::2, ::2], flags, line)
    assert target.tolist() == [[12.0, 36.0], [24.0, 38.0], [36.0, 40.0]]
    assert line.tolist() == [0.5, 1.5, 2.5, 7.0]


def test_what_only_compiled_functions_call_has_no_file_of_its_own(folder: Path):
    module = compile_text(_ELEMENTS + "# kept\n", ["moved", "all_moved"], inner=["moved"])
    module.all_moved(np.zeros((1, 2)), np.ones((2, 1)), np.zeros(1, bool), np.zeros(1))
    assert [path.name.split("-")[1] for path in folder.glob("*.code")] == ["all_moved"]
