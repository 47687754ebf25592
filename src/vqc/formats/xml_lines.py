"""XML as a tree whose elements know their line. Files of others: no entities, nothing external."""

from __future__ import annotations

import xml.sax
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Node:
    """An element. line: counts from 1. text: what stands before its first child."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """All elements below this one, in the file's order."""
        for child in self.children:
            yield child
            yield from child.walk()

    def find(self, path: str) -> Iterator[Node]:
        """Elements at `a/b/c` below this one."""
        head, _, rest = path.partition("/")
        for child in self.children:
            if child.tag == head:
                yield from child.find(rest) if rest else (child,)


def read_xml(path: Path) -> Node:
    """The root element of a file.

    Raises xml.sax.SAXParseException where it is no XML, and ValueError (defusedxml's) where it
    declares a document type, and with it entities, or refers to other files.
    """
    from defusedxml import sax

    handler = _Builder()
    with path.open("rb") as stream:
        sax.parse(stream, handler, forbid_dtd=True)
    return handler.root.children[0]


class _Builder(xml.sax.ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {}, 0)
        self._open = [self.root]
        self._where: xml.sax.xmlreader.Locator

    def setDocumentLocator(self, locator: xml.sax.xmlreader.Locator) -> None:
        self._where = locator

    def startElement(self, name: str, attrs: xml.sax.xmlreader.AttributesImpl) -> None:
        node = Node(name, dict(attrs.items()), self._where.getLineNumber() or 0)
        self._open[-1].children.append(node)
        self._open.append(node)

    def characters(self, content: str) -> None:
        node = self._open[-1]
        if not node.children:  # what stands between children is only layout
            node.text += content

    def endElement(self, name: str) -> None:
        self._open.pop()
