"""Paths of patches and `--set` flags, as istioctl reads them: `spec.containers.[name:istiod].env`."""

import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.rules import go_regex


class PatchError(Exception):
    """A patch that istioctl cannot apply; the text is the sentence."""


# ---------------------------------------------------------------------------------------------------- paths and values

SELECTOR = re.compile(r"\[.*\]", re.DOTALL)


KEY_AND_VALUE = re.compile(r"([A-Za-z0-9_-]+):((?:[^:\\]|\\.)*)", re.DOTALL)


def split_path(path: str) -> list[str]:
    """The pieces of a path: keys, and selectors in brackets.

    As in istioctl the path is cleaned like a file's first (`//`, `x/../`), `\\.` is a dot that does not split, and one
    selector may follow a key directly.
    """
    cleaned = posixpath.normpath(re.sub("^//+", "/", path)) if path else ""
    cleaned = cleaned.removeprefix(".")
    cleaned = cleaned[:-1] if cleaned.endswith(".") and not cleaned.endswith("\\.") else cleaned
    pieces = [piece.replace("\\.", ".") for piece in re.split(r"(?<!\\)\.", cleaned) if piece]
    return [part for piece in pieces for part in _key_and_selector(piece)]


def _key_and_selector(piece: str) -> Iterator[str]:
    bracket = piece.find("[")
    if bracket > 0 and piece.endswith("]"):
        yield piece[:bracket]
        yield piece[bracket:]
    else:
        yield piece


def index_of(piece: str) -> int | None:
    """The number of a selector such as `[100]` or `[-1]`."""
    number = re.fullmatch(r"\[([-+]?[0-9]{1,18})\]", piece)
    return int(number[1]) if number else None


def has_value(item: Any, key: str, text: str) -> bool:
    return isinstance(item, dict) and key in item and go_text(item[key]) == text


def matches_pattern(selector: str, item: Any) -> bool:
    """Whether a selector that is a pattern selects an item, which must be no mapping."""
    pattern = selector.removeprefix(":")
    if isinstance(item, dict) or not pattern:
        raise PatchError(f"has the selector [{selector}], which selects no mapping: use key:value or a number")
    try:
        found = go_regex.finds(pattern, go_text(item))
    except go_regex.RegexError as error:
        raise PatchError(f"has the pattern {pattern!r}, but {error}") from None
    if found is None:
        problem = "cannot be tried here: install extcp-manifests[re2], or use a text without operators or a number"
        raise PatchError(f"has the pattern {pattern!r}, which {problem}")
    return found


def go_text(value: Any) -> str:
    """A value as Go prints it."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case float() if value.is_integer():
            return str(int(value))
        case list():
            return f"[{' '.join(map(go_text, value))}]"
        case _:
            return str(value)


def interpret(value: Any) -> Any:
    """What istioctl takes a patch's value for: text that reads as a YAML map, and is no JSON, becomes that map."""
    if not isinstance(value, str):
        return value
    looks_like_a_map = ":" in value if "\n" in value else ": " in value
    if not looks_like_a_map or _is_json_object(value):
        return value
    try:
        read, _ = yaml.load_first(value)
    except yaml.NotYaml:
        return value
    except InvalidInput as error:
        problem = f"reads as YAML that istioctl takes in its own way ({error}): give a mapping instead of text"
        raise PatchError(f"has a value that {problem}") from None
    if read is None:
        return {}
    return read if isinstance(read, dict) else value


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
