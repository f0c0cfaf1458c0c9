"""The command, its subcommands, and what their errors become: one line on standard error and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from retrograde.cli.check_command import check_command
from retrograde.cli.compare_command import compare_command
from retrograde.cli.demo_command import demo_command
from retrograde.cli.doctor import doctor_command
from retrograde.cli.exits import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_INFEASIBLE, EXIT_INTERRUPTED, EXIT_USAGE
from retrograde.cli.plan_command import plan_command
from retrograde.cli.source_command import source_command
from retrograde.errors import (
    BudgetError,
    CaptureError,
    PlanError,
    RetrogradeError,
    UnsupportedError,
    UsageError,
    VersionError,
)


class _Command(click.Group):
    """A group whose errors are one line on standard error, without a traceback, and a stable exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name or "retrograde", complete_var, standalone_mode=False, **extra)
        except (click.ClickException, RetrogradeError) as error:
            text = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"retrograde: {' '.join(text.split())}", err=True)
            code = _exit_code(error)
        except click.Abort:
            click.echo("retrograde: interrupted", err=True)
            code = EXIT_INTERRUPTED
        code = code if isinstance(code, int) else EXIT_DONE
        if standalone_mode:
            sys.exit(code)
        return code


def _exit_code(error: Exception) -> int:
    if isinstance(error, BudgetError):
        return EXIT_INFEASIBLE
    if isinstance(error, PlanError):
        return EXIT_CHECK_FAILED
    if isinstance(error, (click.UsageError, UsageError, UnsupportedError, CaptureError, VersionError)):
        return EXIT_USAGE
    return error.exit_code if isinstance(error, click.ClickException) else EXIT_CHECK_FAILED


@click.group(
    "retrograde",
    cls=_Command,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 a check failed, 2 bad usage, 3 infeasible budget.",
)
@click.version_option(package_name="retrograde", message="%(prog)s %(version)s")
def main() -> None:
    """Exact gradients inside a memory budget."""


for _command in (plan_command, compare_command, check_command, source_command, doctor_command, demo_command):
    main.add_command(_command)
