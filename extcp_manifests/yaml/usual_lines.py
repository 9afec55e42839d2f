"""The quick way through usual YAML: block collections with a key or an item in each line, as kubectl and we write them.

Such a text is read line by line, in a third of the time that a parser's events take, and no parser is loaded. A line
means here what it means to every parser. For a text that has anything else in any line there is no answer, and the
parser reads it: comments behind values, escapes, flow collections that are not empty, unquoted text over several lines,
anchors and tags, tabs, characters that are not ASCII, and all that is wrong.
"""

import math
from typing import Any, NamedTuple

from extcp_manifests.patterns import pattern
from extcp_manifests.yaml.limits import MAX_NODES
from extcp_manifests.yaml.scalars import resolve


def usual_documents(text: str) -> list[Any] | None:
    """Return the documents of a text that is written in the usual way; None for another text."""
    # In a line are a key, a value and the mapping that begins there at most, and a list for each dash.
    if 3 * (text.count("\n") + 1) + text.count("- ") > MAX_NODES:
        return None
    try:
        return _Text(text).documents()
    except _UnusualError:
        return None


class _UnusualError(Exception):
    """Something that is left to the parser."""


# --------------------------------------------------------------------------------------------------------- single lines


class _Line(NamedTuple):
    """What a line says, whatever is around it."""

    collection: type[Any]
    """Whether it is in a list, as what begins with a dash, or in a mapping."""
    column: int
    """Where it begins."""
    inner_columns: tuple[int, ...]
    """Where the dashes behind its first one are: those of lists in lists."""
    last_column: int
    """Where its key begins, or its value where there is no key."""
    key: str | None
    kind: int
    value: Any
    """The value of a scalar, the type of an empty collection, or the end of a block."""


_SCALAR, _NOTHING, _EMPTY, _BLOCK = range(4)
"""How a line gives a value: as a scalar, not at all, as an empty collection, or as a block of text below it."""

_NEW_DOCUMENT = "---"

_DEEPEST = 50
"""The most collections around a value; the parser decides what is too deep."""


class _Lines(dict[str, "_Line | None"]):
    """What lines say; None for those that are no part of a document.

    The first many are remembered, since most lines are in a text several times.
    """

    def __missing__(self, line: str) -> _Line | None:
        said = _said_by(line)
        if len(self) < _MANY:
            self[line] = said
        return said


_MANY = 2**16


def _said_by(line: str) -> _Line | None:
    match = _LINE.fullmatch(line)
    if match is None:
        if line == _NEW_DOCUMENT or (line.lstrip(" ")[:1] in ("", "#") and line.isprintable()):
            return None
        raise _UnusualError
    dashes, key, value_of_key, item = match.groups()
    column = match.start(1)
    kind, value = _value(item or value_of_key)
    if key is not None and not isinstance(resolve(key), str):
        raise _UnusualError  # `on:`, which is refused
    if dashes.count("-") > _DEEPEST:
        raise _UnusualError
    if dashes:
        behind = [column + dash.end() for dash in _DASH.finditer(dashes)]
        return _Line(list, column, tuple(behind[:-1]), behind[-1], key, kind, value)
    if key is None:
        raise _UnusualError  # a document that is a scalar, or a further line of text
    return _Line(dict, column, (), column, key, kind, value)


def _value(text: str | None) -> tuple[int, Any]:
    """Return the kind of a value, and the value or what it takes to make it."""
    if text is None:
        return _NOTHING, None
    if text in _NO_SCALARS:
        return _NO_SCALARS[text]
    if text[0] in "\"'":
        return _SCALAR, text[1:-1]
    value = resolve(text)
    if type(value) is float and not math.isfinite(value):
        raise _UnusualError
    return _SCALAR, value


_NO_SCALARS: dict[str, tuple[int, Any]] = {
    "{}": (_EMPTY, dict),
    "[]": (_EMPTY, list),
    "|": (_BLOCK, "\n"),
    "|-": (_BLOCK, ""),
}

# Between quotes there is no escape; a word without quotes begins in no way that could be more than a word, and goes on
# with anything but a comment, `: ` and two blanks.
_SCALARS = (
    r"""\{\}|\[\]|\|-?|"[ !#-\[\]-~]*+"|'[ -&(-~]*+'"""
    r"""|(?:[A-Za-z0-9_/.]|-(?=[0-9]))(?:[-A-Za-z0-9_./@%+=~,;()\[\]{}'"*&!|<>?^$\\`]++|:(?=[^ ])| (?=[^ #:]))*+"""
)
_LINE = pattern(rf" *+((?:- ++)*+)(?:([A-Za-z_][-A-Za-z0-9_./]{{0,500}}+):(?: ++({_SCALARS}))?|({_SCALARS}))")
_DASH = pattern("- +")


# --------------------------------------------------------------------------------------------------------- whole texts


class _Text:
    """Puts the lines of a text together."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._said = _Lines()

    def documents(self) -> list[Any]:
        """Return the documents; one behind `---` may be empty."""
        documents: list[Any] = []
        is_begun = False
        number = 0
        while number < len(self._lines):
            if self._said[self._lines[number]] is not None:
                document, number = self._document(number)
                documents.append(document)
                is_begun = False
                continue
            if self._lines[number] == _NEW_DOCUMENT:
                if is_begun:
                    documents.append(None)
                is_begun = True
            number += 1
        return [*documents, None] if is_begun else documents

    def _document(self, number: int) -> tuple[Any, int]:
        """Return the document that begins with a line, and the number of the line behind it."""
        lines, said, count = self._lines, self._said, len(self._lines)
        # The collections to which further lines may add, and where their keys or dashes are; around all of them is one
        # that has the document, as the value for which its key waits.
        whole: dict[str, Any] = {}
        opened: list[Any] = [whole]
        columns = [-1]
        waiting = "document"
        while number < count:
            line = said[lines[number]]
            if line is None:
                if lines[number] == _NEW_DOCUMENT:
                    break
                number += 1
                continue
            number += 1
            collection, column, inner_columns, last_column, key, kind, value = line
            if waiting and (column > columns[-1] or (column == columns[-1] and collection is list)):
                below = opened[-1][waiting] = collection()
                opened.append(below)
                columns.append(column)
            elif column != columns[-1] or type(opened[-1]) is not collection:
                _close(opened, columns, column, collection)
            for inner_column in inner_columns:
                below = []
                opened[-1].append(below)
                opened.append(below)
                columns.append(inner_column)
            if key is not None and collection is list:
                below = {}
                opened[-1].append(below)
                opened.append(below)
                columns.append(last_column)
            if len(columns) > _DEEPEST:
                raise _UnusualError
            waiting = ""
            if kind == _NOTHING:
                waiting = key or ""
            elif kind == _EMPTY:
                value = value()
            elif kind == _BLOCK:
                block, number = self._block(number, columns[-1])
                value = block + value
            if key is None:
                opened[-1].append(value)
            elif key in opened[-1]:
                raise _UnusualError
            else:
                opened[-1][key] = value
        return whole["document"], number

    def _block(self, number: int, column: int) -> tuple[str, int]:
        """Return the text of a block, without its end, and the number of the line behind it.

        The block is in a collection at a column.
        """
        lines = self._lines
        first = lines[number] if number < len(lines) else ""
        indent = _indent_of(first)
        if indent <= column or not first.strip(" "):
            raise _UnusualError
        content: list[str] = []
        while number < len(lines) and (_indent_of(lines[number]) >= indent or not lines[number].strip(" ")):
            content.append(lines[number][indent:])
            number += 1
        if number == len(lines) and lines[-1]:
            raise _UnusualError  # the text ends within the block, without the line break that ends one
        while not content[-1]:
            content.pop()
        if not all(map(str.isprintable, content)):
            raise _UnusualError
        return "\n".join(content), number


def _close(opened: list[Any], columns: list[int], column: int, collection: type[Any]) -> None:
    """Close the collections that end above a line, so that it adds to the innermost one."""
    while columns[-1] > column or (columns[-1] == column and collection is dict and type(opened[-1]) is list):
        opened.pop()
        columns.pop()
    if columns[-1] != column or type(opened[-1]) is not collection:
        raise _UnusualError


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
