"""Self-contained pages: no network, styles and pictures inside the one file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from retrograde.report.svg import FONT, PALETTE, Figure, style_sheet
from retrograde.report.tables import Table, as_cell

_LAYOUT = f"""
*{{box-sizing:border-box}}
body{{margin:0;font:15px/1.55 {FONT};-webkit-text-size-adjust:100%}}
main{{max-width:960px;margin:0 auto;padding:40px 24px 72px}}
h1{{font-size:26px;line-height:1.25;margin:0 0 6px;letter-spacing:-.01em}}
h2{{font-size:18px;margin:44px 0 10px}}
p{{margin:0 0 12px;max-width:72ch}}
p.lead{{margin-bottom:28px}}
figure{{margin:20px 0 28px}}
figure svg{{display:block;width:100%;height:auto}}
figcaption{{font-size:13px;margin-top:4px;max-width:80ch}}
.scroll{{overflow-x:auto;margin:16px 0 8px}}
table{{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}}
table.facts{{width:auto}}
table.facts td{{padding-right:28px}}
caption{{text-align:left;font-weight:600;padding:0 0 8px}}
th,td{{padding:7px 14px 7px 0;text-align:left;white-space:nowrap;border-bottom:1px solid}}
th{{font-weight:600;font-size:13px;vertical-align:bottom;white-space:normal}}
th:last-child,td:last-child{{padding-right:0}}
.n{{text-align:right}}
p.note{{font-size:13px;max-width:none}}
.t-good,.t-bad{{font-weight:600}}
"""


def page(title: str, lead: str, parts: Sequence[str]) -> str:
    """A page out of parts made by the other functions of this file.

    Args:
        title: of the page, plain text.
        lead: a sentence below the title, plain text.
        parts: HTML.

    Example:
        >>> "<h1>1 &lt; 2</h1>" in page("1 < 2", "", [heading("Then"), paragraph("x & y")])
        True
    """
    opening = f'<p class="lead muted">{escape(lead)}</p>' if lead else ""
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{_LAYOUT}{_colours()}{style_sheet()}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{opening}\n{body}\n</main>\n</body>\n</html>\n"
    )


def _colours() -> str:
    light, dark = (_side(side) for side in (0, 1))
    return f"{light}\n@media (prefers-color-scheme: dark){{\n{dark}}}\n"


def _side(side: int) -> str:
    colour = {name: both[side] for name, both in PALETTE.items()}
    return (
        f"body{{background:{colour['surface']};color:{colour['ink']}}}\n"
        f".muted,figcaption,.note,th{{color:{colour['muted']}}}\n"
        f"th,td{{border-color:{colour['grid']}}}\n"
        f".t-good{{color:{colour['series-2']}}}.t-bad{{color:{colour['budget']}}}.t-muted{{color:{colour['muted']}}}\n"
    )


def heading(text: str) -> str:
    """A heading within the page."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def figure(picture: Figure, caption: str = "") -> str:
    """A picture with a caption below."""
    below = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>\n{picture.inline()}{below}\n</figure>"


def table(content: Table, *, titled: bool = True) -> str:
    """A table with its notes below; it scrolls sideways where the screen is narrow."""
    numeric = [column.startswith(">") for column in content.columns]
    head = "".join(
        f'<th scope="col"{_class(n)}>{_lines(column.removeprefix(">"))}</th>'
        for column, n in zip(content.columns, numeric, strict=True)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(_data(as_cell(c).text, as_cell(c).tone, n) for c, n in zip(row, numeric, strict=True))
        + "</tr>"
        for row in content.rows
    )
    caption = f"<caption>{escape(content.title)}</caption>" if content.title and titled else ""
    notes = "".join(f'<p class="note">{escape(note)}</p>\n' for note in content.notes)
    opening = f"<thead><tr>{head}</tr></thead>" if any(column.strip(">") for column in content.columns) else ""
    kind = "" if opening else ' class="facts"'
    return f'<div class="scroll"><table{kind}>{caption}{opening}\n<tbody>\n{rows}\n</tbody></table></div>\n{notes}'


def _data(text: str, tone: str, numeric: bool) -> str:
    classes = " ".join([*(["n"] if numeric else []), *([f"t-{tone}"] if tone else [])])
    return f'<td class="{classes}">{escape(text)}</td>' if classes else f"<td>{escape(text)}</td>"


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.split("\n"))


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""
