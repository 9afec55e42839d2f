"""The emitter: plain data into YAML text that every parser reads back alike.

Keys keep their order, nothing is folded, there are no anchors, and text of several lines becomes a block. Text stays
unquoted only where neither YAML 1.1 (PyYAML), YAML 1.2 (ruamel.yaml) nor Go's parser can take it for something else.

A plan of a thousand clusters spends much of its time here. So the functions below append finished lines to one list,
compare the type of a value before they ask for its abstract class, and remember the quoted forms of short texts, of
which most appear in every cluster again.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import NoneType
from typing import Any

from extcp_manifests.errors import InvalidInput, Path, Problem, require, why_not_text
from extcp_manifests.patterns import pattern

MAX_DEPTH = 100
"""How many collections may lie within each other."""

_MOST_PROBLEMS = 20

_LONGEST_KEY = 1000
"""Parsers look for the colon behind a key no further than 1,024 characters."""


def dump(document: Any) -> str:
    """Return one document, plain or one of this library's, as YAML that ends in a newline.

    Raises InvalidInput, with the path of the value, for anything but mappings with text keys (of up to 1,000
    characters), sequences, text, whole numbers of 64 bits, finite floats, booleans and None, and for data nested deeper
    than 100 levels.
    """
    lines: list[str] = []
    try:
        if entries := _entries(document):
            _mapping(entries, "", "", lines, 1)
        elif _is_list(document):
            _list(document, "", "", lines, 1)
        else:
            lines.append(f"{_flow(document)}\n")
    except _UnwritableError:
        raise InvalidInput(unwritable(document)) from None
    return "".join(lines)


def dump_all(documents: Iterable[Any]) -> str:
    """Return several documents as one text, with `---` between them. Raises InvalidInput as `dump` does."""
    require(documents, Iterable, ("documents",), "a list of documents")
    return "---\n".join(map(dump, documents))


def require_plain(data: Any, place: Path = ()) -> None:
    """Refuse data that `dump` does not write.

    Raises InvalidInput with the path of each such value, which begins with the place.
    """
    problems = unwritable(data, place)
    if problems:
        raise InvalidInput(problems)


def unwritable(data: Any, place: Path = ()) -> tuple[Problem, ...]:
    """Return the first 20 problems of data that `dump` does not write; their paths begin with the place."""
    return () if _is_plain(data, MAX_DEPTH) else tuple(islice(_unwritable(data, place), _MOST_PROBLEMS))


# ------------------------------------------------------------------------------------------------------------- writing


class _UnwritableError(Exception):
    """The data holds something that YAML for Go cannot carry; where and what is only then looked for."""


def _mapping(entries: Iterable[tuple[Any, Any]], head: str, indent: str, lines: list[str], depth: int) -> None:
    """Append the lines of a mapping's entries: the first begins with head, the others with indent.

    Lists are not indented below their key, as kubectl and the guide write them.
    """
    if depth > MAX_DEPTH:
        raise _UnwritableError
    inner = f"{indent}  "
    for key, item in entries:
        if type(item) is str:
            lines.append(f"{head}{_KEYS[key]} {_TEXTS[item] or _literal(item, indent)}\n")
        elif below := _entries(item):
            lines.append(f"{head}{_KEYS[key]}\n")
            _mapping(below, inner, inner, lines, depth + 1)
        elif _is_list(item):
            lines.append(f"{head}{_KEYS[key]}\n")
            _list(item, indent, indent, lines, depth + 1)
        else:
            lines.append(f"{head}{_KEYS[key]} {_flow(item)}\n")
        head = indent


def _list(items: Iterable[Any], head: str, indent: str, lines: list[str], depth: int) -> None:
    """Append the lines of a list's items: the first begins with head, the others with indent."""
    if depth > MAX_DEPTH:
        raise _UnwritableError
    inner = f"{indent}  "
    for item in items:
        if below := _entries(item):
            _mapping(below, f"{head}- ", inner, lines, depth + 1)
        elif _is_list(item):
            _list(item, f"{head}- ", inner, lines, depth + 1)
        else:
            lines.append(f"{head}- {_flow(item, indent)}\n")
        head = indent


def _entries(value: Any) -> Collection[tuple[Any, Any]] | None:
    """Return the entries of a mapping or of a document of this library; None for all else."""
    kind = type(value)
    entries: Collection[tuple[Any, Any]] | None = None
    if kind is dict:
        entries = value.items()
    elif kind in _NO_MAPPINGS:
        return None
    elif hasattr(kind, "_entries_"):
        entries = value._entries_()
    elif isinstance(value, Mapping):
        entries = value.items()
    return entries


_NO_MAPPINGS = frozenset({str, list, tuple, bool, int, float, NoneType})


def _is_list(value: Any) -> bool:
    """Return whether a value is a sequence with something in it."""
    kind = type(value)
    if kind is list or kind is tuple:
        return bool(value)
    return kind not in _NO_MAPPINGS and isinstance(value, Sequence) and not isinstance(value, _TEXT) and bool(value)


_TEXT = (str, bytes, bytearray)


def _flow(value: Any, indent: str = "") -> str:
    """Return a scalar or an empty collection, which begins behind its key or dash.

    Only text of several lines goes on in further lines, which are indented by two more than indent.
    """
    match value:
        case True:
            return "true"
        case False:
            return "false"
        case str():
            text = str.__str__(value)  # a subclass may print itself in another way
            return _TEXTS[text] or _literal(text, indent)
        case int() if -(2**63) <= value < 2**63:
            return int.__repr__(value)
        case None:
            return "null"
        case float() if math.isfinite(value):
            digits = float.__repr__(value)
            return digits if "." in digits else digits.replace("e", ".0e")  # YAML 1.1 wants the point: 1.0e+16
        case Sequence() if not isinstance(value, bytes | bytearray):
            return "[]"
        case _ if _entries(value) is not None:
            return "{}"
        case _:
            raise _UnwritableError


def _literal(text: str, indent: str) -> str:
    """Return text as a block: `|`, or `|-` where it does not end in a newline, and its lines."""
    head = "|" if text.endswith("\n") else "|-"
    inner = f"{indent}  "
    lines = [f"{inner}{line}" if line else "" for line in text.removesuffix("\n").split("\n")]
    return "\n".join([head, *lines])


# ------------------------------------------------------------------------------------------------------------- quoting


class _Memo(dict[Any, str]):
    """Remembers a function's answers for the first few thousand short texts; a lookup then costs no call.

    Long texts are not kept, and so no kubeconfig or token is.
    """

    def __init__(self, function: Callable[[Any], str]) -> None:
        self._function = function

    def __missing__(self, key: Any) -> str:
        answer = self._function(key)
        if len(self) < 4096 and len(key) < 64:
            self[key] = answer
        return answer


def _key(key: Any) -> str:
    """Return a key with its colon, in one line."""
    if not isinstance(key, str):
        raise _UnwritableError
    text = _quoted(str.__str__(key))
    if len(text) > _LONGEST_KEY:
        raise _UnwritableError
    return f"{text}:"


def _text(text: str) -> str:
    """Return text in one line, or the empty text where it is better written as a block."""
    if "\n" in text and not _UNFIT_FOR_BLOCK.search(text):
        return ""
    return _quoted(text)


_KEYS = _Memo(_key)
_TEXTS = _Memo(_text)


def _quoted(text: str) -> str:
    """Return text in one line, between double quotes where it needs them."""
    if _PLAIN.fullmatch(text):
        return text
    if text.isascii() and text.isprintable():  # for which the long pattern need not be compiled
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    else:
        escaped = _ESCAPED.sub(_escape, text)
    return f'"{escaped}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:  # half of a surrogate pair, which UTF-8 does not have
        raise _UnwritableError
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"


_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

# Plain text begins with a letter, `_` or `/`, so that it is not a number, date or indicator, and is not a word that
# some parser takes for a boolean or null, nor the exponent of a number (`e1`), which lax parsers take for a float; ": "
# and " #" never occur in it.
_PLAIN = pattern(
    r"(?!(?i:y|n|yes|no|on|off|true|false|null|e[-+]?[0-9]+)\Z)"
    r"[A-Za-z_/](?:[-A-Za-z0-9_./@%+=~,;()\[\]{}'*&!|<>?^$\\]|:(?=[-A-Za-z0-9_./\[])| (?=[A-Za-z0-9_(/]))*"
)

# Escaped: what no parser may see raw, and what a reader would not see (line separators, direction marks, blanks).
_INVISIBLE = (
    "\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff0-\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ESCAPED = pattern(f'["\\\\\t\n{_INVISIBLE}\ud800-\udfff]')

# Not written as a block: text with such characters or tabs, a first line that starts with a blank, lines of blanks
# alone, and more than one newline at the end.
_UNFIT_FOR_BLOCK = pattern(f"[\t{_INVISIBLE}\ud800-\udfff]|\\A[ \n]|^ +$|\n\n\\Z", re.MULTILINE)


# ------------------------------------------------------------------------------------------------------------ problems

_SHOWN_DEPTH = 20
"""How many keys of a place are shown where data is nested too deeply."""


def _is_plain(value: Any, depth: int) -> bool:
    """Return whether data of the usual types can be written, which most can; `depth` is how many levels are allowed.

    What it does not know is looked at by `_unwritable`, which knows everything and takes several times as long.
    """
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is dict:
        if depth == 0:
            return False
        for key, item in value.items():
            if type(key) is not str or len(key) > _SHORT_KEY or not key.isascii() or not _is_plain(item, depth - 1):
                return False
        return True
    if kind is list or kind is tuple:
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    return kind is bool or value is None or (kind is int and -(2**63) <= value < 2**63)


_SHORT_KEY = _LONGEST_KEY // 5
"""A key of ASCII that is no longer is short enough, even if each of its characters is escaped."""


def _unwritable(value: Any, place: Path, depth: int = 0) -> Iterator[Problem]:
    """Yield a problem for each value that cannot be written; `depth` is the number of collections around it."""
    entries = None if hasattr(type(value), "_entries_") else _entries(value)
    if not entries and not _is_list(value):
        try:
            if hasattr(type(value), "_entries_"):  # a document in plain data, which only `dump` takes
                raise _UnwritableError
            _flow(value)
        except _UnwritableError:
            yield Problem(
                place,
                f"a {type(value).__name__} that YAML cannot carry: "
                "use valid text, a 64-bit whole number, a finite float, a boolean or None",
            )
    elif depth >= MAX_DEPTH:
        yield Problem(place[:_SHOWN_DEPTH], f"is nested deeper than {MAX_DEPTH} levels: flatten it")
    elif entries:
        for key, item in entries:
            problem = _why_not_key(key)
            if problem:
                yield Problem(place, problem)
            else:
                yield from _unwritable(item, (*place, key), depth + 1)
    else:
        for index, item in enumerate(value):
            yield from _unwritable(item, (*place, index), depth + 1)


def _why_not_key(key: Any) -> str | None:
    if not isinstance(key, str):
        return f"the key {key!r} is no text: write it as a string"
    if why_not_text(key):
        return f"the key {key[:40]!r} is no valid text: correct it"
    if len(_quoted(key)) > _LONGEST_KEY:
        return f"the key {key[:40]!r}... has {len(key)} characters: shorten it"
    return None
