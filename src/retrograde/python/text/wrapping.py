"""Long lines, broken at operators and in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WIDTH = 100
"""The most characters of a line, but for what has nowhere to be broken."""

_SIGNS = ((" + ", " - "), (" * ", " / ", " @ "))
"""Where to break a line: rather at the weaker operators."""

_ASSIGNMENT = re.compile(r"[\w.\[\](), :+\-*]*? [+\-*/]?= ")

_STEP = "    "


def wrapped(line: str) -> list[str]:
    """A statement as lines that are not too long."""
    if len(line) <= _WIDTH or line.lstrip().startswith(("#", "raise ")):
        return [line]
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    for word in ("return ", "del "):
        if text.startswith(word):
            return _listed(word, text.removeprefix(word), indent)
    assignment = _ASSIGNMENT.match(text)
    if assignment is not None:
        return _assigned(assignment[0], text[assignment.end() :], indent)
    return list(_bracketed(text, indent))


def _listed(word: str, values: str, indent: str) -> list[str]:
    """`return` and several values, or `del` and several names, in parentheses."""
    if len(list(_cut(values, (", ",)))) == 1:
        return list(_bracketed(f"{word}{values}", indent))
    return [f"{indent}{word}(", *_items(values, f"{indent}{_STEP}"), f"{indent})"]


def _assigned(target: str, value: str, indent: str) -> list[str]:
    if any(len(list(_cut(value, signs))) > 1 for signs in _SIGNS):
        return [f"{indent}{target}(", *_inside(value, f"{indent}{_STEP}"), f"{indent})"]
    return list(_bracketed(f"{target}{value}", indent))


def _inside(text: str, indent: str) -> Iterator[str]:
    """An expression that stands in brackets, as lines."""
    if len(indent) + len(text) <= _WIDTH:
        yield indent + text
        return
    cuts = (list(_cut(text, signs)) for signs in _SIGNS)
    parts = next((parts for parts in cuts if len(parts) > 1), None)
    if parts is None:
        yield from _bracketed(text, indent)
    else:
        yield from _filled(parts, indent, " ")


def _bracketed(text: str, indent: str, closing: str = "") -> Iterator[str]:
    """A text broken in the widest of its brackets, behind what closes the one before."""
    spans = [span for span in _brackets(text) if span[1] - span[0] > 1]
    if len(indent) + len(closing) + len(text) <= _WIDTH or not spans:
        yield indent + closing + text
        return
    start, end = max(spans, key=lambda span: span[1] - span[0])
    yield f"{indent}{closing}{text[: start + 1]}"
    yield from _items(text[start + 1 : end], f"{indent}{_STEP}")
    yield from _bracketed(text[end + 1 :], indent, text[end])


def _items(text: str, indent: str) -> Iterator[str]:
    """What commas part, as lines."""
    parts = list(_cut(text, (", ",)))
    if len(parts) == 1:
        yield from _inside(text, indent)
    else:
        yield from _filled([parts[0], *(part.removeprefix(", ") for part in parts[1:])], indent, ", ")


def _filled(parts: list[str], indent: str, between: str) -> Iterator[str]:
    """As many parts to a line as there is room for."""
    line = ""
    for part in parts:
        if line and len(indent) + len(line) + len(between) + len(part) > _WIDTH:
            yield from _inside(line + between.rstrip(), indent)
            line = part
        else:
            line = f"{line}{between}{part}" if line else part
    yield from _inside(line, indent)


def _cut(text: str, signs: tuple[str, ...]) -> Iterator[str]:
    """A text cut in front of the outermost of some signs; of operators, the space in front of them is left out."""
    start = 0
    for at in _outermost(text):
        if at and text.startswith(signs, at):
            yield text[start:at]
            start = at if signs == (", ",) else at + 1
    yield text[start:]


def _outermost(text: str) -> Iterator[int]:
    """The positions of a text that stand in no bracket and in no string."""
    for at, depth in _depths(text):
        if not depth:
            yield at


def _brackets(text: str) -> Iterator[tuple[int, int]]:
    """Where the outermost brackets open and close."""
    start, before = 0, 0
    for at, depth in _depths(text):
        if depth and not before:
            start = at
        elif before and not depth:
            yield start, at
        before = depth


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """The positions of a text outside of strings, and how many brackets are open there; of a closing one, behind it."""
    depth, quote, escaped = 0, "", False
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped
            continue
        if character in "'\"":
            quote = character
            continue
        depth += (character in "([{") - (character in ")]}")
        yield at, depth
