"""`k8s.overlays`: what istioctl makes of their paths and patches on rendered manifests.

Source: istio 1.15.7: operator/pkg/patch/patch.go, operator/pkg/tpath/tree.go, operator/pkg/util/path.go; 1.30.3:
operator/pkg/render/postprocess.go with the same path code. Where istioctl crashes, or from 1.24 keeps silent, the
result has a problem instead.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.istio_operator import IstioOperator, Overlay
from extcp_manifests.errors import InvalidInput, Path, Problem, kind_of, require
from extcp_manifests.istio.operator.tree_paths import (
    KEY_AND_VALUE,
    SELECTOR,
    PatchError,
    go_text,
    has_value,
    index_of,
    interpret,
    matches_pattern,
    split_path,
)
from extcp_manifests.istio.releases import Release, find_release

Object = Mapping[str, Any]


Operation = Mapping[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedOverlays:
    """What overlays made of rendered objects."""

    objects: tuple[dict[str, Any], ...]
    """All objects, in their order, as patched."""
    operations: tuple[tuple[Operation, ...], ...]
    """For each object the JSON patch that makes the same change."""
    problems: tuple[Problem, ...]
    """What was not applied, each with the place of the patch: `overlays[0].patches[1]`."""


def apply_overlays(
    objects: Iterable[Object],
    overlays: IstioOperator | Iterable[Overlay],
    *,
    release: Release | str,
    component: str = "pilot",
    namespace: str | None = None,
) -> AppliedOverlays:
    """Apply overlays to rendered objects as istioctl of a release does; neither is changed.

    From an IstioOperator the overlays of a component are taken: `pilot`, another key of `components`, or the name of a
    gateway. Up to 1.23 an object must be in the component's namespace or in none; `namespace` says which that is, None
    lets any pass. Raises InvalidInput for a component that the IstioOperator does not have.
    """
    require(namespace, str | None, ("namespace",), "text")
    rules = _Rules(find_release(release), namespace)
    originals = _objects(objects)
    runs = [_Run(deepcopy(dict(each)), []) for each in originals]
    problems: list[Problem] = []
    for index, overlay in enumerate(_overlays(overlays, component)):
        place = ("overlays", index)
        found = [number for number, each in enumerate(originals) if rules.matches(overlay, each)]
        problems += rules.wrong_matches(overlay, len(found), place)
        for number in found:
            if not rules.cumulative:
                runs[number] = _Run(deepcopy(dict(originals[number])), [])
            problems += _apply(runs[number], overlay, place, rules)
    return AppliedOverlays(
        objects=tuple(run.tree for run in runs),
        operations=tuple(tuple(run.operations) for run in runs),
        problems=tuple(problems),
    )


def to_json6902(
    overlays: IstioOperator | Iterable[Overlay],
    objects: Iterable[Object],
    *,
    release: Release | str,
    component: str = "pilot",
    namespace: str | None = None,
) -> list[dict[str, Any]]:
    """The same change as entries for `patches` of a kustomization, for manifests that Helm renders.

    Raises InvalidInput where a patch cannot be applied.
    """
    originals = _objects(objects)
    applied = apply_overlays(originals, overlays, release=release, component=component, namespace=namespace)
    if applied.problems:
        raise InvalidInput(applied.problems)
    return [
        {"target": _target(each), "patch": yaml.dump(list(operations))}
        for each, operations in zip(originals, applied.operations, strict=True)
        if operations
    ]


def _objects(given: Any) -> tuple[Object, ...]:
    """Return rendered objects. Raises InvalidInput for what is no list of mappings, or no plain data."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput([Problem(("objects",), f"must be a list of mappings, not {kind_of(given)}")])
    objects = tuple(given)
    for index, each in enumerate(objects):
        if not isinstance(each, Mapping):
            raise InvalidInput([Problem(("objects", index), "must be a mapping: leave it out")])
        yaml.require_plain(each, ("objects", index))
    return objects


def _metadata(each: Object) -> Object:
    metadata = each.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _target(each: Object) -> dict[str, str]:
    group, _, version = str(each.get("apiVersion", "")).rpartition("/")
    metadata = _metadata(each)
    target = {
        "group": group,
        "version": version,
        "kind": each.get("kind"),
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
    }
    return {key: value for key, value in target.items() if value}


def _overlays(overlays: IstioOperator | Iterable[Overlay], component: str) -> Sequence[Overlay]:
    if not isinstance(overlays, IstioOperator):
        return _given_overlays(overlays)
    require(component, str, ("component",), "text")
    components = overlays.spec.components
    if components is not None:
        gateways = (*(components.ingressGateways or ()), *(components.egressGateways or ()))
        named = {gateway.name: gateway for gateway in gateways}
        found = named.get(component) or (
            getattr(components, component, None) if component in _SINGLE_COMPONENTS else None
        )
        if found is not None:
            return (found.k8s and found.k8s.overlays) or ()
    problem = f"{component!r} is no component of this IstioOperator: name a key of components or a gateway"
    raise InvalidInput([Problem(("component",), problem)])


def _given_overlays(given: Any) -> tuple[Overlay, ...]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        problem = f"must be an IstioOperator or a list of Overlay, not {kind_of(given)}"
        raise InvalidInput([Problem(("overlays",), problem)])
    overlays = tuple(given)
    for index, each in enumerate(overlays):
        require(each, Overlay, ("overlays", index), "an Overlay")
    return overlays


_SINGLE_COMPONENTS = ("base", "pilot", "cni", "ztunnel", "istiodRemote")


@dataclass(frozen=True, slots=True)
class _Rules:
    """How a release finds the object of an overlay."""

    release: Release
    namespace: str | None

    @property
    def cumulative(self) -> bool:
        """Whether a second overlay for an object goes on from the first one's result; else only the last one counts."""
        return self.release.untyped_operator

    def matches(self, overlay: Overlay, each: Object) -> bool:
        metadata = _metadata(each)
        if (each.get("kind"), metadata.get("name")) != (overlay.kind, overlay.name):
            return False
        anywhere = self.release.untyped_operator or self.namespace is None
        return anywhere or metadata.get("namespace", "") in ("", self.namespace)

    def wrong_matches(self, overlay: Overlay, found: int, place: Path) -> Iterator[Problem]:
        target = f"{overlay.kind} {overlay.name!r}"
        reaction = reaction_to_a_misfit(self.release)
        if found == 0:
            yield Problem(place, f"no object is {target}, and istioctl {self.release} {reaction}: correct kind or name")
        if found > 1 and not self.release.untyped_operator:
            problem = f"{found} objects are {target}, and istioctl {self.release} {reaction}: leave one of them"
            yield Problem(place, problem)


def reaction_to_a_misfit(release: Release) -> str:
    """Return what istioctl does with an overlay that fits no object, or several, in words."""
    return "ignores this overlay silently" if release.untyped_operator else "stops with an error"


# ------------------------------------------------------------------------------------------------ one object's patches


@dataclass(slots=True)
class _Run:
    """An object while it is patched, and what was done to it."""

    tree: dict[str, Any]
    operations: list[dict[str, Any]]
    nodes: "_Nodes" = field(default_factory=lambda: _Nodes())


def _apply(run: _Run, overlay: Overlay, place: Path, rules: _Rules) -> Iterator[Problem]:
    writer = _Writer(run)
    for index, patch in enumerate(overlay.patches):
        if is_skipped(patch.path, rules.release):
            yield Problem((*place, "patches", index), f"{patch.path!r} is blank, and istioctl skips it: name a path")
            continue
        yaml.require_plain(patch.value, (*place, "patches", index, "value"))
        if problem := why_unreadable(patch.path, patch.value):
            yield Problem((*place, "patches", index), problem)
            continue
        try:
            writer.write(patch.path, deepcopy(patch.value))
        except PatchError as error:
            yield Problem((*place, "patches", index), f"{patch.path!r} {error}")


def is_skipped(path: str, release: Release) -> bool:
    """Return whether the path of a patch is as good as none for istioctl."""
    return not (path if release.untyped_operator else path.strip())


def why_unreadable(path: str, value: Any) -> str | None:
    """Return why a patch makes an object unreadable for Kubernetes' decoder, at which istioctl stops, or None.

    Source: istio 1.30.3: operator/pkg/render/postprocess.go, run; k8s.io/apimachinery: pkg/apis/meta/v1/unstructured.
    """
    pieces = split_path(path)
    if not pieces or pieces[0] not in _NEEDED_TEXTS:
        return None
    if len(pieces) == 1 and isinstance(value, str) and value and not _reads_as_map(value):
        return None
    return f"{path!r} leaves the object without a readable {pieces[0]}, at which istioctl stops: leave it alone"


_NEEDED_TEXTS = ("kind", "apiVersion")


def _reads_as_map(text: str) -> bool:
    try:
        return isinstance(interpret(text), dict)
    except PatchError:
        return True


def write_into(tree: dict[str, Any], path: str, value: Any) -> None:
    """Write a value into a tree as istioctl up to 1.23 does for `--set`, by the rules of inserted maps.

    Raises PatchError with the sentence.
    """
    writer = _Writer(_Run(tree, []))
    writer.know(tree)
    writer.write(path, value)


class _Writer:
    """Writes values at paths of one object.

    Maps that a patch inserted are of another type in istioctl than those of the manifest, and follow other rules;
    `_inserted` keeps them.
    """

    def __init__(self, run: _Run) -> None:
        self._tree = run.tree
        self._operations = run.operations
        self._nodes = run.nodes
        self._inserted: dict[int, Any] = {}

    def know(self, value: Any) -> None:
        """Treat the maps of a value as inserted ones."""
        self._inserted |= {id(each): each for each in _maps(value)}

    def write(self, path: str, value: Any) -> None:
        pieces = split_path(path)
        if not pieces:
            return
        node: Any = self._tree
        above: Any = None
        pointer = ""
        last = pieces[-1]
        for piece, following in pairwise(pieces):
            if value is None and self._leads_to_nothing(node, piece):
                if index_of(last) is not None:
                    raise PatchError(_DELETES_NOTHING)
                return
            above = node
            node, pointer = self._descend(node, piece, following, pointer)
        if isinstance(node, dict):
            self._write_key(node, last, value, pointer)
        elif isinstance(node, list) and isinstance(above, list):
            raise PatchError("writes into a list inside a list, which istioctl cannot: set the whole list")
        elif isinstance(node, list):
            self._write_item(node, last, value, pointer)
        else:
            raise PatchError(f"goes through a value that is no mapping or list before {last!r}: shorten the path")

    def _descend(self, node: Any, piece: str, following: str, pointer: str) -> tuple[Any, str]:
        """The node below one piece, made if it is missing."""
        if isinstance(node, dict):
            below = f"{pointer}/{_escaped(piece)}"
            if node.get(piece) is None:
                if piece in node and SELECTOR.fullmatch(following):
                    raise PatchError(f"selects from {piece!r}, which is null: set a list first")
                index = index_of(following)
                made: Any = [] if self._is_inserted(node) and index is not None and index >= -1 else {}
                self._nodes.set(node, piece, self._keep(made) if self._is_inserted(node) or piece in node else made)
                self._record("add", below, made)
            return node[piece], below
        if isinstance(node, list):
            position = self._nodes.position(node, piece)
            if position == len(node):
                self._nodes.append(node, self._keep({}))
                self._record("add", f"{pointer}/-", {})
            return node[position], f"{pointer}/{position}"
        raise PatchError(f"goes through a value that is no mapping or list at {piece!r}: shorten the path")

    def _write_key(self, node: dict[str, Any], key: str, value: Any, pointer: str) -> None:
        below = f"{pointer}/{_escaped(key)}"
        if value is None:
            if key in node:
                self._nodes.remove(node, key)
                self._record("remove", below)
            return
        read = interpret(value)
        if self._is_inserted(node):
            self._write_inserted_key(node, key, value, read, pointer)
            return
        self._nodes.set(node, key, self._keep(read))
        self._record("add", below, read)

    def _write_inserted_key(self, node: dict[str, Any], key: str, value: Any, read: Any, pointer: str) -> None:
        """In a map that an earlier patch inserted, text that reads as a map and values for lists are misplaced."""
        below = f"{pointer}/{_escaped(key)}"
        if isinstance(value, str) and isinstance(read, dict):
            if key in node:
                self._nodes.remove(node, key)
                self._record("remove", below)
            for first, content in list(read.items())[:1]:
                self._nodes.set(node, first, self._keep(content))
                self._record("add", f"{pointer}/{_escaped(first)}", content)
        elif isinstance(node.get(key), list):
            self._nodes.append(node[key], self._keep(read))
            self._record("add", f"{below}/-", read)
        else:
            self._nodes.set(node, key, self._keep(read))
            self._record("add", below, read)

    def _write_item(self, node: list[Any], piece: str, value: Any, pointer: str) -> None:
        position = self._nodes.position(node, piece)
        if value is None:
            if position == len(node):
                raise PatchError(_DELETES_NOTHING)
            self._nodes.delete(node, position)
            self._record("remove", f"{pointer}/{position}")
            return
        read = self._keep(interpret(value))
        if position == len(node):
            self._nodes.append(node, read)
            self._record("add", f"{pointer}/-", read)
        else:
            self._nodes.replace(node, position, read)
            self._record("replace", f"{pointer}/{position}", read)

    def _keep(self, value: Any) -> Any:
        """Remember every map of an inserted value."""
        self.know(value)
        return value

    def _is_inserted(self, node: dict[str, Any]) -> bool:
        return id(node) in self._inserted

    def _leads_to_nothing(self, node: Any, piece: str) -> bool:
        """Whether a path goes on behind the end of a list, or behind null."""
        if isinstance(node, dict):
            return piece in node and node[piece] is None
        return isinstance(node, list) and self._nodes.position(node, piece) == len(node)

    def _record(self, operation: str, path: str, *value: Any) -> None:
        self._operations.append({"op": operation, "path": path, **({"value": deepcopy(value[0])} if value else {})})


_DELETES_NOTHING = "deletes an item that is not there, at which istioctl crashes: name one that is"


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _maps(item)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# ---------------------------------------------------------------------------------------------------- an object's nodes


class _Nodes:
    """Changes mappings and lists of one object, and finds in its lists what selectors select.

    Every change of the object goes through here, so that a list need not be read again for every selector.
    """

    def __init__(self) -> None:
        self._indexes: dict[str, dict[int, _Index]] = {}
        """By the key that is selected by, and by the list."""
        self._noted = 0
        self._asked: set[tuple[str, int]] = set()
        """Keys and lists that were asked for once, which is no reason yet to make an index."""

    def set(self, node: dict[str, Any], key: str, value: Any) -> None:
        node[key] = value
        for index in self._indexes.get(key, {}).values():
            index.changed(node)

    def remove(self, node: dict[str, Any], key: str) -> None:
        del node[key]
        for index in self._indexes.get(key, {}).values():
            index.changed(node)

    def append(self, items: list[Any], item: Any) -> None:
        items.append(item)
        for index in self._of(items):
            index.appended()

    def replace(self, items: list[Any], position: int, item: Any) -> None:
        for index in self._of(items):
            index.replaces(position, item)
        items[position] = item

    def delete(self, items: list[Any], position: int) -> None:
        for index in self._of(items):
            index.deletes(position)
        del items[position]

    def _of(self, items: list[Any]) -> Iterator["_Index"]:
        return (indexes[id(items)] for indexes in self._indexes.values() if id(items) in indexes)

    def position(self, items: list[Any], piece: str) -> int:
        """Where in a list a selector points; its length stands for a new item at the end."""
        if not SELECTOR.fullmatch(piece):
            raise PatchError(f"names the key {piece!r} of a list: select an item, as in [0] or [name:x]")
        number = index_of(piece)
        if number is not None:
            if number < -1:
                raise PatchError(f"has the index {number}: use -1 or a large number to append")
            return min(number, len(items)) if number >= 0 else len(items)
        found = self._selected(items, piece[1:-1])
        if found is None:
            raise PatchError(f"finds nothing with {piece}: an item that is selected by its content must be there")
        return found

    def _selected(self, items: list[Any], selector: str) -> int | None:
        key_and_value = KEY_AND_VALUE.fullmatch(selector)
        if not key_and_value:
            return next((position for position, item in enumerate(items) if matches_pattern(selector, item)), None)
        key, value = key_and_value.groups()
        if (key, id(items)) not in self._asked:
            self._asked.add((key, id(items)))
            return next((position for position, item in enumerate(items) if has_value(item, key, value)), None)
        indexes = self._indexes.setdefault(key, {})
        if id(items) not in indexes:
            self._noted += len(items)
            if self._noted > _MOST_NOTED:
                self._indexes, self._noted = {key: (indexes := {})}, len(items)
            indexes[id(items)] = _Index(items, key)
        return indexes[id(items)].first(value)


_MOST_NOTED = 1_000_000
"""The items in all indexes of an object, after which they are begun anew: for each further key they cost memory."""


class _Index:
    """The items of a list by the text that they have at one key.

    Items are known by numbers that rise along the list and stay when others go. It keeps the list and so its items
    alive, whose ids therefore are their own.
    """

    def __init__(self, items: list[Any], key: str) -> None:
        self._items = items
        self._key = key
        self._numbers: list[int] = []
        self._texts: list[str | None] = []
        """As each item is noted in `_by_text`; None where it is not."""
        self._by_text: dict[str, list[int]] = {}
        self._nested: list[int] = []
        """Items with a mapping or a list at the key, whose text may change with whatever is below."""
        self._by_id: dict[int, list[int]] = {}
        for item in items:
            self._add(item)

    def first(self, text: str) -> int | None:
        known = [self._position(number) for number in self._by_text.get(text, ())[:1]]
        nested = (self._position(number) for number in self._nested)
        known += [each for each in nested if has_value(self._items[each], self._key, text)][:1]
        return min(known, default=None)

    def appended(self) -> None:
        self._add(self._items[-1])

    def replaces(self, position: int, item: Any) -> None:
        """Note an item that takes the place of another, before it does."""
        self._forget(position)
        self._note(position, item)

    def deletes(self, position: int) -> None:
        """Note that an item goes, before it does."""
        self._forget(position)
        del self._numbers[position], self._texts[position]

    def changed(self, node: dict[str, Any]) -> None:
        """Note that the value at the key is another one in a mapping that may be an item."""
        for number in list(self._by_id.get(id(node), ())):
            position = self._position(number)
            self._forget(position)
            self._note(position, node)

    def _position(self, number: int) -> int:
        return bisect_left(self._numbers, number)

    def _add(self, item: Any) -> None:
        self._numbers.append(self._numbers[-1] + 1 if self._numbers else 0)
        self._texts.append(None)
        self._note(len(self._numbers) - 1, item)

    def _note(self, position: int, item: Any) -> None:
        if not isinstance(item, dict):
            return
        number = self._numbers[position]
        insort(self._by_id.setdefault(id(item), []), number)
        if self._key not in item:
            return
        value = item[self._key]
        if isinstance(value, dict | list):
            insort(self._nested, number)
        else:
            text = self._texts[position] = go_text(value)
            insort(self._by_text.setdefault(text, []), number)

    def _forget(self, position: int) -> None:
        number, text = self._numbers[position], self._texts[position]
        self._texts[position] = None
        places = [self._by_id.get(id(self._items[position]), []), self._nested]
        places += [] if text is None else [self._by_text[text]]
        for numbers in places:
            at = bisect_left(numbers, number)
            if numbers[at : at + 1] == [number]:
                del numbers[at]
