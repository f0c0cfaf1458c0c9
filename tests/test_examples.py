"""What the documentation says is run: every example, and every Python block in the README and docs/."""

from __future__ import annotations

import contextlib
import doctest
import linecache
import os
import re
import runpy
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "examples-cache"))
    monkeypatch.chdir(tmp_path_factory.mktemp("examples"))
    yield
    with contextlib.suppress(ImportError):
        import torch

        torch._dynamo.reset()


_LIBRARIES = ("torch", "accelerate", "diffusers", "lightning", "transformers")


def _skip_without_libraries(text: str) -> None:
    for name in _LIBRARIES:
        if name in text and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def _run(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    path = ROOT / "examples" / f"{name}.py"
    _skip_without_libraries(path.read_text())
    runpy.run_path(str(path), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def test_every_example_is_tested_and_short():
    assert {path.stem for path in EXAMPLES} == {
        "a_flood_and_its_gradient",
        "accelerate_loop",
        "differentiate_a_simulation",
        "execute_callbacks",
        "huggingface_trainer",
        "lightning_module",
        "mixed_precision_loop",
        "plan_a_graph",
        "tape_in_a_budget",
        "torch_compile_backend",
        "train_a_digit_classifier",
        "train_on_two_ranks",
        "train_inside_a_budget",
        "two_electrons_in_a_trap",
    }
    assert all(len(path.read_text().splitlines()) < 70 for path in EXAMPLES)


def test_plan_a_graph(capsys):
    lines = _run("plan_a_graph", capsys)
    found = next(line for line in lines if line.startswith("budget 1320 bytes"))
    peak = int(re.search(r"peak (\d+) of 3300 bytes unplanned", found)[1])
    assert 800 <= peak <= 1320
    assert any(line.startswith("a budget of 100 bytes") and "below 800 bytes" in line for line in lines)
    assert lines[-1].startswith("that budget is met: peak ")


def test_execute_callbacks(capsys):
    unplanned, *planned = _run("execute_callbacks", capsys)
    assert unplanned == "unplanned: 488,000 bytes"
    assert len(planned) == 3
    for line, percent in zip(planned, (50, 25, 10), strict=True):
        peak = int(re.search(r": ([\d,]+) bytes", line)[1].replace(",", ""))
        assert peak <= 488_000 * percent // 100
        assert line.endswith("equal: True")


def test_the_gradient_of_the_callbacks_example_is_right():
    import numpy as np

    example = runpy.run_path(str(ROOT / "examples" / "execute_callbacks.py"))
    graph = example["graph_of_simulation"]()
    start = np.linspace(-1.0, 1.0, example["CELLS"])
    gradient, _ = example["gradient"](graph, example["rg"].plan(graph, "25%"), start)

    def loss(state: np.ndarray) -> np.ndarray:
        for _ in range(example["STEPS"]):
            state = state + example["DT"] * np.sin(state)
        return state**2 / 2

    # Complex step: the cells do not depend on each other, so one call gives every derivative to rounding.
    np.testing.assert_allclose(gradient, loss(start + 1e-30j).imag / 1e-30, rtol=1e-12)


def test_train_inside_a_budget(capsys):
    *steps, last = _run("train_inside_a_budget", capsys)
    budget, predicted = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+)(?= bytes, p|, overhead)", last))
    assert len(steps) == 3
    for line in steps:
        peaks = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) bytes", line)]
        assert peaks[1] <= budget < peaks[0]
        assert peaks[1] == predicted
        assert line.endswith("gradients equal: True")


def test_torch_compile_backend(capsys):
    equal, refused, equal_at_smallest = _run("torch_compile_backend", capsys)
    assert equal == "gradients equal: True"
    assert refused.startswith("refused: 1,024 bytes are too few")
    assert equal_at_smallest == "gradients equal at the smallest budget: True"


def test_differentiate_a_simulation(capsys):
    *program, by_program, forward, difference, second = _run("differentiate_a_simulation", capsys)
    assert program[0].startswith("program misfit_reversed(state: float64[n]")
    assert all(line.endswith("agree: True") for line in (by_program, forward, difference, second))


def test_a_flood_and_its_gradient(capsys):
    lines = _run("a_flood_and_its_gradient", capsys)
    assert "def flood_reversed(depth, inflow, friction, crest, d_return):" in lines
    assert sum(line.endswith(": True") for line in lines) == 4
    peaks = re.search(r"([\d.]+) KiB at once \(([\d.]+) MiB", "".join(lines))
    used, plain = float(peaks[1]), float(peaks[2])
    assert used * 1024 <= 0.01 * plain * 2**20
    assert "  in Python   nothing" in lines


def test_train_a_digit_classifier(capsys):
    first, *_, last = _run("train_a_digit_classifier", capsys)
    read, at_last = (float(re.search(r"([\d.]+) % of unseen", line)[1]) for line in (first, last))
    assert read < 80.0 < 90.0 < at_last


def test_two_electrons_in_a_trap(capsys):
    agree, *steps, exact = _run("two_electrons_in_a_trap", capsys)
    assert agree == "the two Laplacians agree: True"
    assert len(steps) == 7
    assert exact == "exact: True True"


def test_tape_in_a_budget(capsys):
    plain, *budgets, recomputed, refused = _run("tape_in_a_budget", capsys)
    plain_peak = int(plain.split()[3].replace(",", ""))
    assert len(budgets) == 3
    for line in budgets:
        budget, peak = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+(?= bytes)", line))
        assert peak <= budget < plain_peak
        assert line.endswith("gradients equal: True")
    again, operations = (int(number) for number in re.findall(r"\d+", recomputed))
    assert 0 < again < operations
    assert refused.startswith("refused: a tape with a budget of ")


@pytest.mark.parametrize("name", ["accelerate_loop", "huggingface_trainer", "lightning_module", "mixed_precision_loop"])
def test_where_people_train(name, capsys):
    *_, peaks, losses = _run(name, capsys)
    budget, peak, plain_peak = (int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d", peaks))
    assert peak <= budget < plain_peak
    assert losses == "losses equal: True"


def test_train_on_two_ranks():
    path = ROOT / "examples" / "train_on_two_ranks.py"
    _skip_without_libraries(path.read_text())
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(path)]
    source = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    *steps, last = done.stdout.splitlines()
    budget, used = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+)(?= bytes,| used)", last))
    peaks = [int(re.search(r"peak ([\d,]+) bytes", line)[1].replace(",", "")) for line in steps]
    assert last.startswith("2 ranks, one plan: True")
    # In the second step DDP allocates its buckets anew.
    assert len(peaks) == 4
    assert max(peaks[0], *peaks[2:]) == used <= budget


def _keep_sources(test: doctest.DocTest) -> None:
    """Let the functions of a block be read in later blocks, too; doctest shows the sources of the present one only."""
    for number, example in enumerate(test.examples):
        name = f"<doctest {test.name}[{number}]>"
        linecache.cache[name] = (len(example.source), None, example.source.splitlines(keepends=True), name)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_on_a_page_runs(page, monkeypatch):
    """Blocks with prompts are doctests; the others run as they are. Those of one page share their names."""
    blocks = _BLOCK.findall(page.read_text())
    _skip_without_libraries("".join(blocks))
    # Dynamo looks a function's module up by its name.
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = module.__dict__
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    for number, block in enumerate(blocks):
        if ">>> " in block:
            test = doctest.DocTestParser().get_doctest(block, names, f"{page.name}, block {number}", str(page), 0)
            _keep_sources(test)
            test.globs = names
            runner.run(test, clear_globs=False)
        else:
            name = f"<{page.name}, block {number}>"
            linecache.cache[name] = (len(block), None, block.splitlines(keepends=True), name)
            exec(compile(block, name, "exec"), names)
    assert runner.summarize(verbose=False).failed == 0


def test_the_json_in_planning_is_a_graph():
    from retrograde import Graph

    page = (ROOT / "docs" / "planning.md").read_text()
    full, short = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    graph = Graph.from_json(full)
    assert graph == Graph.from_json(graph.to_json())
    assert (graph.name, graph.segment_count, graph.store_all_peak_bytes) == ("small step", 2, 776)
    assert Graph.from_json(short).store_all_peak_bytes == 900


def test_architecture_names_files_that_exist_and_every_room():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    package = ROOT / "src" / "retrograde"
    there = {path.name for path in package.rglob("*.py")}
    assert set(re.findall(r"`(?:[\w/.]*/)?(\w+\.py)`", text)) <= there
    rooms = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(re.findall(r"\*\*`([\w/]+/)`\*\*", text))


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", _BLOCK.sub("", page.read_text())):
            written = target.startswith("https://") or (page.parent / target).exists()
            assert written, f"{page.name}: {target}"
