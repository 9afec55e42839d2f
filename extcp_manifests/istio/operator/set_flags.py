"""`--set` flags of istioctl, by release.

Source: istio 1.24.6 to 1.30.3: operator/pkg/values/map.go, of which 1.30.3 was run; 1.15.7 to 1.23.6:
operator/pkg/manifest/shared.go, operator/pkg/tpath/tree.go.
"""

import math
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from extcp_manifests.documents.dropped import MISSING, Change
from extcp_manifests.documents.lookup import at
from extcp_manifests.errors import InvalidInput, Path, Problem, require
from extcp_manifests.istio.operator.tree_paths import Nodes, PatchError, TreeWriter, split_path
from extcp_manifests.istio.releases import Release
from extcp_manifests.patterns import pattern


def checked_flags(given: Any) -> tuple[str, ...]:
    """Return `--set` flags. Raises InvalidInput for what is not a list of texts."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInput([Problem(("set",), "must be a list of flags, as in ['values.global.meshID=mesh1']")])
    flags = tuple(given)
    for index, flag in enumerate(flags):
        require(flag, str, ("set", index), "text, as in 'values.global.meshID=mesh1'")
    return flags


class FlagWriter:
    """Writes the values of flags into a tree, as istioctl of a release does."""

    def __init__(self, tree: dict[str, Any], release: Release) -> None:
        self._release = release
        self._assigning = _Assigning(tree)
        self._writer = TreeWriter(tree)
        if release.set_writes_as_patches:
            self._writer.treat_as_inserted(tree)

    def write(self, flag: str) -> list[Change]:
        """Write the value of a flag, and return what that changed, in order.

        Raises PatchError with a sentence for a flag that does not fit, with the tree as it was.
        """
        path, value = split_flag(flag, self._release)
        if self._release.set_writes_as_patches:
            return self._write_as_patch(path, value)
        return [self._assigning.write(split_path(f"spec.{path}"), value)]

    def _write_as_patch(self, path: str, value: Any) -> list[Change]:
        """Write a value by the rules of patches, which also make lists and append to them, up to 1.23."""
        if isinstance(value, str) and ": " in value:
            raise PatchError("has a value that reads as a YAML mapping, which would replace the key itself: use a file")
        return self._writer.write_wholly(f"spec.{path}", value)


def split_flag(flag: str, release: Release) -> tuple[str, Any]:
    """Return the path below spec and the typed value of a `--set` flag.

    Raises PatchError with a sentence for a flag that istioctl of the release refuses or misreads.
    """
    path, equals, text = (part.strip() for part in flag.partition("="))
    if not equals or not path:
        raise PatchError("is no assignment: write path=value")
    if "=" in text and not release.set_splits_once:
        raise PatchError(f"has a second '=', at which istioctl {release} takes all of it for the path: use a file")
    if path.startswith("spec.") and not release.set_may_begin_with_spec:
        raise PatchError(f"begins with 'spec.', of which istioctl {release} makes spec.spec: leave it out")
    path = path.removeprefix("spec.")
    first, *pieces = split_path(f"spec.{path}")
    if first != "spec" or not pieces:
        raise PatchError("is no path below spec: name a key")
    if any(path.startswith(beginning) for beginning in release.set_as_text):
        return path, text
    return path, typed_value(text)


def typed_value(text: str) -> str | int | float | bool:
    """Return the value of a flag as Go's Atoi, ParseFloat and ParseBool read it, in this order; else text.

    Raises PatchError for infinities and NaN, at which istioctl crashes later.
    """
    trimmed = text.strip()
    if _INTEGER.fullmatch(trimmed) and -(2**63) <= int(trimmed) < 2**63:
        return int(trimmed)
    if _NO_FINITE_NUMBER.fullmatch(trimmed):
        raise PatchError("has a value that istioctl takes for a number without JSON form, and crashes: use a file")
    if _HEXADECIMAL.fullmatch(trimmed):
        return _finite(float.fromhex, trimmed)
    if _DECIMAL.fullmatch(trimmed):
        return _finite(float, trimmed)
    if trimmed in _BOOLEANS:
        return _BOOLEANS[trimmed]
    return trimmed.replace("\\,", ",")


def _finite(read: Callable[[str], float], text: str) -> str | float:
    """Return the number of a text, or the text itself where it is beyond all numbers."""
    try:
        number = read(text)
    except OverflowError:
        return text
    return number if math.isfinite(number) else text


_INTEGER = pattern(r"[-+]?[0-9]{1,25}")
_DIGITS = "[0-9](?:_?[0-9])*"
_DECIMAL = pattern(rf"[-+]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
_HEXADECIMAL = pattern(r"[-+]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][-+]?[0-9]{1,4}")
_NO_FINITE_NUMBER = pattern(r"[-+]?(?:inf|infinity)|nan", re.IGNORECASE)
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("f", "F", "FALSE", "false", "False"), False),
}


class _Assigning:
    """Writes values as istioctl from 1.24 does: it makes mappings on the way, and a list only gets items at its end."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self._tree = tree
        self._nodes = Nodes(_text_alone)
        self._made: Change | None = None
        """The first node that was made on the way of this value, below which all others are."""

    def write(self, pieces: list[str], value: Any) -> Change:
        """Write a value, and return what that changed. Raises PatchError, with the tree as it was."""
        for piece in pieces:
            if not _is_selector(piece) and ("[" in piece or "]" in piece):
                raise PatchError(
                    f"has the segment {piece!r}, which istioctl does not know: write dots in brackets as \\."
                )
        self._made = None
        try:
            return self._write(pieces, value)
        except PatchError:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._made is None:
            return
        *above, last = self._made.place
        node = at(self._tree, *above)
        if isinstance(node, list):
            self._nodes.delete(node, len(node) - 1)
        else:
            self._nodes.remove(node, str(last))

    def _write(self, pieces: list[str], value: Any) -> Change:
        node: Any = self._tree
        place: Path = ()
        for piece, following in pairwise(pieces):
            part = self._step(node, piece, following, place)
            node = node[part]
            place = (*place, part)
        last = pieces[-1]
        if isinstance(node, dict) and not _is_selector(last):
            change = Change((*place, last), node.get(last, MISSING))
            self._nodes.set(node, last, value)
        elif isinstance(node, list) and _is_selector(last):
            if self._position(node, last) is not None:
                raise PatchError(f"sets the item {last} itself, at which istioctl crashes: name a key of it")
            change = Change((*place, len(node)), MISSING)
            self._nodes.append(node, value)
        else:
            raise PatchError(
                f"does not fit at {last!r}, at which istioctl crashes: select items of lists, keys of mappings"
            )
        return self._made or change

    def _step(self, node: Any, piece: str, following: str, place: Path) -> str | int:
        """Return the key or the index of one piece of a path, made if it is missing; `following` is the next piece."""
        if isinstance(node, dict) and not _is_selector(piece):
            if piece not in node:
                self._note_made((*place, piece))
                self._nodes.set(node, piece, [] if _is_selector(following) else {})
            elif node[piece] is None:
                raise PatchError(
                    f"goes through {piece!r}, which is null, and istioctl drops it silently: take the null away"
                )
            return piece
        if isinstance(node, list) and _is_selector(piece):
            position = self._position(node, piece)
            if position is not None:
                return position
            self._note_made((*place, len(node)))
            self._nodes.append(node, {})
            return len(node) - 1
        raise PatchError(
            f"does not fit at {piece!r}, at which istioctl crashes: select items of lists, keys of mappings"
        )

    def _note_made(self, place: Path) -> None:
        self._made = self._made or Change(place, MISSING)

    def _position(self, items: list[Any], selector: str) -> int | None:
        """Return where the item is that a selector points to, or None for a new one at the end."""
        inner = selector[1:-1]
        if re.fullmatch(r"[-+]?[0-9]{1,9}", inner):
            index = int(inner)
            return index if 0 <= index < len(items) else None
        key, colon, value = inner.partition(":")
        if not colon:
            raise PatchError(f"has the selector {selector}: use a number or key:value")
        position = self._nodes.first_with(items, key, value)
        if position is None:
            raise PatchError(f"finds nothing with {selector}: an item that is selected by its content must be there")
        return position


def _text_alone(value: Any) -> str | None:
    """Return a value by which an item can be selected, which is a text."""
    return value if isinstance(value, str) else None


def _is_selector(piece: str) -> bool:
    return piece.startswith("[") and piece.endswith("]")
