"""What is different between two sets of files or documents, document by document and path by path.

Documents are the same where kind, namespace and name are; items of lists are, where they have names of their own. What
a Secret holds is never shown.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal

from deepdiff import DeepDiff

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput
from extcp_manifests.kubernetes import document_name
from extcp_manifests.text import UNPRINTABLE

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

    Files that are no YAML are compared as text.
    """
    for file in sorted(old.keys() | new.keys()):
        if file not in new:
            yield Change("-", file, "", "")
        elif file not in old:
            yield Change("+", file, "", "")
        elif old[file] != new[file]:
            yield from _compare_contents(file, old[file], new[file])


def _compare_contents(file: str, old: bytes, new: bytes) -> Iterator[Change]:
    is_yaml = file.lower().endswith((".yaml", ".yml", ".json"))
    try:
        before, after = ([each for each in yaml.load_all(text) if each is not None] for text in (old, new))
    except InvalidInput:
        if is_yaml or b"kind:" in old + new:
            yield Change("~", file, "", "the text, which is no YAML that is read here", HIDDEN, HIDDEN)
            return
        before = after = []
    if not is_yaml and not any(isinstance(each, Mapping) and "kind" in each for each in (*before, *after)):
        yield Change("~", file, "", "", old.decode("utf-8", "replace"), new.decode("utf-8", "replace"))
        return
    changes = list(compare_documents(before, after, file=file))
    yield from changes or [Change("~", file, "", "")]


def compare_documents(old: Iterable[Any], new: Iterable[Any], *, file: str = "") -> Iterator[Change]:
    """What is different between two sets of documents, in the order of the old ones, then of those that are new."""
    before, after = _by_name(old), _by_name(new)
    for name in (*before, *(name for name in after if name not in before)):
        if name not in after:
            yield Change("-", file, name, "")
        elif name not in before:
            yield Change("+", file, name, "")
        else:
            yield from _compare(file, name, before[name], after[name])


def _by_name(documents: Iterable[Any]) -> dict[str, Any]:
    """Documents by kind, namespace and name; those of the same, or of none, by their number too."""
    named: dict[str, Any] = {}
    for document in _flat(documents):
        name = document_name(document) or "document"
        number = 1
        while (key := name if number == 1 else f"{name} ({number})") in named:
            number += 1
        named[key] = document
    return named


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
    tree = DeepDiff(_keyed(old), _keyed(new), view="tree", threshold_to_diff_deeper=0)
    found = []
    for kind, levels in tree.items():
        sign: Sign = "+" if kind.endswith("_added") else "-" if kind.endswith("_removed") else "~"
        for level in levels:
            place = level.path(output_format="list")
            values = _shown(old, place, level.t1), _shown(new, place, level.t2)
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


# Documents that hold tokens and keys, and what of them may be shown.
_SECRET = ("Secret", "Config", "Credentials")
_OPEN = (("apiVersion",), ("kind",), ("type",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "labels"))


def _shown(document: Any, place: Sequence[str | int], value: Any) -> Any:
    """A value for people, but nothing that a Secret holds."""
    secret = isinstance(document, Mapping) and document.get("kind") in _SECRET
    if secret and not any(tuple(place[: len(each)]) == each for each in _OPEN):
        return HIDDEN
    return _unkeyed(value)


def _unkeyed(value: Any) -> Any:
    if isinstance(value, list):
        return [_unkeyed(item) for item in value]
    if not isinstance(value, dict):
        return value
    items = {key: _unkeyed(item) for key, item in value.items()}
    return list(items.values()) if items and all(key.startswith("[name=") for key in items) else items


# -------------------------------------------------------------------------------------------------------------- reports


def report(changes: Iterable[Change]) -> Iterator[tuple[Sign, str]]:
    """The lines of a report, each with its sign; each file and document stands once, above what is different in it."""
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
    old, new = str(change.old).splitlines(), str(change.new).splitlines()
    for line in list(unified_diff(old, new, lineterm="", n=1))[2:]:
        sign: Sign = "+" if line.startswith("+") else "-" if line.startswith("-") else " "
        yield sign, UNPRINTABLE.sub(lambda character: repr(character[0])[1:-1], f"{indent}  {line}")
