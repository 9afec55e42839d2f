"""Writing YAML."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from extcp_manifests.errors import InvalidInput, Path, Problem, require

MAX_DEPTH = 100


MOST_PROBLEMS = 20


_LONGEST_KEY = 1000
"""Parsers look for the colon behind a key no further than 1,024 characters."""


# ---------------------------------------------------------------------------------------------------------------- dump


def dump(document: Any) -> str:
    """One document of plain data as YAML that ends in a newline.

    Raises InvalidInput, with the path of the value, for anything but mappings with text keys (of up to 1,000
    characters), sequences, text, whole numbers of 64 bits, finite floats, booleans and None, and for data nested deeper
    than 100 levels.
    """
    lines: list[str] = []
    try:
        if _is_block(document):
            _block(document, "", "", lines, 1)
        else:
            lines.append(f"{_flow(document)}\n")
    except _UnwritableError:
        raise InvalidInput(unwritable(document)) from None
    return "".join(lines)


def dump_all(documents: Iterable[Any]) -> str:
    """Several documents, `---` between them."""
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
    """Return the problems of data that `dump` does not write, the first 20; their paths begin with the place."""
    return tuple(islice(_unwritable(data, place), MOST_PROBLEMS))


_SHOWN_DEPTH = 20
"""How many keys of a place are shown where data is nested too deep."""


class _UnwritableError(Exception):
    """The data holds something that YAML for Go cannot carry."""


def _block(value: Any, head: str, indent: str, lines: list[str], depth: int) -> None:
    """Append the lines of a collection that is not empty: the first begins with head, the others with indent."""
    if depth > MAX_DEPTH:
        raise _UnwritableError
    inner = f"{indent}  "
    if type(value) is dict or isinstance(value, Mapping):
        for key, item in value.items():
            kind = type(item)
            if kind is str:
                lines.append(f"{head}{_KEYS[key]} {_TEXTS[item] or _literal(item, indent)}\n")
            elif not _is_block(item):
                lines.append(f"{head}{_KEYS[key]} {_flow(item)}\n")
            else:
                lines.append(f"{head}{_KEYS[key]}\n")
                deeper = inner if kind is dict or isinstance(item, Mapping) else indent
                _block(item, deeper, deeper, lines, depth + 1)
            head = indent
    else:
        for item in value:
            if _is_block(item):
                _block(item, f"{head}- ", inner, lines, depth + 1)
            else:
                lines.append(f"{head}- {_flow(item, indent)}\n")
            head = indent


def _is_block(value: Any) -> bool:
    kind = type(value)
    if kind is dict or kind is list:
        return bool(value)
    if kind is str or kind is bool or kind is int:
        return False
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes | bytearray) and len(value) > 0


def _flow(value: Any, indent: str = "") -> str:
    """A scalar or an empty collection; only text of several lines goes on below its first line."""
    match value:
        case True:
            return "true"
        case False:
            return "false"
        case str():
            text = str.__str__(value)
            return _TEXTS[text] or _literal(text, indent)
        case int() if -(2**63) <= value < 2**63:
            return int.__repr__(value)
        case None:
            return "null"
        case float() if math.isfinite(value):
            digits = float.__repr__(value)
            return digits if "." in digits else digits.replace("e", ".0e")  # YAML 1.1 wants the point: 1.0e+16
        case Mapping():
            return "{}"
        case Sequence() if not isinstance(value, bytes | bytearray):
            return "[]"
        case _:
            raise _UnwritableError


def _literal(text: str, indent: str) -> str:
    inner = f"\n{indent}  "
    lines = text.removesuffix("\n").split("\n")
    return ("|" if text.endswith("\n") else "|-") + "".join(f"{inner}{line}" if line else "\n" for line in lines)


def _text(text: str) -> str:
    """Text in one line, or nothing where it is better written as a block."""
    if "\n" in text and not _UNFIT_FOR_BLOCK.search(text):
        return ""
    return _quoted(text)


def _key(key: Any) -> str:
    """A key with its colon, in one line."""
    if not isinstance(key, str) or len(text := _quoted(str.__str__(key))) > _LONGEST_KEY:
        raise _UnwritableError
    return f"{text}:"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else f'"{_ESCAPED.sub(_escape, text)}"'


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


_KEYS = _Memo(_key)


_TEXTS = _Memo(_text)


# Plain text begins with a letter, `_` or `/`, so that it is no number, date or indicator, and is no word that some
# parser takes for a boolean or null, nor the exponent of a number (`e1`), which lax parsers take for a float; ": " and
# " #" never occur in it.
_PLAIN = re.compile(
    r"(?!(?i:y|n|yes|no|on|off|true|false|null|e[-+]?[0-9]+)\Z)"
    r"[A-Za-z_/](?:[-A-Za-z0-9_./@%+=~,;()\[\]{}'*&!|<>?^$\\]|:(?=[-A-Za-z0-9_./\[])| (?=[A-Za-z0-9_(/]))*"
)


# Escaped: what no parser may see raw, and what a reader would not see (line separators, direction marks, blanks).
_INVISIBLE = (
    "\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff0-\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)


_ESCAPED = re.compile(f'["\\\\\t\n{_INVISIBLE}\ud800-\udfff]')


# Not written as a block: text with such characters or tabs, a first line that starts with a blank, lines of blanks
# alone, and more than one newline at the end.
_UNFIT_FOR_BLOCK = re.compile(f"[\t{_INVISIBLE}\ud800-\udfff]|\\A[ \n]|^ +$|\n\n\\Z", re.MULTILINE)


SURROGATE = re.compile("[\ud800-\udfff]")


_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise _UnwritableError
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unwritable(value: Any, place: Path, depth: int = 0) -> Iterator[Problem]:
    """Each value that cannot be written; only called once it is known that there is one."""
    if depth >= MAX_DEPTH and _is_block(value):
        yield Problem(place[:_SHOWN_DEPTH], f"is nested deeper than {MAX_DEPTH} levels: flatten it")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                yield Problem(place, f"the key {key!r} is no text: write it as a string")
            elif SURROGATE.search(key):
                yield Problem(place, f"the key {key[:40]!r} is no valid text: correct it")
            elif len(_quoted(key)) > _LONGEST_KEY:
                yield Problem(place, f"the key {key[:40]!r}... has {len(key)} characters: shorten it")
            else:
                yield from _unwritable(item, (*place, key), depth + 1)
    elif _is_block(value):
        for index, item in enumerate(value):
            yield from _unwritable(item, (*place, index), depth + 1)
    else:
        try:
            _flow(value)
        except _UnwritableError:
            yield Problem(
                place,
                f"a {type(value).__name__} that YAML cannot carry: "
                "use valid text, a 64-bit whole number, a finite float, a boolean or None",
            )
