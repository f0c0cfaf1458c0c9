"""``retrograde check``: derivatives of a function in a file, against numerical ones."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from retrograde.cli.checked_file import arguments_of, function_in, load_function
from retrograde.cli.exits import EXIT_CHECK_FAILED, EXIT_DONE
from retrograde.cli.loading import described
from retrograde.cli.printing import print_json, print_tables
from retrograde.errors import RetrogradeError, UsageError

if TYPE_CHECKING:
    from retrograde.autodiff.checking import GradientReport


@click.command("check")
@click.argument("target", metavar="FILE.py:FUNCTION")
@click.option("--args", "arguments", metavar="'np.ones(3), 2.0'", help="Where to check: Python, as in a call.")
@click.option("--gradient", metavar="NAME", help="Check this function of the file as the gradient.")
@click.option("--wrt", multiple=True, metavar="NAME", help="An argument to differentiate by; all when left out.")
@click.option("--order", type=click.IntRange(1, 2), default=1, show_default=True, help="2 for second derivatives, too.")
@click.option("--mode", "modes", multiple=True, help="reverse or forward; both when left out.")
@click.option("--method", default="auto", show_default=True, help="Of the numerical derivatives.")
@click.option("--rtol", type=float, help="The relative tolerance; by the dtype when left out.")
@click.option("--atol", type=float, help="The absolute tolerance.")
@click.option("--point", "points", multiple=True, help="given, sampled, zero or boundary; the first two when left out.")
@click.option("--samples", type=int, default=2, show_default=True, help="How many points to sample.")
@click.option("--bounds", metavar="LOW,HIGH", help='Of all numbers, for example "0," where they must not be negative.')
@click.option("--directions", type=int, help="Random directions for each array, in place of its entries.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random numbers.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
def check_command(
    target: str,
    arguments: str | None,
    gradient: str | None,
    wrt: tuple[str, ...],
    bounds: str | None,
    modes: tuple[str, ...],
    points: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> int:
    """Check the derivatives of a function in a Python file numerically.

    The arguments are those of --args, evaluated in the file's namespace (with NumPy as np), or FUNCTION_arguments in
    the file: a tuple, or a function that returns one.

    Exits with 1 if the derivatives are wrong, or nothing could be told.
    """
    from retrograde.report import gradient_tables

    function, module = load_function(target)
    path, _, name = target.rpartition(":")
    asked: dict[str, Any] = {"wrt": tuple(int(at) if at.isdecimal() else at for at in wrt) or None, **options}
    if gradient is not None:
        asked["gradient"] = function_in(module, gradient, path)
    if modes:
        asked["modes"] = modes
    if points:
        asked["points"] = points
    if bounds is not None:
        asked["bounds"] = _parsed_bounds(bounds)
    report = _checked(target, function, arguments_of(name, module, arguments), asked)
    if as_json:
        print_json(json.loads(report.to_json()))
    else:
        print_tables(gradient_tables(report))
    return EXIT_DONE if report else EXIT_CHECK_FAILED


def _checked(target: str, function: Any, arguments: tuple[Any, ...], asked: dict[str, Any]) -> GradientReport:
    from retrograde.autodiff.checking import check_gradients

    try:
        with contextlib.redirect_stdout(sys.stderr):
            return check_gradients(function, *arguments, **asked)
    except RetrogradeError:
        raise
    except Exception as error:
        raise UsageError(f"{target} failed: {described(error)}") from error


def _parsed_bounds(text: str) -> tuple[float | None, float | None]:
    low, comma, high = text.partition(",")
    try:
        if comma:
            return float(low) if low.strip() else None, float(high) if high.strip() else None
    except ValueError:
        pass
    raise UsageError(f"--bounds {text!r} is not LOW,HIGH; leave one of them away where there is no bound: 0,")
