"""The command as a whole: help, exit codes, errors in one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from retrograde import BudgetError, CaptureError, PlanError, TierError, UsageError, VersionError
from retrograde.cli.main import _Command, main

Run = Callable[..., Result]


def test_help_names_commands_and_exit_codes(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for words in ("plan", "compare", "doctor", "demo", "3 infeasible budget"):
        assert words in result.stdout


def test_version(run: Run) -> None:
    import retrograde

    assert run("--version").stdout == f"retrograde {retrograde.__version__}\n"


def test_an_unknown_command_is_bad_usage(run: Run) -> None:
    result = run("trian")
    assert result.exit_code == 2
    assert result.stderr.startswith("retrograde: No such command 'trian'")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BudgetError("too small", budget_bytes=1, minimum_bytes=2, bound_bytes=1), 3),
        (UsageError("bad"), 2),
        (CaptureError("bad"), 2),
        (VersionError("bad"), 2),
        (PlanError("bad"), 1),
        (TierError("bad"), 1),
        (click.Abort(), 130),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int) -> None:
    @click.group(cls=_Command)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(group, ["fail"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("retrograde: ")


def test_a_message_of_several_lines_becomes_one() -> None:
    @click.group(cls=_Command)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        raise UsageError("first\n  second")

    assert CliRunner().invoke(group, ["fail"]).stderr == "retrograde: first second\n"


def test_a_defect_of_our_own_is_not_hidden() -> None:
    @click.group(cls=_Command)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        raise RuntimeError("a defect")

    assert isinstance(CliRunner().invoke(group, ["fail"]).exception, RuntimeError)


def test_importing_the_command_loads_nothing_heavy() -> None:
    heavy = ("numba", "scipy", "rich", "torch", "rustworkx")
    code = f"import sys, retrograde.cli; print([m for m in {heavy} if m in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert seen == "[]\n"


def test_main_is_the_group() -> None:
    assert isinstance(main, click.Group)
