"""What is different between two sets of files or documents, document by document and path by path.

Two documents are the same one where kind, namespace and name agree, whatever their apiVersion, so that a document that
moves to another version shows what changes in it. Documents without names are paired by what they hold and by their
kinds. Items of lists are found by their names where all of them have different ones. What a Secret holds is never
shown.
"""

import json
import re
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest
from typing import Any, Literal

from extcp_manifests import yaml
from extcp_manifests.documents.identity import Identity, identity_of
from extcp_manifests.errors import InvalidInput, require, visible
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record

Sign = Literal["+", "-", "~", " "]


class Change(Record):
    """One thing that is different."""

    sign: Sign
    """`+` only in the new set, `-` only in the old one, `~` in both."""
    file: str
    document: str
    """Kind, namespace and name, as in `Gateway istio-system/gw`; empty for a whole file, or one without documents."""
    path: str
    """The place in the document, such as `spec.env[name=A].value`; empty for a whole document."""
    old: Any = None
    new: Any = None

    @property
    def is_whole_file(self) -> bool:
        """Whether the file itself comes or goes."""
        return not self.document and self.sign != "~"

    @property
    def is_whole_document(self) -> bool:
        """Whether the document itself comes or goes."""
        return not self.path and self.sign != "~"


def compare_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[Change]:
    """Yield what is different between two sets of files, by their paths, in the order of the paths.

    Files that are not YAML are compared as text, which is not shown where it looks as if it held a secret. Raises
    InvalidInput for what is not a mapping from text to bytes.
    """
    for name, files in (("old", old), ("new", new)):
        _require_files(name, files)
    for file in sorted(old.keys() | new.keys()):
        if file not in new:
            yield Change("-", file, "", "")
        elif file not in old:
            yield Change("+", file, "", "")
        elif old[file] != new[file]:
            yield from _compare_contents(file, old[file], new[file])


def _require_files(name: str, files: Mapping[str, bytes]) -> None:
    require(files, Mapping, (name,), "a mapping of files")
    for file, content in files.items():
        require(file, str, (name,), "a mapping with texts as its keys")
        require(content, bytes, (name, file), "bytes")


def _compare_contents(file: str, old: bytes, new: bytes) -> Iterator[Change]:
    is_yaml = file.lower().endswith((".yaml", ".yml", ".json"))
    try:
        before, after = _documents_in(old), _documents_in(new)
    except InvalidInput:
        if is_yaml:
            yield Change("~", file, "", "the text, which is no YAML that is read here", HIDDEN, HIDDEN)
        else:
            yield _compare_texts(file, old, new)
        return
    if not is_yaml and not _has_kinds(before) and not _has_kinds(after):
        yield _compare_texts(file, old, new)  # many a text is also YAML: a sentence is a scalar
        return
    changes = list(compare_documents(before, after, file=file))
    if changes:
        yield from changes
    else:
        yield Change("~", file, "", "")


def _documents_in(content: bytes) -> list[Any]:
    return [document for document in yaml.load_all(content) if document is not None]


def _has_kinds(documents: Sequence[Any]) -> bool:
    return any(isinstance(document, Mapping) and "kind" in document for document in documents)


def _compare_texts(file: str, old: bytes, new: bytes) -> Change:
    before, after = _readable(old), _readable(new)
    for text in (before, after):
        if text is None or _LIKE_A_SECRET.search(text):
            return Change("~", file, "", "the text", HIDDEN, HIDDEN)
    return Change("~", file, "", "", before, after)


def _readable(content: bytes) -> str | None:
    """Return the text of a file, or None for what is not text."""
    try:
        text = content.decode()
    except UnicodeError:
        return None
    return None if "\0" in text else text


# ------------------------------------------------------------------------------------------------------------ documents


def compare_documents(old: Iterable[Any], new: Iterable[Any], *, file: str = "") -> Iterator[Change]:
    """Yield what is different between two sets of documents, in the order of the old ones, then of those that are new.

    Raises InvalidInput for what is not a list of plain data.
    """
    before, after = _documents("old", old), _documents("new", new)
    partners = _partners(before, after)
    for index, document in enumerate(before):
        if index not in partners:
            yield Change("-", file, document.label, "")
            continue
        partner = after[partners[index]]
        label = partner.label if partner.has_name and not document.has_name else document.label
        yield from _compare(file, label, document.content, partner.content)
    known = set(partners.values())
    for index, document in enumerate(after):
        if index not in known:
            yield Change("+", file, document.label, "")


class _Document(Record):
    """A document of one of the two sets."""

    content: Any
    """What it holds, as `_keyed` returns it."""
    identity: Identity
    label: str
    """Kind, namespace and name for people, with a number where others before it have the same ones."""

    @property
    def has_name(self) -> bool:
        return bool(self.identity.name)


def _documents(side: str, given: Iterable[Any]) -> list[_Document]:
    require(given, Iterable, (side,), "a list of documents")
    numbers: Counter[str] = Counter()
    documents = []
    for index, document in enumerate(given):
        yaml.require_plain(document, (side, index))
        for content in _flat(document):
            identity = identity_of(content)
            name = str(identity) or "document"
            numbers[name] += 1
            label = name if numbers[name] == 1 else f"{name} ({numbers[name]})"
            documents.append(_Document(_keyed(content), identity, label))
    return documents


def _flat(document: Any) -> Iterator[Any]:
    """Yield the items of a list such as `kubectl get` writes, at any depth, or the document itself."""
    kind = str(document.get("kind")) if isinstance(document, Mapping) else ""
    items = document.get("items") if isinstance(document, Mapping) else None
    if not kind.endswith("List") or not isinstance(items, list):
        yield document
        return
    kind_of_items = kind.removesuffix("List")
    for item in items:
        if kind_of_items and isinstance(item, Mapping):
            yield from _flat({"kind": kind_of_items, **item})  # items of a SecretList need not repeat their kind
        else:
            yield from _flat(item)


def _partners(before: Sequence[_Document], after: Sequence[_Document]) -> dict[int, int]:
    """Return which new document is which old one, by their indices.

    Documents with names are the same where kind, namespace and name agree. One without a name is the one that is equal,
    or else the only one of its kind and namespace, or of its kind, that is left on both sides; what then is still left
    is paired in its order. Each step looks at every document once.
    """
    pairing = _Pairing(before, after)
    pairing.pair_all(_full_name)
    pairing.pair_all(_nameless_content)
    pairing.pair_single(_kind_and_namespace)
    pairing.pair_single(_kind)
    pairing.pair_all(_nameless_identity)
    return pairing.partners


Key = Callable[[_Document], Hashable]
"""What documents are paired by; None leaves a document out."""


def _full_name(document: _Document) -> Hashable:
    return str(document.identity) if document.has_name else None


def _nameless_content(document: _Document) -> Hashable:
    return None if document.has_name else (str(document.identity), _canonical(document.content))


def _kind_and_namespace(document: _Document) -> Hashable:
    return document.identity.kind, document.identity.namespace


def _kind(document: _Document) -> Hashable:
    return document.identity.kind


def _nameless_identity(document: _Document) -> Hashable:
    return None if document.has_name else str(document.identity)


class _Pairing:
    """Pairs the documents of two sets, step by step; what has a partner already is left alone."""

    def __init__(self, before: Sequence[_Document], after: Sequence[_Document]) -> None:
        self._before = before
        self._after = after
        self.partners: dict[int, int] = {}
        """The index of each old document that has a partner, with that of the new one."""

    def pair_all(self, key: Key) -> None:
        """Pair documents of the same key, in their order."""
        for left, right in self._groups(key):
            self.partners.update(zip(left, right, strict=False))

    def pair_single(self, key: Key) -> None:
        """Pair documents of the same key where each side has just one, unless both have names, which then differ."""
        for left, right in self._groups(key):
            if len(left) == len(right) == 1:
                old, new = left[0], right[0]
                if not (self._before[old].has_name and self._after[new].has_name):
                    self.partners[old] = new

    def _groups(self, key: Key) -> list[tuple[list[int], list[int]]]:
        """Return the indices of documents of the same key on both sides that have no partner yet."""
        left = _grouped(self._before, key, self.partners.keys())
        right = _grouped(self._after, key, set(self.partners.values()))
        return [(left[value], right[value]) for value in left if value in right]


def _grouped(documents: Sequence[_Document], key: Key, paired: AbstractSet[int]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for index, document in enumerate(documents):
        if index in paired:
            continue
        value = key(document)
        if value is not None:
            groups.setdefault(value, []).append(index)
    return groups


# ---------------------------------------------------------------------------------------------------- paths and values


Place = tuple[str | int, ...]
"""A place in keyed data."""


class _Difference(Record):
    """A value that only one of two documents has, or that is another one in each."""

    sign: Sign
    place: Place
    """Where it is for people: items of lists that both have are counted as in the old document."""
    place_in_new: Place
    old: Any = None
    new: Any = None


def _compare(file: str, label: str, old: Any, new: Any) -> Iterator[Change]:
    changes = []
    for each in _differences(old, new, (), ()):
        old_shown = None if each.sign == "+" else _shown(old, each.place, each.old)
        new_shown = None if each.sign == "-" else _shown(new, each.place_in_new, each.new)
        changes.append(Change(each.sign, file, label, _path(each.place) or "the whole", old_shown, new_shown))
    yield from sorted(changes, key=lambda change: (change.path, "~+-".index(change.sign)))


def _differences(old: Any, new: Any, place: Place, place_in_new: Place) -> Iterator[_Difference]:
    """Yield what is different between two keyed values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            if key in new:
                yield from _differences(value, new[key], (*place, key), (*place_in_new, key))
            else:
                yield _Difference("-", (*place, key), place_in_new, old=value)
        for key, value in new.items():
            if key not in old:
                yield _Difference("+", (*place, key), (*place_in_new, key), new=value)
    elif isinstance(old, list) and isinstance(new, list):
        for pair in _unequal_pairs(old, new):
            if pair.old is not None and pair.new is not None:
                places = (*place, pair.old), (*place_in_new, pair.new)
                yield from _differences(old[pair.old], new[pair.new], *places)
            elif pair.old is not None:
                yield _Difference("-", (*place, pair.old), place_in_new, old=old[pair.old])
            elif pair.new is not None:
                yield _Difference("+", (*place, pair.new), (*place_in_new, pair.new), new=new[pair.new])
    elif repr(old) != repr(new):  # 1, 1.0, true and "1" are different
        yield _Difference("~", place, place_in_new, old, new)


class _Pair(Record):
    """The indices of an item in the old and the new list; None where a list does not have it."""

    old: int | None
    new: int | None


def _unequal_pairs(old: list[Any], new: list[Any]) -> list[_Pair]:
    """Return which items of two lists are not equal: those between equal ones are paired in their order.

    So an item that is inserted is one addition, and not a change of all that follow. All items are paired in their
    order where that is fewer changes, or as many in lists of scalars.
    """
    before, after = [_canonical(item) for item in old], [_canonical(item) for item in new]
    pairs: list[_Pair] = []
    start, new_start = 0, 0
    for index, new_index in (*_equal_items(before, after), (len(old), len(new))):
        pairs += _in_order(range(start, index), range(new_start, new_index))
        start, new_start = index + 1, new_index + 1
    if len(pairs) < 2:
        return pairs
    in_order = _in_order(range(len(old)), range(len(new)))
    in_order = [pair for pair in in_order if not _is_equal(pair, before, after)]
    is_plain = not any(isinstance(item, dict | list) for item in (*old, *new))
    is_shorter = len(in_order) <= len(pairs) if is_plain else len(in_order) < len(pairs)
    return in_order if is_shorter else pairs


_CANONICAL = json.JSONEncoder(sort_keys=True, default=repr)


def _canonical(value: Any) -> str:
    """Return a text that only equal keyed values have in common."""
    return _CANONICAL.encode(value)


def _in_order(old: range, new: range) -> list[_Pair]:
    return [_Pair(*indices) for indices in zip_longest(old, new)]


def _is_equal(pair: _Pair, before: Sequence[str], after: Sequence[str]) -> bool:
    return pair.old is not None and pair.new is not None and before[pair.old] == after[pair.new]


_MOST_FOR_DIFFLIB = 200
"""The items of both lists up to which difflib aligns them, whose time grows with their square and more."""


def _equal_items(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the indices of items that are the same in both lists, in their order."""
    if len(before) + len(after) <= _MOST_FOR_DIFFLIB:
        for block in SequenceMatcher(a=before, b=after, autojunk=False).get_matching_blocks():
            for offset in range(block.size):
                yield block.a + offset, block.b + offset
        return
    head = _common_length(before, after)
    before_rest, after_rest = before[head:], after[head:]
    tail = _common_length(before_rest[::-1], after_rest[::-1])
    for index in range(head):
        yield index, index
    middle = _same_items(before_rest[: len(before_rest) - tail], after_rest[: len(after_rest) - tail])
    for index, new_index in _rising(middle):
        yield head + index, head + new_index
    for offset in range(tail, 0, -1):
        yield len(before) - offset, len(after) - offset


def _common_length(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many items both lists begin with."""
    for index, (left, right) in enumerate(zip(before, after, strict=False)):
        if left != right:
            return index
    return min(len(before), len(after))


def _same_items(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the indices of each item with those of the same one in the other list, the first with the first."""
    places: dict[str, deque[int]] = {}
    for other, text in enumerate(after):
        places.setdefault(text, deque()).append(other)
    for index, text in enumerate(before):
        if places.get(text):
            yield index, places[text].popleft()


def _rising(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of the pairs whose second numbers rise as the first ones do."""
    lengths: list[int] = []  # the least second number at which a rising part of each length ends
    ends: list[_Rise] = []  # the parts that end there
    for index, other in pairs:
        position = bisect_left(lengths, other)
        rise = _Rise(index, other, ends[position - 1] if position else None)
        lengths[position : position + 1] = [other]
        ends[position : position + 1] = [rise]
    longest = []
    last = ends[-1] if ends else None
    while last is not None:
        longest.append((last.index, last.other))
        last = last.earlier
    return longest[::-1]


class _Rise(Record):
    """A pair, and the one before it in a rising part."""

    index: int
    other: int
    earlier: "_Rise | None"


def _keyed(value: Any) -> Any:
    """Return the value with lists of named items as mappings from `[name=...]`, so that items are found by name."""
    if isinstance(value, Mapping):
        return {str(key): _keyed(item) for key, item in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return value
    names = [item.get("name") if isinstance(item, Mapping) else None for item in value]
    if names and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return {f"[name={name}]": _keyed(item) for name, item in zip(names, value, strict=True)}
    return [_keyed(item) for item in value]


def _unkeyed(value: Any) -> Any:
    """Return a value as it was before `_keyed`."""
    if isinstance(value, list):
        return [_unkeyed(item) for item in value]
    if not isinstance(value, dict):
        return value
    items = {key: _unkeyed(item) for key, item in value.items()}
    is_list = bool(items) and all(key.startswith("[name=") for key in items)
    return list(items.values()) if is_list else items


def _path(place: Sequence[str | int]) -> str:
    """Return a place in keyed data as text: `spec.env[name=A].value`, `values.global."mesh.ID"`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.startswith("[name="):
            text += part
        else:
            key = part if part and not set(part) & set('.[]" ') else json.dumps(part, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


# ------------------------------------------------------------------------------------------------------------- secrets


HIDDEN = "(not shown)"

# Documents that hold tokens and keys, and what of them may be shown; keys that hold them in any document.
_SECRET_KINDS = ("Secret", "Config", "Credentials")
_OPEN = (("apiVersion",), ("kind",), ("type",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "labels"))
_SECRET_KEYS = ("token", "password", "stringData", "client-key-data")

# Values of credentials by their keys, private keys, documents that hold them, and tokens of service accounts, which are
# JSON Web Tokens (RFC 7519).
_SECRET_TEXT = (
    r"""(?<![\w-])(?:token|password|stringData|client-key-data)["']?\s*:"""
    r"""|(?<![\w-])kind["']?\s*:\s*["']?(?:Secret|Config|Credentials)\b"""
    r"""|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[A-Za-z0-9_-]{8}"""
)
_HOLDS_A_SECRET = pattern(_SECRET_TEXT)

# Text that no parser takes is not shown either where it may be a document, or has more that sounds like credentials.
_LIKE_A_SECRET = pattern(
    rf"""{_SECRET_TEXT}|(?<![\w-])(?:kind|data|[\w.-]*(?:token|password|passwd|secret))["']?\s*[:=]""", re.IGNORECASE
)


def _shown(document: Any, place: Sequence[str | int], value: Any) -> Any:
    """Return a value for people, without what a Secret holds, wherever in the document that is."""
    node = document
    for index, part in enumerate(place):
        if part in _SECRET_KEYS or (_is_secret(node) and not _is_open(place[index:])):
            return HIDDEN
        try:
            node = node[part]
        except (LookupError, TypeError):
            break  # the value is not in this one of the two documents
    return _masked(_unkeyed(value))


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("kind") in _SECRET_KINDS


def _is_open(place: Sequence[str | int]) -> bool:
    return any(tuple(place[: len(shown)]) == shown for shown in _OPEN)


def _masked(value: Any) -> Any:
    """Return the value without what is secret in it."""
    if _is_secret(value) or (isinstance(value, str) and _HOLDS_A_SECRET.search(value)):
        return HIDDEN
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: HIDDEN if key in _SECRET_KEYS else _masked(item) for key, item in value.items()}
    return value


# -------------------------------------------------------------------------------------------------------------- reports


Line = tuple[Sign, str]
"""A line of a report, and the sign by which it is coloured."""


def report(changes: Iterable[Change]) -> Iterator[Line]:
    """Yield the lines of a report, each with its sign.

    Each file and document appears once, above what is different in it. What is in the files never makes a line of its
    own, nor begins one.
    """
    for sign, line in _report(changes):
        yield sign, visible(line)


def _report(changes: Iterable[Change]) -> Iterator[Line]:
    file = document = ""
    for change in changes:
        if change.file != file:
            file, document = change.file, ""
            if change.is_whole_file:
                yield change.sign, f"{change.sign} {file}"
                continue
            yield " ", f"  {file}"
        indent = "  " if file else ""
        if change.document != document:
            document = change.document
            sign = change.sign if change.is_whole_document else " "
            yield sign, f"{indent}{sign} {document}"
        if change.path:
            yield from _value_lines(f"{indent}  ", change)
        elif not change.document:
            yield from _text_lines(indent, change)


def _value_lines(indent: str, change: Change) -> Iterator[Line]:
    if change.sign == "~" and _has_lines(change.old) and _has_lines(change.new):
        yield "~", f"{indent}~ {change.path}:"
        yield from _text_lines(f"{indent}  ", change)
        return
    if change.sign == "+":
        values = [change.new]
    elif change.sign == "-":
        values = [change.old]
    else:
        values = [change.old, change.new]
    shown = HIDDEN if HIDDEN in values else " -> ".join(map(_json, values))
    yield change.sign, f"{indent}{change.sign} {change.path}: {shown}"


def _has_lines(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


_LONGEST_VALUE = 400


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _text_lines(indent: str, change: Change) -> Iterator[Line]:
    if change.old is None and change.new is None:
        yield "~", f"{indent}  ~ only comments, layout or the order of keys"
        return
    lines = list(unified_diff(_lines_of(change.old), _lines_of(change.new), lineterm="", n=1))
    for line in lines[2:]:  # the first two name files
        if line.startswith("+"):
            yield "+", f"{indent}  {line}"
        elif line.startswith("-"):
            yield "-", f"{indent}  {line}"
        elif line.startswith("@"):
            yield " ", f"{indent}  {line}"
        else:
            yield " ", f"{indent}  |{line[1:]}"


def _lines_of(text: Any) -> list[str]:
    return str(text).removesuffix("\n").split("\n")
