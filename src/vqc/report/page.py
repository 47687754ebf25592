"""The page as a whole: title, answer, contents, parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vqc import __version__
from vqc.report import html
from vqc.report.answer import Line
from vqc.report.html import Markup, tag

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = Path(__file__).with_name("style.css")
_MEANING = (
    "A score is honest where it is of photos of a shoot that neither trained nor chose anything. "
    "Any other one carries its mark."
)

Links = Sequence[tuple[str, str]]
"""Names, and the ids that they lead to."""


def page(
    title: str, answer: Sequence[Line], parts: Links, runs: Links, sections: Sequence[Markup]
) -> str:
    """The HTML of a report. parts, runs: its contents."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Whatever a name may have smuggled in, the page asks no other machine for anything.
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", title),
        # Written by us and by nobody else: there is nothing to escape.
        tag("style", Markup(_STYLE.read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", title),
            html.definitions([(line.about, _answer(line)) for line in answer], "answer"),
            tag("p", _MEANING, class_="note"),
            _contents(parts, runs),
        ),
        tag("main", *sections),
        tag("footer", f"Made by vqc {__version__}."),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _answer(line: Line) -> Markup:
    verdict = html.verdict("") if line.honest else html.marked(line.mark)
    return html.join([line.text, verdict], " ")


def _contents(parts: Links, runs: Links) -> Markup | None:
    if len(parts) + len(runs) < 2:
        return None
    lines = [("", parts), ("Details: ", runs)]
    return tag(
        "nav",
        *(
            tag("p", name, html.join((tag("a", n, href=f"#{to}") for n, to in links), " "))
            for name, links in lines
            if links
        ),
        aria_label="Contents",
    )
