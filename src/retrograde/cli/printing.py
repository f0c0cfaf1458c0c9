"""What commands write: tables or pure JSON on standard output, files where they are asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retrograde.errors import UsageError

if TYPE_CHECKING:
    from retrograde.report import Table


def print_tables(tables: Sequence[Table]) -> None:
    """Write tables and their notes to standard output."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from retrograde.report import rich_table

    # What is not a terminal has no width of its own: nothing is cut off there.
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 400)
    for table in tables:
        console.print(Text(table.title, style="bold"))
        console.print(Padding(rich_table(table), (1, 0), expand=False))
        for note in table.notes:
            console.print(Text(note))


def print_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def tell(message: str) -> None:
    """Write a line to standard error."""
    click.echo(f"retrograde: {message}", err=True)


def check_writable(*paths: str | None) -> None:
    """Refuse paths that a file cannot be written to, before any work is done for it.

    Raises:
        UsageError: the folder is not there, or cannot be written to.
    """
    for path in paths:
        folder = Path(path).parent if path is not None else Path()
        if not folder.is_dir():
            raise UsageError(f"cannot write {path}: there is no folder {folder}; give another path")
        if path is not None and (Path(path).is_dir() or not os.access(folder, os.W_OK)):
            raise UsageError(f"cannot write {path}: it is a folder or lies in a read-only one; give another path")


def write_file(path: str, text: str) -> None:
    """Write a file and say so on standard error.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; give another path") from None
    tell(f"wrote {path}")
