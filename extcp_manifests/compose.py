"""Composing IstioOperators: files and `--set` flags of one istioctl call, merged as its release does.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/values/map.go, of which 1.30.3 was run;
1.15.7 to 1.23.6: operator/pkg/manifest/shared.go, operator/pkg/util/merge_iop.go, confirmed on a part of its struct.
Profiles are not part of this: the result is what the user says, before istioctl lays it over a profile.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

from deepmerge import Merger
from pydantic import ValidationError

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.istio_operator import IstioOperator
from extcp_manifests.merge import interleaved, overlay
from extcp_manifests.patch import PatchError, split_path, write_into
from extcp_manifests.release import Release, find_release

Input = IstioOperator | Mapping[str, Any] | str | bytes
"""An IstioOperator: typed, plain, or the YAML text of one document."""


def compose(base: Input, *overlays: Input, set: Iterable[str] = (), release: Release | str) -> IstioOperator:  # noqa: A002
    """The IstioOperator that files and `--set` flags come to, in istioctl's order of precedence.

    Later files beat earlier ones, flags beat files, later flags earlier ones. Raises InvalidInput for what is no
    IstioOperator, and for flags that istioctl refuses, misreads or crashes at. A typed IstioOperator has no explicit
    null under its own keys; `compose_plain` keeps them.
    """
    tree = compose_plain(base, *overlays, set=set, release=release)
    try:
        known = {key: value for key, value in tree.items() if value is not None}
        return IstioOperator.model_validate({"metadata": {}, "spec": {}, **known})
    except ValidationError as error:
        places = (".".join(map(str, details["loc"])) for details in error.errors())
        raise InvalidInput(
            Problem(place, "is no part of an IstioOperator as it is: correct it") for place in places
        ) from None


def compose_plain(
    base: Input,
    *overlays: Input,
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
) -> dict[str, Any]:
    """The same as plain data, explicit nulls included, of which 1.24 and later make something."""
    record = find_release(release)
    files = [_read(file, index) for index, file in enumerate((base, *overlays))]
    merge = overlay if record.untyped_operator else strategic_merge
    # The first file is taken as it is, so that up to 1.23 its nulls still delete what the profile says.
    tree: dict[str, Any] = {"apiVersion": "install.istio.io/v1alpha1", **deepcopy(dict(files[0]))}
    for file in files[1:]:
        tree = merge(tree, file)
    problems: list[Problem] = []
    for index, flag in enumerate(checked_flags(set)):
        try:
            tree = _with_flag(tree, flag, record)
        except PatchError as error:
            problems.append(Problem(f"set[{index}]", f"{flag!r} {error}"))
    if problems:
        raise InvalidInput(problems)
    return tree


def checked_flags(given: Any) -> tuple[str, ...]:
    """Return `--set` flags. Raises InvalidInput for what is no list of texts."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInput([Problem("set", "must be a list of flags, as in ['values.global.meshID=mesh1']")])
    flags = tuple(given)
    for index, flag in enumerate(flags):
        require(flag, str, f"set[{index}]", "text, as in 'values.global.meshID=mesh1'")
    return flags


def _read(file: Input, index: int) -> Mapping[str, Any]:
    data: Any = file.plain() if isinstance(file, IstioOperator) else file
    if isinstance(data, str | bytes):
        try:
            data = yaml.load(data)
        except InvalidInput as error:
            raise InvalidInput(replace(each, file=f"files[{index}]") for each in error.problems) from None
    if not isinstance(data, Mapping) or not data.get("kind"):
        raise InvalidInput([Problem(f"files[{index}]", "must be a mapping with `kind: IstioOperator`")])
    yaml.require_plain(data, f"files[{index}]")
    return data


# ------------------------------------------------------------------------------------------------- merging up to 1.23

_GATEWAYS = ("istio-ingressgateway", "istio-egressgateway")
# Lists whose items are merged by a key.
_BY_KEY: Mapping[tuple[str, ...], str] = {
    ("spec", "components", "ingressGateways"): "name",
    ("spec", "components", "egressGateways"): "name",
    ("spec", "meshConfig", "extensionProviders"): "name",
    ("spec", "meshConfig", "configSources"): "address",
    ("spec", "meshConfig", "certificates"): "secretName",
    **{
        ("spec", "values", "gateways", gateway, key): "name"
        for gateway in _GATEWAYS
        for key in ("ports", "secretVolumes", "meshExpansionPorts")
    },
}
# Lists of text that become a union.
_UNIONS = {
    ("spec", "meshConfig", key)
    for key in (
        "trustDomainAliases",
        "defaultServiceExportTo",
        "defaultVirtualServiceExportTo",
        "defaultDestinationRuleExportTo",
    )
}
# Mappings that are replaced as a whole.
_REPLACED = {("spec", "meshConfig", "defaultConfig", key) for key in ("tracing", "gatewayTopology", "sds")}


def strategic_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Kubernetes' strategic merge with istioctl's keys; null deletes.

    istioctl also refuses mappings and lists that stand on both sides under a key that it does not know; those are
    merged here as if it did.
    """
    merged: dict[str, Any] = _STRATEGIC.merge(deepcopy(dict(base)), deepcopy(dict(over)))
    return merged


def _mappings(merger: Merger, path: list[Any], base: dict[str, Any], over: dict[str, Any]) -> Any:
    directive = over.pop("$patch", None)
    if directive == "delete":
        return {}
    if directive == "replace" or tuple(path) in _REPLACED:
        return _without_nulls(over)
    for key, value in over.items():
        if value is None:
            base.pop(key, None)
        elif key in base:
            base[key] = merger.value_strategy([*path, key], base[key], value)
        elif not (isinstance(value, dict) and value.get("$patch") == "delete"):
            base[key] = _without_nulls(value)
    return base


def _lists(merger: Merger, path: list[Any], base: list[Any], over: list[Any]) -> Any:
    key = _BY_KEY.get(tuple(path))
    if key is not None:
        return _by_key(merger, path, key, base, over)
    if tuple(path) in _UNIONS and all(isinstance(item, str) for item in (*base, *over)):
        place = {item: index for index, item in enumerate(base)}
        return interleaved([item for item in place if item not in over], list(dict.fromkeys(over)), place)
    return over


def _by_key(merger: Merger, path: list[Any], key: str, base: list[Any], over: list[Any]) -> list[Any]:
    place = ".".join(path)
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in over):
        return [_without_nulls(item) for item in over if not (isinstance(item, dict) and "$patch" in item)]
    for index, item in [*enumerate(base), *enumerate(over)]:
        if not isinstance(item, dict) or not isinstance(item.get(key), str | None):
            raise InvalidInput([Problem(f"{place}[{index}]", f"must be a mapping whose {key} is text: correct it")])
        if not item.get(key):
            problem = "is required where two files have the list: add it"
            raise InvalidInput([Problem(f"{place}[{index}].{key}", problem)])
    names = [item[key] for item in base]
    items = dict(zip(names, base, strict=True))
    changes = {item[key]: item for item in over}
    for name, item in changes.items():
        items[name] = merger.value_strategy([*path, "*"], items[name], item) if name in items else _without_nulls(item)
    left = [name for name in names if name not in changes]
    right = [name for name, item in changes.items() if items[name]]
    return [items[name] for name in interleaved(left, right, {name: place for place, name in enumerate(names)})]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None and key != "$patch"}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


_STRATEGIC = Merger([(dict, [_mappings]), (list, [_lists])], ["override"], ["override"])


# --------------------------------------------------------------------------------------------------------------- --set


def _with_flag(tree: dict[str, Any], flag: str, release: Release) -> dict[str, Any]:
    path, value = split_flag(flag, release)
    changed = deepcopy(tree)
    if release.untyped_operator:
        _assign(changed, split_path(f"spec.{path}"), value)
    else:
        _write_old(changed, path, value)
    return changed


def split_flag(flag: str, release: Release) -> tuple[str, Any]:
    """The path below spec and the typed value of a `--set` flag.

    Raises PatchError with a sentence for a flag that istioctl of the release refuses or misreads.
    """
    path, equals, text = (part.strip() for part in flag.partition("="))
    if not equals or not path:
        raise PatchError("is no assignment: write path=value")
    if "=" in text and not release.set_splits_once:
        raise PatchError(f"has a second '=', at which istioctl {release} takes all of it for the path: use a file")
    if path.startswith("spec.") and release.untyped_operator:
        raise PatchError(f"begins with 'spec.', of which istioctl {release} makes spec.spec: leave it out")
    path = path.removeprefix("spec.")
    start, *pieces = split_path(f"spec.{path}")
    if start != "spec" or not pieces:
        raise PatchError("is no path below spec: name a key")
    if any(path.startswith(start) for start in release.set_as_text):
        return path, text
    return path, typed_value(text)


def typed_value(text: str) -> str | int | float | bool:
    """The value of a flag as Go's Atoi, ParseFloat and ParseBool read it, in this order; else text.

    Raises PatchError for infinities and what is no number, at which istioctl crashes later.
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
    """A number, or the text itself where it is beyond all numbers."""
    try:
        number = read(text)
    except OverflowError:
        return text
    return number if math.isfinite(number) else text


_INTEGER = re.compile(r"[-+]?[0-9]{1,25}")
_DIGITS = "[0-9](?:_?[0-9])*"
_DECIMAL = re.compile(rf"[-+]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
_HEXADECIMAL = re.compile(r"[-+]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][-+]?[0-9]{1,4}")
_NO_FINITE_NUMBER = re.compile(r"[-+]?(?:inf|infinity)|nan", re.IGNORECASE)
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("f", "F", "FALSE", "false", "False"), False),
}


def _write_old(tree: dict[str, Any], path: str, value: Any) -> None:
    """Up to 1.23: the code of overlay patches, which also makes lists and appends to them."""
    if isinstance(value, str) and ": " in value:
        raise PatchError("has a value that reads as a YAML mapping, which would replace the key itself: use a file")
    write_into(tree, f"spec.{path}", value)


def _assign(tree: dict[str, Any], pieces: list[str], value: Any) -> None:
    """From 1.24: mappings are made on the way, a list only gets new items at its end."""
    for piece in pieces:
        if not _is_selector(piece) and ("[" in piece or "]" in piece):
            raise PatchError(f"has the segment {piece!r}, which istioctl does not know: write dots in brackets as \\.")
    node: Any = tree
    for piece, following in pairwise(pieces):
        node = _step(node, piece, following)
    last = pieces[-1]
    if isinstance(node, dict) and not _is_selector(last):
        node[last] = value
    elif isinstance(node, list) and _is_selector(last):
        if _found(node, last) is not None:
            raise PatchError(f"sets the item {last} itself, at which istioctl crashes: name a key of it")
        node.append(value)
    else:
        raise PatchError(
            f"does not fit at {last!r}, at which istioctl crashes: select items of lists, keys of mappings"
        )


def _step(node: Any, piece: str, following: str) -> Any:
    if isinstance(node, dict) and not _is_selector(piece):
        if piece not in node:
            node[piece] = [] if _is_selector(following) else {}
        elif node[piece] is None:
            raise PatchError(
                f"goes through {piece!r}, which is null, and istioctl drops it silently: take the null away"
            )
        return node[piece]
    if isinstance(node, list) and _is_selector(piece):
        found = _found(node, piece)
        if found is None:
            node.append({})
            return node[-1]
        return found
    raise PatchError(f"does not fit at {piece!r}, at which istioctl crashes: select items of lists, keys of mappings")


def _is_selector(piece: str) -> bool:
    return piece.startswith("[") and piece.endswith("]")


def _found(items: list[Any], selector: str) -> Any:
    """The item that a selector points to; None is a new one at the end."""
    inner = selector[1:-1]
    if re.fullmatch(r"[-+]?[0-9]{1,9}", inner):
        index = int(inner)
        return items[index] if 0 <= index < len(items) else None
    key, colon, value = inner.partition(":")
    if not colon:
        raise PatchError(f"has the selector {selector}: use a number or key:value")
    for item in items:
        if isinstance(item, dict) and item.get(key) == value:
            return item
    raise PatchError(f"finds nothing with {selector}: an item that is selected by its content must be there")
