"""YAML for plain data: an emitter whose text every parser reads back alike, and a loader that trusts nobody.

The emitter keeps key order, folds nothing, uses no anchors and writes text of several lines as a block. A string is
left unquoted only where neither YAML 1.1 (PyYAML), YAML 1.2 (ruamel.yaml) nor Go's parser can take it for something
else. The loader reads scalars as Go's parser does, so that a value means what it will mean in the cluster.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml as pyyaml

from extcp_manifests.errors import InvalidInput, Problem, require

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 2_000_000
_MOST_PROBLEMS = 20
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
    require(documents, Iterable, "documents", "a list of documents")
    return "---\n".join(map(dump, documents))


def require_plain(data: Any, place: str = "") -> None:
    """Refuse data that `dump` does not write.

    Raises InvalidInput with the path of each such value, which begins with the place.
    """
    problems = unwritable(data, place)
    if problems:
        raise InvalidInput(problems)


def unwritable(data: Any, place: str = "") -> tuple[Problem, ...]:
    """Return the problems of data that `dump` does not write, the first 20; their paths begin with the place."""
    return tuple(islice(_unwritable(data, place), _MOST_PROBLEMS))


class NotYaml(InvalidInput):
    """A text that no YAML parser reads, in contrast to one that is refused."""


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
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise _UnwritableError
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unwritable(value: Any, path: str, depth: int = 0) -> Iterator[Problem]:
    """Each value that cannot be written; only called once it is known that there is one."""
    if depth >= MAX_DEPTH and _is_block(value):
        yield Problem(path[:80] + "...", f"is nested deeper than {MAX_DEPTH} levels: flatten it")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                yield Problem(path, f"the key {key!r} is no text: write it as a string")
            elif _SURROGATE.search(key):
                yield Problem(path, f"the key {key[:40]!r} is no valid text: correct it")
            elif len(_quoted(key)) > _LONGEST_KEY:
                yield Problem(path, f"the key {key[:40]!r}... has {len(key)} characters: shorten it")
            else:
                yield from _unwritable(item, f"{path}.{key}" if path else key, depth + 1)
    elif _is_block(value):
        for index, item in enumerate(value):
            yield from _unwritable(item, f"{path}[{index}]", depth + 1)
    else:
        try:
            _flow(value)
        except _UnwritableError:
            yield Problem(
                path,
                f"a {type(value).__name__} that YAML cannot carry: "
                "use valid text, a 64-bit whole number, a finite float, a boolean or None",
            )


# ---------------------------------------------------------------------------------------------------------------- load


def load(text: str | bytes) -> Any:
    """The one document of a YAML text as plain data; an empty text is None.

    Raises InvalidInput, whose problems name the line, for text that is not YAML or more than one document, tags,
    duplicate keys, keys that are no text, and anything beyond 16 MiB, 100 levels or 2,000,000 values with every alias
    written out.
    """
    documents = load_all(text)
    if len(documents) > 1:
        raise InvalidInput([Problem("", f"{len(documents)} documents where one is expected: keep the first")])
    return documents[0] if documents else None


def load_all(text: str | bytes) -> list[Any]:
    """Every document of a YAML text as plain data; limits and errors as in `load`."""
    return list(_documents(text))


def load_first(text: str | bytes) -> tuple[Any, bool]:
    """The first document of a YAML text, and whether another one begins; that one is not read.

    Limits and errors as in `load`; an empty text is None.
    """
    documents = _documents(text)
    first = next(documents, None)
    try:
        return first, next(documents, documents) is not documents
    except InvalidInput:
        return first, True


def _documents(text: str | bytes) -> Iterator[Any]:
    require(text, str | bytes, "text", "text or bytes")
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidInput([Problem("", f"{size} bytes are more than the {MAX_BYTES} that are read: split the file")])
    try:
        yield from _Reader(pyyaml.parse(text, Loader=_PARSER)).documents()
    except pyyaml.MarkedYAMLError as error:
        problem = f"not YAML: {error.problem or error.context}"
        raise NotYaml([_at(error.problem_mark or error.context_mark, problem)]) from None
    except (pyyaml.YAMLError, UnicodeError):
        raise NotYaml([Problem("", "not YAML: it holds bytes or characters that YAML does not allow")]) from None


class Lines:
    """The lines of a YAML text, by the places of its values; the text is one that `load_all` has read."""

    def __init__(self, text: str | bytes) -> None:
        events = pyyaml.parse(text, Loader=_PARSER)
        self._documents = [
            _outline(events, next(events), {}) for event in events if isinstance(event, pyyaml.DocumentStartEvent)
        ]

    def line(self, path: str, document: int = 0) -> int | None:
        """Return the line at which the value of a path such as `spec.servers[0].port` begins, counted from 1.

        Where the text goes no further along the path, as for a key that is missing, it is the line of the last value
        on the way; None only for a document that is not there.
        """
        if not 0 <= document < len(self._documents):
            return None
        node = self._documents[document]
        line = node.line
        rest = path
        while rest:
            below = _below(node, rest)
            if below is None:
                break
            line, node, rest = below
        return line


@dataclass(frozen=True, slots=True)
class _Outline:
    """A value of a text: its line, and what is in it."""

    line: int
    keys: Mapping[str, tuple[int, "_Outline"]]
    """The values of a mapping, each with the line of its key."""
    items: Sequence["_Outline"]


def _outline(events: Iterator[Any], event: Any, anchors: dict[str, _Outline]) -> _Outline:
    if isinstance(event, pyyaml.AliasEvent):
        return anchors[str(event.anchor)]
    keys: dict[str, tuple[int, _Outline]] = {}
    items: list[_Outline] = []
    outline = _Outline(_line_number(event), keys, items)
    if isinstance(event, pyyaml.MappingStartEvent):
        while not isinstance(key := next(events), pyyaml.MappingEndEvent):
            _outline(events, key, anchors)  # a key that is no scalar has events of its own
            value = _outline(events, next(events), anchors)
            if isinstance(key, pyyaml.ScalarEvent):
                keys[key.value] = _line_number(key), value
    elif isinstance(event, pyyaml.SequenceStartEvent):
        while not isinstance(item := next(events), pyyaml.SequenceEndEvent):
            items.append(_outline(events, item, anchors))
    if event.anchor:
        anchors[event.anchor] = outline
    return outline


def _line_number(event: Any) -> int:
    line: int = event.start_mark.line + 1
    return line


def _below(node: _Outline, path: str) -> tuple[int, _Outline, str] | None:
    """Return where the first part of a path begins, its value, and the rest of the path."""
    number = _INDEX.match(path)
    if number is not None and int(number[1]) < len(node.items):
        item = node.items[int(number[1])]
        return item.line, item, path[number.end() :]
    for key, end in _first_keys(path):
        if key in node.keys:
            return (*node.keys[key], path[end:])
    return None


def _first_keys(path: str) -> Iterator[tuple[str, int]]:
    """Yield what may be the first key of a path, longest first, and where it ends; keys may hold dots themselves."""
    begin = 1 if path.startswith(".") else 0
    quoted = _QUOTED_KEY.match(path, begin)
    if quoted is not None:
        with suppress(ValueError):
            yield json.loads(quoted[1]), quoted.end()
    ends = [len(path), *(found.start() for found in _KEY_END.finditer(path, begin + 1, begin + _LONGEST_KEY))]
    for end in sorted(ends, reverse=True):
        yield path[begin:end], end


_INDEX = re.compile(r"\[([0-9]{1,9})\]")
_QUOTED_KEY = re.compile(r'\[("(?:[^"\\]|\\.)*")\]')
_KEY_END = re.compile(r"[.\[]")


_PARSER: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)


class _Reader:
    """Turns parser events into plain data, strictly."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, pyyaml.DocumentStartEvent):
                if event.version not in (None, (1, 1)):
                    raise _problem(event, "Go's parser refuses the directive %YAML unless it is 1.1: leave it out")
                self._anchors = {}
                yield self._node(next(self._events), 0)

    def _node(self, event: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH and isinstance(event, pyyaml.CollectionStartEvent):
            raise _problem(event, f"nested deeper than {MAX_DEPTH} levels: flatten it")
        if isinstance(event, pyyaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        self._count(event, 1)
        self._refuse_tag(event)
        if isinstance(event, pyyaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, pyyaml.SequenceStartEvent):
            value = [self._node(item, depth + 1) for item in self._until(pyyaml.SequenceEndEvent)]
        else:
            value = self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        for event in self._until(pyyaml.MappingEndEvent):
            if _is_merge(event):
                if merged is not None:
                    raise _problem(event, "'<<' stands twice in one mapping: give it a list of mappings")
                merged = self._merge(next(self._events), depth)
                if taken := next((key for key in merged if key in mapping), None):
                    raise _problem(event, f"'<<' stands behind {taken!r}, which it beats in Go alone: write it first")
                continue
            key = self._node(event, depth + 1)
            if not isinstance(key, str):
                raise _problem(event, "the key is no text: put it in quotes")
            if key in mapping:
                raise _problem(event, f"the key {key!r} stands twice in one mapping: remove one")
            mapping[key] = self._node(next(self._events), depth + 1)
        return {**merged, **mapping} if merged else mapping

    def _merge(self, event: Any, depth: int) -> dict[str, Any]:
        value = self._node(event, depth + 1)
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise _problem(event, "only a mapping or a list of mappings can be merged with '<<'")
        return {key: item for source in reversed(sources) for key, item in source.items()}

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _problem(event, f"the alias '*{event.anchor}' points to nothing before it: write the value out")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        return value

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _problem(event, f"more than {MAX_NODES} values with every alias written out: split the file")

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            raise _problem(event, f"the tag {event.tag!r} is not allowed: leave it out")

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event


def _is_merge(event: Any) -> bool:
    return isinstance(event, pyyaml.ScalarEvent) and event.value == "<<" and event.implicit[0]


def _scalar(event: Any) -> Any:
    if not event.implicit[0]:
        return event.value
    value = resolve(event.value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(event, f"the number {event.value} has no JSON form: put it in quotes or choose another")
    return value


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar as Go's parser types it, which is not always YAML 1.1 or 1.2.

    Source: sigs.k8s.io/yaml 1.4.0 with its goyaml.v2; dates stay text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    for pattern, base in _INTEGERS:
        if len(digits) <= _LONGEST_INTEGER and pattern.fullmatch(digits):
            number = int(digits, base)
            if -(2**63) <= number < 2**64:
                return number if number < 2**63 else float(number)
    value = float(digits) if _FLOAT.fullmatch(digits) else math.inf
    return value if math.isfinite(value) else text


_LONGEST_INTEGER = len("-0b") + 64


_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **{form: True for word in ("y", "yes", "true", "on") for form in (word, word.capitalize(), word.upper())},
    **{form: False for word in ("n", "no", "false", "off") for form in (word, word.capitalize(), word.upper())},
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGERS = (
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII), 10),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?0[bB][01]+"), 2),
    (re.compile(r"[-+]?0[oO]?[0-7]+"), 8),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def _problem(event: Any, message: str) -> InvalidInput:
    return InvalidInput([_at(event.start_mark, message)])


def _at(mark: Any, message: str) -> Problem:
    return Problem("", message, line=mark.line + 1 if mark else None)
