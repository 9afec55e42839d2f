"""What is different between two sets of files or documents, document by document and path by path.

Documents are the same where kind, namespace and name are, and without a name where they are equal or the only ones of
their kind; items of lists are, where they have names of their own. What a Secret holds is never shown.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal

from deepdiff import DeepDiff

from extcp_manifests import yaml
from extcp_manifests.documents.kubernetes import document_name
from extcp_manifests.errors import InvalidInput, require, visible

Sign = Literal["+", "-", "~", " "]


@dataclass(frozen=True, slots=True)
class Change:
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


def compare_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[Change]:
    """What is different between two sets of files, by their paths, in the order of the paths.

    Files that are no YAML are compared as text, which is not shown where it looks as if it held a secret. Raises
    InvalidInput for what is no mapping of texts and bytes.
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
        before, after = ([each for each in yaml.load_all(text) if each is not None] for text in (old, new))
    except InvalidInput:
        if is_yaml:
            yield Change("~", file, "", "the text, which is no YAML that is read here", HIDDEN, HIDDEN)
        else:
            yield _compare_texts(file, old, new)
        return
    if not is_yaml and not any(isinstance(each, Mapping) and "kind" in each for each in (*before, *after)):
        yield _compare_texts(file, old, new)
        return
    changes = list(compare_documents(before, after, file=file))
    yield from changes or [Change("~", file, "", "")]


def _compare_texts(file: str, old: bytes, new: bytes) -> Change:
    texts = [_readable(each) for each in (old, new)]
    if any(text is None or _LIKE_A_SECRET.search(text) for text in texts):
        return Change("~", file, "", "the text", HIDDEN, HIDDEN)
    return Change("~", file, "", "", *texts)


def _readable(content: bytes) -> str | None:
    """The text of a file, or None for what is no text."""
    try:
        text = content.decode()
    except UnicodeError:
        return None
    return None if "\0" in text else text


# Values of credentials by their keys, private keys, documents that hold them, and tokens of service accounts, which are
# JSON Web Tokens (RFC 7519).
_SECRET_TEXT = (
    r"""(?<![\w-])(?:token|password|stringData|client-key-data)["']?\s*:"""
    r"""|(?<![\w-])kind["']?\s*:\s*["']?(?:Secret|Config|Credentials)\b"""
    r"""|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[A-Za-z0-9_-]{8}"""
)


_HOLDS_A_SECRET = re.compile(_SECRET_TEXT)


# Text that no parser takes is not shown either where it may be a document, or has more that sounds like credentials.
_LIKE_A_SECRET = re.compile(
    rf"""{_SECRET_TEXT}|(?<![\w-])(?:kind|data|[\w.-]*(?:token|password|passwd|secret))["']?\s*[:=]""", re.IGNORECASE
)


# ------------------------------------------------------------------------------------------------------------ documents


def compare_documents(old: Iterable[Any], new: Iterable[Any], *, file: str = "") -> Iterator[Change]:
    """What is different between two sets of documents, in the order of the old ones, then of those that are new.

    Raises InvalidInput for what is no list of plain data.
    """
    before, after = _documents("old", old), _documents("new", new)
    pairs = _pairs(before, after)
    for index, document in enumerate(before):
        if index not in pairs:
            yield Change("-", file, document.label, "")
            continue
        partner = after[pairs[index]]
        label = document.label if document.named or not partner.named else partner.label
        yield from _compare(file, label, document.content, partner.content)
    paired = set(pairs.values())
    for index, document in enumerate(after):
        if index not in paired:
            yield Change("+", file, document.label, "")


@dataclass(frozen=True, slots=True)
class _Document:
    """A document of one of the two sets."""

    content: Any
    name: str
    """Kind, namespace and name, as far as it has them."""
    label: str
    """The same for people, with a number where others before it are called alike."""
    kind: str
    namespace: str
    named: bool


def _documents(side: str, given: Iterable[Any]) -> list[_Document]:
    require(given, Iterable, (side,), "a list of documents")
    numbers: Counter[str] = Counter()
    documents = []
    for index, content in enumerate(given):
        yaml.require_plain(content, (side, index))
        for each in _flat([content]):
            name = document_name(each) or "document"
            numbers[name] += 1
            label = name if numbers[name] == 1 else f"{name} ({numbers[name]})"
            head = each if isinstance(each, Mapping) else {}
            metadata = head.get("metadata")
            metadata = metadata if isinstance(metadata, Mapping) else {}
            kind, namespace = str(head.get("kind") or ""), str(metadata.get("namespace") or "")
            documents.append(_Document(each, name, label, kind, namespace, bool(metadata.get("name"))))
    return documents


def _pairs(before: Sequence[_Document], after: Sequence[_Document]) -> dict[int, int]:
    """Which new document is which old one, by their places.

    Documents with names are the same where kind, namespace and name are. One without a name is the one that is equal,
    or else the only one of its kind and namespace, or of its kind, that is left on both sides; what then is still left
    is paired in its order. Each step looks at every document once.
    """
    pairs: dict[int, int] = {}

    def pair(key: Callable[[_Document], Hashable], *, only: bool) -> None:
        left, right = _grouped(before, key, pairs.keys()), _grouped(after, key, set(pairs.values()))
        for value, ours in left.items():
            theirs = right.get(value, [])
            if only and not (len(ours) == len(theirs) == 1):
                continue
            if only and before[ours[0]].named and after[theirs[0]].named:
                continue
            pairs.update(zip(ours, theirs, strict=False))

    pair(lambda each: each.name if each.named else None, only=False)
    pair(lambda each: None if each.named else (each.name, yaml.dump(each.content)), only=False)
    pair(lambda each: (each.kind, each.namespace), only=True)
    pair(lambda each: each.kind, only=True)
    pair(lambda each: None if each.named else each.name, only=False)
    return pairs


def _grouped(
    documents: Sequence[_Document], key: Callable[[_Document], Hashable], taken: Container[int]
) -> dict[Hashable, list[int]]:
    """The places of documents that are not taken, by their keys; a key of None leaves a document out."""
    groups: dict[Hashable, list[int]] = {}
    for index, document in enumerate(documents):
        value = None if index in taken else key(document)
        if value is not None:
            groups.setdefault(value, []).append(index)
    return groups


def _flat(documents: Iterable[Any]) -> Iterator[Any]:
    """Documents, and those in lists such as `kubectl get` writes."""
    for document in documents:
        items = document.get("items") if isinstance(document, Mapping) else None
        if isinstance(items, list) and str(document.get("kind")).endswith("List"):
            kind = str(document["kind"]).removesuffix("List")
            yield from _flat(
                {**({"kind": kind} if kind else {}), **each} if isinstance(each, Mapping) else each for each in items
            )
        else:
            yield document


def _compare(file: str, name: str, old: Any, new: Any) -> Iterator[Change]:
    before, after = _keyed(old), _keyed(new)
    tree = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    found = []
    for kind, levels in tree.items():
        sign: Sign = "+" if kind.endswith("_added") else "-" if kind.endswith("_removed") else "~"
        for level in levels:
            place = level.path(output_format="list")
            values = _shown(before, place, level.t1), _shown(after, place, level.t2)
            found.append(Change(sign, file, name, _path(place) or "the whole", *values))
    yield from sorted(found, key=lambda change: change.path)


def _keyed(value: Any) -> Any:
    """The value with lists of named items as mappings by their names."""
    if isinstance(value, Mapping):
        return {str(key): _keyed(item) for key, item in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return value
    names = [item.get("name") if isinstance(item, Mapping) else None for item in value]
    if names and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return {f"[name={name}]": _keyed(item) for name, item in zip(names, value, strict=True)}
    return [_keyed(item) for item in value]


def _path(place: Sequence[str | int]) -> str:
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


HIDDEN = "(not shown)"


# Documents that hold tokens and keys, and what of them may be shown; keys that hold them in any document.
_SECRET = ("Secret", "Config", "Credentials")


_OPEN = (("apiVersion",), ("kind",), ("type",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "labels"))


_SECRET_KEYS = ("token", "password", "stringData", "client-key-data")


def _shown(document: Any, place: Sequence[str | int], value: Any) -> Any:
    """A value for people, but nothing that a Secret holds, wherever in the document it stands."""
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
    return isinstance(value, Mapping) and value.get("kind") in _SECRET


def _is_open(place: Sequence[str | int]) -> bool:
    return any(tuple(place[: len(each)]) == each for each in _OPEN)


def _masked(value: Any) -> Any:
    """The value without what is secret in it."""
    if _is_secret(value) or (isinstance(value, str) and _HOLDS_A_SECRET.search(value)):
        return HIDDEN
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: HIDDEN if key in _SECRET_KEYS else _masked(item) for key, item in value.items()}
    return value


def _unkeyed(value: Any) -> Any:
    if isinstance(value, list):
        return [_unkeyed(item) for item in value]
    if not isinstance(value, dict):
        return value
    items = {key: _unkeyed(item) for key, item in value.items()}
    return list(items.values()) if items and all(key.startswith("[name=") for key in items) else items


# -------------------------------------------------------------------------------------------------------------- reports


def report(changes: Iterable[Change]) -> Iterator[tuple[Sign, str]]:
    """The lines of a report, each with its sign; each file and document stands once, above what is different in it.

    What is in the files makes no line of its own, nor begins one.
    """
    for sign, line in _report(changes):
        yield sign, visible(line)


def _report(changes: Iterable[Change]) -> Iterator[tuple[Sign, str]]:
    file = document = ""
    for change in changes:
        if change.file != file:
            file, document = change.file, ""
            whole = not change.document and change.sign in "+-"
            yield (change.sign if whole else " "), f"{change.sign if whole else ' '} {file}"
            if whole:
                continue
        indent = "  " if file else ""
        if change.document != document:
            document = change.document
            whole = not change.path and change.sign in "+-"
            yield (change.sign if whole else " "), f"{indent}{change.sign if whole else ' '} {document}"
        if change.path:
            yield from _lines(f"{indent}  ", change)
        elif not change.document:
            yield from _text_lines(indent, change)


_LONGEST_VALUE = 400


def _lines(indent: str, change: Change) -> Iterator[tuple[Sign, str]]:
    if change.sign == "~" and all(isinstance(value, str) and "\n" in value for value in (change.old, change.new)):
        yield "~", f"{indent}~ {change.path}:"
        yield from _text_lines(f"{indent}  ", change)
        return
    values = {"+": [change.new], "-": [change.old], "~": [change.old, change.new]}[change.sign]
    if HIDDEN in values:
        values = [HIDDEN]
    yield change.sign, f"{indent}{change.sign} {change.path}: {' -> '.join(map(_json, values))}"


def _json(value: Any) -> str:
    text = value if value == HIDDEN else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _text_lines(indent: str, change: Change) -> Iterator[tuple[Sign, str]]:
    if change.old is None and change.new is None:
        yield "~", f"{indent}  ~ only comments, layout or the order of keys"
        return
    old, new = (str(text).removesuffix("\n").split("\n") for text in (change.old, change.new))
    for line in list(unified_diff(old, new, lineterm="", n=1))[2:]:
        if line.startswith(" "):
            yield " ", f"{indent}  |{line[1:]}"
        else:
            sign: Sign = "+" if line.startswith("+") else "-" if line.startswith("-") else " "
            yield sign, f"{indent}  {line}"
