"""``retrograde source``: the derivative of a function in a file, as text."""

from __future__ import annotations

from typing import Any

import click

from retrograde.cli.checked_file import arguments_of, load_function
from retrograde.cli.exits import EXIT_DONE
from retrograde.cli.printing import print_json


@click.command("source")
@click.argument("target", metavar="FILE.py:FUNCTION")
@click.option("--args", "arguments", metavar="TEXT", help="The arguments it is for, as Python: 'np.ones(3), 2.0'.")
@click.option("--wrt", multiple=True, metavar="NAME", help="An argument to differentiate by; the first when left out.")
@click.option("--of", multiple=True, metavar="NAME", help='An output: "return", or an argument that it changes.')
@click.option("--backend", type=click.Choice(["python", "numba"]), default="python", show_default=True)
@click.option("--explain", "explained", is_flag=True, help="Say what is kept and recomputed, in place of the text.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output: the text and the explanation.")
def source_command(
    target: str,
    arguments: str | None,
    wrt: tuple[str, ...],
    of: tuple[str, ...],
    backend: str,
    explained: bool,
    as_json: bool,
) -> int:
    """Print the derivative of a function in a Python file, as Python that can be run.

    The arguments are those of --args, evaluated in the file's namespace (with NumPy as np), or FUNCTION_arguments in
    the file: a tuple, or a function that returns one.
    """
    import retrograde as rg

    function, module = load_function(target)
    given = arguments_of(target.rpartition(":")[2], module, arguments)
    chosen = tuple(int(at) if at.isdecimal() else at for at in wrt) or 0
    names: Any = of[0] if len(of) == 1 else of or None
    derivative = rg.vjp(function, chosen, of=names, backend=backend)
    if as_json:
        text = rg.source(derivative, *given, backend=backend)
        explanation = rg.explain(derivative, *given).to_json()
        print_json({"function": target, "backend": backend, "source": text, "explanation": explanation})
    elif explained:
        click.echo(str(rg.explain(derivative, *given)))
    else:
        click.echo(rg.source(derivative, *given, backend=backend).rstrip())
    return EXIT_DONE
