"""Merging of mesh configs as istiod does it: built-in defaults, then the config cluster's, then istiod's own file.

Source: istio 1.15.7 and 1.30.3: pkg/config/mesh/mesh.go (ApplyMeshConfig), pilot/pkg/bootstrap/mesh.go; confirmed by
running it, unless a docstring says otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from deepmerge import Merger

from extcp_manifests.documents.dropped import Dropped, losses
from extcp_manifests.documents.findings import Findings
from extcp_manifests.documents.paths import before_lists, parsed_path
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text
from extcp_manifests.istio.mesh.defaults import mesh_defaults, proxy_defaults
from extcp_manifests.istio.mesh.sources import DecodedSource, Ignored, Input, Source, SourceContent, decode_source
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.rules.mesh_config import validate_mesh_config
from extcp_manifests.istio.schema.tables import read_schema


@dataclass(frozen=True, slots=True)
class Overridden:
    """A value of the config cluster that istiod's own file beats."""

    place: Path
    shared: Any
    local: Any

    @property
    def path(self) -> str:
        """The value's place as text."""
        return path_text(self.place)


@dataclass(frozen=True, slots=True)
class MeshConfigMerge:
    """The mesh config that istiod runs with, and how it came about."""

    config: dict[str, Any]
    """The effective mesh config; without Istio's defaults unless they were asked for."""
    overridden: tuple[Overridden, ...]
    ignored: tuple[Ignored, ...]
    problems: tuple[Problem, ...]
    """What istiod's validation refuses in the effective config."""
    warnings: tuple[Problem, ...]
    """What istiod takes, and only logs."""
    broken: tuple[Problem, ...]
    """Where a source could not be decoded, and what istiod makes of that; only with `emulate`."""
    dropped: tuple[Dropped, ...]
    """Entries of the config cluster's lists and mappings that go because istiod's own file replaces them as a whole."""
    _sources: Any
    _contents: Mapping[Source, SourceContent]

    def located(self, problem: Problem) -> Problem:
        """Return a problem of the effective config with the file and the line of the source that set the value."""
        try:
            content = self._contents[self.origin(problem.path)]
        except KeyError:
            return problem
        # Items have another place in the source.
        return replace(problem, file=content.name, line=content.line(before_lists(problem.place)))

    def origin(self, path: str) -> Source:
        """Who set the value at a path such as `defaultConfig.proxyMetadata.A` or `extensionProviders.otel`.

        An item of a list may be named by its number or its name. Raises KeyError where there is no value.
        """
        node: Any = self.config
        place: list[str | int] = []
        for part in parsed_path(path):
            if isinstance(node, list):
                named = [
                    index for index, item in enumerate(node) if isinstance(item, dict) and item.get("name") == part
                ]
                part = named[0] if named else part
            if (isinstance(node, dict) and part not in node) or not isinstance(node, dict | list):
                raise KeyError(path)
            if isinstance(node, list) and not (isinstance(part, int) and part < len(node)):
                raise KeyError(path)
            node = node[part]  # type: ignore[index]
            place.append(part)
        return self._origin(tuple(place))

    def origins(self) -> Iterator[tuple[str, Any, Source]]:
        """Each leaf of the effective config with its path, its value and who set it."""
        for place, value in _leaves(self.config, ()):
            yield path_text(place), value, self._origin(place)

    def _origin(self, place: Path) -> Source:
        node = self._sources
        for part in place:
            if isinstance(node, str):
                break
            node = node[part]
        return _strongest(node)


_STRENGTH: Sequence[Source] = ("defaults", "shared", "local")


def _strongest(node: Any) -> Source:
    """The source of a part, or of the strongest of its parts."""
    if isinstance(node, dict | list):
        return max(map(_strongest, node.values() if isinstance(node, dict) else node), key=_STRENGTH.index)
    source: Source = node
    return source


def merge_mesh_config(
    *,
    shared: Input,
    local: Input,
    release: Release | str,
    defaults: bool = False,
    emulate: bool = False,
    names: Mapping[Source, str] | None = None,
) -> MeshConfigMerge:
    """Merge the config cluster's mesh config (SHARED_MESH_CONFIG) with istiod's own, which takes precedence.

    A source may be a whole document: a ConfigMap, an IstioOperator, or an Istio of the Sail operator. Messages call the
    sources by `names`, and else `shared` and `local`.

    Raises InvalidInput for a document of another kind and for a source that istiod could not decode, with every
    problem, and with the line where the source is a text. With `emulate` such a source is applied in part, as by an
    istiod that is running already, or not at all where it is the only one; `.broken` tells of it. (istiod does not
    start with a broken file of its own.) Keys that stand twice or are no text are refused, though istiod takes the
    last one and makes text of them.
    """
    record = find_release(release)
    sources: dict[Source, Input] = {"shared": shared, "local": local}
    given: dict[Source, Input] = {name: source for name, source in sources.items() if source is not None}
    decoded: list[DecodedSource] = []
    without: list[Ignored] = []
    for name, source in given.items():
        read = decode_source(name, (names or {}).get(name, name), source, record)
        if read is None:
            without.append(
                Ignored(name, ("data",), "has no key 'mesh', and istiod reads no other: it is as good as none")
            )
        else:
            decoded.append(read)
    broken = [problem for each in decoded for problem in each.problems]
    if broken and not emulate:
        # What istiod would only drop is told too, so that it does not come up when the rest is mended.
        called = {**dict(zip(given, given, strict=True)), **(names or {})}
        dropped_keys = [each for one in decoded for each in one.ignored]
        broken += [Problem(each.place, each.message, called[each.source], each.line) for each in dropped_keys]
        raise InvalidInput(broken)
    merging = _Merging()
    tree = _default_units(record)
    for each in decoded:
        if not each.problems:
            tree = merging.apply(tree, _units(each.value, each.source))
        elif len(given) > 1:
            tree = merging.damage(tree, each, record)
    shown = tree if defaults else _without_defaults(tree)
    findings = validate_mesh_config(_values(tree), record)
    contents: dict[Source, SourceContent] = {each.source: each.content for each in decoded if each.content is not None}
    return MeshConfigMerge(
        config=deepcopy(_values(shown)) if defaults else _values(shown),  # decoding has copied the sources already
        overridden=tuple(merging.overridden),
        ignored=(*without, *(ignored for each in decoded for ignored in each.ignored)),
        problems=(*findings.errors, *_at_start(decoded, findings, record)),
        warnings=findings.warnings,
        broken=tuple(broken),
        dropped=tuple(_dropped(merging.overridden, contents)),
        _sources=_sources(shown),
        _contents=contents,
    )


def _dropped(overridden: Iterable[Overridden], contents: Mapping[Source, SourceContent]) -> Iterator[Dropped]:
    """What is lost of lists and mappings that istiod's own file replaces."""
    for each in overridden:
        for loss in losses(each.shared, each.local):
            place = (*each.place, *loss.path)
            shared, local = contents["shared"], contents["local"]
            yield Dropped(place, loss.kind, loss.items, local.name, (shared.name,), local.line(place))


# Fields that a rule compares with each other: only there can a source be wrong by itself and right with the other one.
_COMPARED = {"drainDuration", "parentShutdownDuration"}


def _at_start(decoded: "Sequence[DecodedSource]", findings: Findings, release: Release) -> Iterator[Problem]:
    """What is wrong with istiod's own file alone, which it reads before it knows the config cluster."""
    for each in decoded[1:]:
        compared = _COMPARED & each.value.get("defaultConfig", {}).keys()
        if each.source == "local" and not each.problems and compared:
            alone = _Merging().apply(_default_units(release), _units(each.value, "local"))
            for problem in validate_mesh_config(_values(alone), release).errors:
                if problem not in findings.errors:
                    yield Problem(problem.place, f"{problem.message}, or istiod will not start with its own file")


@cache
def _default_units(release: Release) -> dict[str, Any]:
    units: dict[str, Any] = _units(mesh_defaults(release), "defaults")
    return units


# -------------------------------------------------------------------------------------------------------------- merging


@dataclass(frozen=True, slots=True)
class _Unit:
    """A value that is replaced as a whole, and who set it."""

    value: Any
    source: Source


# What is not replaced as a whole, by its path, and how it is cut into units.
_CUT: Mapping[tuple[str, ...], str] = {
    (): "by key",
    ("defaultConfig",): "by key",
    ("defaultConfig", "proxyMetadata"): "by key",
    ("defaultConfig", "proxyHeaders"): "by key",
    ("defaultProviders",): "by key",
    ("extensionProviders",): "by item",
    ("trustDomainAliases",): "by item",
}


def _units(value: Any, source: Source, path: tuple[str, ...] = ()) -> Any:
    match _CUT.get(path):
        case "by key" if value or not path:
            return {key: _units(item, source, (*path, key)) for key, item in value.items()}
        case "by item":
            return [_Unit(item, source) for item in value]
        case _:
            return _Unit(value, source)


# Parts of proxyHeaders that a higher source inherits where it leaves them out; the others it does not, and before 1.19
# the message did not exist.
_BACK_FILLED = ("forwardedClientCert", "requestId", "attemptCount", "server", "envoyDebugHeaders")


_UNSET = _Unit("UNDEFINED", "defaults")


class _Merging:
    """deepmerge with istiod's rules by path, which keeps account of what beats what."""

    def __init__(self) -> None:
        self.overridden: list[Overridden] = []
        self._merger = Merger(
            [(dict, [self._mappings]), (list, [self._lists])],
            [self._replace],
            [self._unlike],
        )
        self._by_path: dict[Path, Callable[[Merger, list[Any], Any, Any], Any]] = {
            ("defaultConfig",): self._one_cluster_name,
            ("defaultConfig", "proxyHeaders"): self._back_fill,
            ("extensionProviders",): self._by_name,
            ("trustDomainAliases",): self._union,
        }

    def apply(self, base: Any, over: Any) -> Any:
        """The base with a further source merged in; neither is changed."""
        merged = self._merger.merge(_copied(base), over)
        # istiod sorts the aliases each time, also where a source does not mention them.
        if "trustDomainAliases" in merged:
            merged["trustDomainAliases"] = _sorted_union(merged["trustDomainAliases"], ())
        return merged

    def damage(self, base: dict[str, Any], decoded: DecodedSource, release: Release) -> dict[str, Any]:
        """What a source that cannot be decoded leaves behind.

        Fields before the wrong one stay applied, without their merging; defaultConfig is lost: it becomes the source's
        own, or Istio's default where that was not reached.
        """
        fields = read_schema("mesh_config").fields("MeshConfig", release)
        reached = {key: value for key, value in decoded.value.items() if fields[key].index < decoded.failed}
        left: dict[str, Any] = {**base, **_units(reached, decoded.source)}
        if "defaultConfig" not in reached:
            left["defaultConfig"] = _units(proxy_defaults(release), "defaults", ("defaultConfig",))
        if decoded.source == "local":
            kept = dict(_flat(left, ()))
            for path, unit in _flat(base, ()):
                self._note(path, unit, _Unit(kept[path].value if path in kept else None, "local"))
        return left

    def _mappings(self, merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        special = self._by_path.get(tuple(path))
        return special(merger, path, base, over) if special else self._keys(merger, path, base, over)

    def _lists(self, merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        return self._by_path[tuple(path)](merger, path, base, over)

    def _keys(self, merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        for key, value in over.items():
            base[key] = merger.value_strategy([*path, key], base[key], value) if key in base else value
        return base

    def _one_cluster_name(self, merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        """serviceCluster and tracingServiceName are one choice; the one that is set clears the other."""
        choice = {"serviceCluster": "tracingServiceName", "tracingServiceName": "serviceCluster"}
        for key in choice.keys() & over.keys():
            if choice[key] in base:
                cleared = base.pop(choice[key])
                self._note([*path, choice[key]], cleared, _Unit(None, over[key].source))
        return self._keys(merger, path, base, over)

    def _back_fill(self, _merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        unset = [key for key in _BACK_FILLED if over.get(key, _UNSET).value == _UNSET.value]
        kept = {key: base[key] for key in unset if key in base}
        source: Source = next(iter(over.values())).source if over else "local"
        for key, unit in base.items():
            if key not in kept:
                self._note([*path, key], unit, over.get(key, _Unit(None, source)))
        return over | kept

    def _by_name(self, _merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        for unit in over:
            name = unit.value.get("name", "")
            index = next((index for index, each in enumerate(base) if each.value.get("name", "") == name), None)
            if index is None:
                base.append(unit)
            else:
                self._note([*path, name or index], base[index], unit)
                base[index] = unit
        return base

    def _union(self, _merger: Merger, _path: list[Any], base: Any, over: Any) -> Any:
        return _sorted_union(base, over)

    def _unlike(self, merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        """An empty message over one with fields; over nothing, any is taken as it is."""
        return self._mappings(merger, path, base, {}) if isinstance(base, dict) else over

    def _replace(self, _merger: Merger, path: list[Any], base: Any, over: Any) -> Any:
        self._note(path, base, over)
        return over

    def _note(self, path: Sequence[Any], base: _Unit, over: _Unit) -> None:
        if base.source == "shared" and over.source == "local" and base.value != over.value:
            self.overridden.append(Overridden(tuple(path), base.value, over.value))


def _flat(tree: Any, path: Path) -> Iterator[tuple[Path, _Unit]]:
    """Each unit with its path; items of lists by their names, or by what they are."""
    if isinstance(tree, _Unit):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flat(value, (*path, key))
    else:
        for unit in tree:
            yield (*path, unit.value.get("name", "") if isinstance(unit.value, dict) else unit.value), unit


def _sorted_union(base: Iterable[_Unit], over: Iterable[_Unit]) -> list[_Unit]:
    units = {unit.value: unit for unit in (*base, *over)}
    return [units[value] for value in sorted(units)]


def _copied(tree: Any) -> Any:
    """The tree with containers of its own; units are frozen and shared."""
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return list(tree) if isinstance(tree, list) else tree


def _values(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _values(value) for key, value in tree.items()}
    return [unit.value for unit in tree] if isinstance(tree, list) else tree.value


def _sources(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _sources(value) for key, value in tree.items()} or "defaults"
    return [unit.source for unit in tree] or "defaults" if isinstance(tree, list) else tree.source


def _without_defaults(tree: Any) -> Any:
    """The tree without units of Istio's own, and without what is empty because of that."""
    if isinstance(tree, list):
        return [unit for unit in tree if unit.source != "defaults"]
    kept = {}
    for key, value in tree.items():
        if isinstance(value, _Unit):
            if value.source != "defaults":
                kept[key] = value
        elif rest := _without_defaults(value):
            kept[key] = rest
    return kept


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not items or not value:
        yield path, value
        return
    for key, item in items:
        yield from _leaves(item, (*path, key))
