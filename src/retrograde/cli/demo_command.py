"""``retrograde demo``: a model trains inside budgets, and an independent meter looks on."""

from __future__ import annotations

import importlib
from typing import Any

import click

from retrograde.cli.engines import torch_engine
from retrograde.cli.exits import EXIT_CHECK_FAILED, EXIT_DONE
from retrograde.cli.printing import check_writable, print_json, print_tables, tell, write_file


@click.command("demo")
@click.option("--steps", type=click.IntRange(min=4), default=30, show_default=True, help="Training steps a budget.")
@click.option(
    "--html", "html_path", default="retrograde-demo.html", show_default=True, metavar="PAGE.html", help="The page."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
def demo_command(steps: int, html_path: str, as_json: bool) -> int:
    """Train a small GPT on the text that CPython carries, under several memory budgets.

    Prints one table and writes a page with the memory timeline of each plan and the trade-off curve. Exits with 1 if
    a measured peak exceeds its budget, or a gradient differs from the unplanned one by a single bit.
    """
    from retrograde.report import demo_json, demo_page, demo_table

    check_writable(html_path)
    torch_engine()
    demo: Any = importlib.import_module("retrograde.torch.demo")
    result = demo.run_demo(steps=steps, progress=tell)
    write_file(html_path, demo_page(result))
    if as_json:
        print_json(demo_json(result))
    else:
        print_tables([demo_table(result)])
    return EXIT_DONE if result.passed else EXIT_CHECK_FAILED
