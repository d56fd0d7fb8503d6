"""A page of HTML in one file: what is given as plain text is escaped, pictures are inline, nothing on it runs or is fetched."""

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

DOI = re.compile(r"doi:(10\.\d{4,9}/[^\s<>\"]*[^\s<>\".,;)])")
HASH = re.compile(r"\b[0-9a-f]{64}\b")
NUMBER = re.compile(r"(> )?[-+]?[\d.,]+(e[-+]?\d+)?(%| ± [\d.]+)?|")
# The page says itself that it needs nothing, so that a browser refuses whatever a name might smuggle in.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
body { margin: 0 auto; max-width: 50rem; padding: 1rem 1.25rem 4rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.5rem 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid #ccc; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p, li { max-width: 44rem; }
a { color: #004a80; }
nav ol { columns: 2; padding-left: 1.4rem; margin: .5rem 0; }
.notice { border-left: .35rem solid #b84a00; background: #fdf1e7; padding: .6rem .9rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd; font-weight: normal; }
thead th { font-weight: 600; border-bottom: 1px solid #777; vertical-align: bottom; }
td.number, th.number { text-align: right; white-space: nowrap; }
.figures { display: flex; flex-wrap: wrap; gap: 1.25rem 1.75rem; align-items: flex-start; }
figure { margin: 0; width: 24rem; max-width: 100%; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .85rem; line-height: 1.4; margin-top: .35rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 1rem 0; }
dt { font-weight: 600; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
dd ul { margin: 0; padding-left: 1.1rem; }
code { font-size: .8em; overflow-wrap: anywhere; }
td code { white-space: nowrap; }
summary { cursor: pointer; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; line-height: 1.35; }
@media (max-width: 40rem) { nav ol { columns: 1; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { @page { margin: 15mm; } body { max-width: none; font-size: 10pt; padding: 0; } .wide { overflow: visible; break-inside: avoid; } figcaption, table { font-size: 8pt; }
  th, td { padding-right: .6rem; } td { overflow-wrap: anywhere; } figure { width: 85mm; } figure, tr, .notice { break-inside: avoid; } h2, h3, caption { break-after: avoid; } }
"""


class Markup(str):
    """Mark a text as HTML that is to stay as it is."""


@dataclass(frozen=True)
class Section:
    """Hold a part of a page with a heading of its own, which the table of contents names."""

    title: str
    blocks: Sequence[Markup]


def page(title: str, notices: Sequence[str], lead: str, sections: Sequence[Section]) -> bytes:
    """Return a whole page: title, notices that no reader must miss, a paragraph, the table of contents and the sections."""
    contents = "".join(f'<li><a href="#{_anchor(one)}">{escape(one.title)}</a></li>' for one in sections)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en-GB">',
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style></head>",
        f"<body><header><h1>{escape(title)}</h1>",
        *(f'<p class="notice"><strong>{escape(notice)}</strong></p>' for notice in notices),
        f"{paragraph(lead)}</header>",
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>',
        "<main>",
        *(f'<section id="{_anchor(one)}"><h2>{escape(one.title)}</h2>\n' + "\n".join(one.blocks) + "</section>" for one in sections),
        "</main></body></html>",
    ]
    # A command line may hold bytes that are no text; they are shown as what they are.
    return ("\n".join(parts) + "\n").encode(errors="backslashreplace")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where there is not one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _anchor(section: Section) -> str:
    return re.sub(r"\W+", "-", section.title.lower())


def heading(text: str) -> Markup:
    """Return a heading below that of a section."""
    return Markup(f"<h3>{escape(text)}</h3>")


def paragraph(text: str) -> Markup:
    """Return a paragraph."""
    return Markup(f"<p>{_inline(text)}</p>")


def listing(items: Sequence[str]) -> Markup:
    """Return a list with a point for each item."""
    return Markup("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")


def terms(pairs: Sequence[tuple[str, str]]) -> Markup:
    """Return a list of terms, each with what it stands for."""
    return Markup("<dl>" + "".join(f"<dt>{escape(term)}</dt><dd>{_inline(text)}</dd>" for term, text in pairs) + "</dl>")


def details(summary: str, *blocks: Markup) -> Markup:
    """Return blocks that are shown when a reader asks for them."""
    return Markup(f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(blocks) + "</details>")


def verbatim(text: str) -> Markup:
    """Return a text whose lines and spaces stay."""
    return Markup(f"<pre>{escape(text)}</pre>")


def table(caption: str, rows: Sequence[Sequence[str]]) -> Markup:
    """Return rows of texts, headers first, as a table that scrolls where it is too wide; columns of numbers stand to the right."""
    head, *body = rows
    right = [bool(body) and all(NUMBER.fullmatch(row[place]) for row in body) for place in range(len(head))]
    looks = [' class="number"' if one else "" for one in right]
    lines = [f"<caption>{escape(caption)}</caption>", "<thead><tr>"]
    lines += [f'<th scope="col"{look}>{escape(cell)}</th>' for cell, look in zip(head, looks, strict=True)]
    lines.append("</tr></thead><tbody>")
    for first, *rest in body:
        cells = "".join(f"<td{look}>{_inline(cell)}</td>" for cell, look in zip(rest, looks[1:], strict=True))
        lines.append(f'<tr><th scope="row"{looks[0]}>{_inline(first)}</th>{cells}</tr>')
    # What scrolls must be reached with the keyboard too.
    name = escape(caption)
    return Markup(f'<div class="wide" role="region" aria-label="{name}" tabindex="0"><table>' + "\n".join(lines) + "</tbody></table></div>")


def picture(png: bytes, alt: str, caption: str) -> Markup:
    """Return a picture with a text for those who do not see it, and a caption."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    width, height = struct.unpack(">II", png[16:24])  # of the image header, the first chunk of a PNG file
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(alt)}">'
    return Markup(f"<figure>{image}<figcaption>{_inline(caption)}</figcaption></figure>")


def gallery(pictures: Sequence[Markup]) -> Markup:
    """Return pictures side by side as far as there is room."""
    return Markup('<div class="figures">' + "\n".join(pictures) + "</div>")


def _inline(text: str) -> str:
    """Return a text escaped, each DOI in it a link and each hash set apart; what is HTML already stays."""
    if isinstance(text, Markup):
        return text
    pieces, end = [], 0
    for found in DOI.finditer(text):
        address = escape("https://doi.org/" + quote(found[1], safe="/:;()"))
        pieces += [escape(text[end : found.start()]), f'<a href="{address}">{escape(found[0])}</a>']
        end = found.end()
    return HASH.sub(r"<code>\g<0></code>", "".join([*pieces, escape(text[end:])]))
