"""Long lines, broken at operators."""

from __future__ import annotations

from collections.abc import Iterator

_WIDTH = 100
"""The most characters of a line, but for what has no operator to break it at."""

_SIGNS = ((" + ", " - "), (" * ", " / ", " @ "))
"""Where to break a line: rather at the weaker operators."""


def wrapped(line: str) -> list[str]:
    """An assignment as lines that are not too long, in parentheses if they are several."""
    if len(line) <= _WIDTH or line.endswith(":") or line.lstrip().startswith(("#", "raise ")):
        return [line]
    target, equals, value = line.lstrip().partition("= ")
    indent = line[: len(line) - len(line.lstrip())]
    if not equals or not target.endswith((" ", " +", " -", " *", " /")):
        return [line]
    parts = next((parts for signs in _SIGNS if len(parts := list(_parts(value, signs))) > 1), [value])
    if len(parts) == 1:
        return [line]
    return [f"{indent}{target}= (", *_filled(parts, f"{indent}    "), f"{indent})"]


def _parts(value: str, signs: tuple[str, ...]) -> Iterator[str]:
    """An expression cut in front of the outermost of some operators."""
    depth, start = 0, 0
    for at, character in enumerate(value):
        depth += (character in "([{") - (character in ")]}")
        if not depth and at and value.startswith(signs, at):
            yield value[start:at]
            start = at + 1
    yield value[start:]


def _filled(parts: list[str], indent: str) -> Iterator[str]:
    """As many parts to a line as there is room for."""
    line = ""
    for part in parts:
        if line and len(indent) + len(line) + 1 + len(part) > _WIDTH:
            yield indent + line
            line = part
        else:
            line = f"{line} {part}" if line else part
    yield indent + line
