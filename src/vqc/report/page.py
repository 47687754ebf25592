"""The page as a whole: title, answer, contents, parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vqc import __version__
from vqc.report import html
from vqc.report.html import Markup, tag

_STYLE = Path(__file__).with_name("style.css")
_MEANING = (
    "A score is honest where it is of photos of a shoot that neither trained nor chose anything. "
    "Any other one carries its mark."
)


def page(
    title: str, answer: Sequence[str], contents: Sequence[tuple[str, str]], parts: Sequence[Markup]
) -> str:
    """The HTML of a report. contents: names and the ids that they lead to."""
    links = [tag("a", name, href=f"#{target}") for name, target in contents]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        # Written by us and by nobody else: there is nothing to escape.
        tag("style", Markup(_STYLE.read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", title),
            tag("p", " ".join(answer), class_="answer"),
            tag("p", _MEANING, class_="note"),
            tag("nav", html.join(links, " "), aria_label="Contents") if len(links) > 1 else None,
        ),
        tag("main", *parts),
        tag("footer", f"Made by vqc {__version__}."),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
