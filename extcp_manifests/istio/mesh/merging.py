"""Merging of mesh configs as istiod does it: built-in defaults, then the config cluster's, then istiod's own file.

Source: istio 1.15.7 and 1.30.3: pkg/config/mesh/mesh.go (ApplyMeshConfig), pilot/pkg/bootstrap/mesh.go; confirmed by
running it, unless a docstring says otherwise.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, TypeAlias

from extcp_manifests.documents.dropped import Dropped, losses
from extcp_manifests.documents.findings import Findings
from extcp_manifests.documents.lookup import at, copied
from extcp_manifests.documents.paths import before_lists, leaves, parsed_path
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text
from extcp_manifests.istio.mesh.defaults import mesh_defaults, proxy_defaults
from extcp_manifests.istio.mesh.sources import DecodedSource, Ignored, Input, Source, SourceContent, decode_source
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.rules.mesh_config import validate_mesh_config
from extcp_manifests.istio.schema.tables import read_schema
from extcp_manifests.records import Record


class Overridden(Record):
    """A value of the config cluster that istiod's own file beats."""

    place: Path
    shared: Any
    local: Any

    @property
    def path(self) -> str:
        """The value's place as text."""
        return path_text(self.place)


class MeshConfigMerge(Record):
    """The mesh config that istiod runs with, and how it came about."""

    config: dict[str, Any]
    """The effective mesh config; without Istio's defaults unless they were asked for."""
    overridden: tuple[Overridden, ...]
    ignored: tuple[Ignored, ...]
    """What of the sources istiod silently ignores."""
    problems: tuple[Problem, ...]
    """What istiod's validation refuses in the effective config."""
    warnings: tuple[Problem, ...]
    """What istiod takes, and only logs."""
    broken: tuple[Problem, ...]
    """Where a source could not be decoded, and what istiod makes of that; only with `emulate`."""
    dropped: tuple[Dropped, ...]
    """Entries of the config cluster's lists and mappings that go because istiod's own file replaces them as a whole."""
    _settings: "_Node"
    _contents: Mapping[Source, SourceContent]

    @cached_property
    def _names(self) -> dict[int, dict[str, int]]:
        """Where the items of lists of `config` are by their names, by the ids of the lists that were asked for."""
        return {}

    def _repr_html_(self) -> str:
        """Return each value, and who set it, as a table, which notebooks show."""
        from extcp_manifests.tables import html_table  # for notebooks alone

        rows = ((path, _json(value), source) for path, value, source in self.origins())
        return html_table(("path", "value", "set by"), rows)

    def located(self, problem: Problem) -> Problem:
        """Return a problem of the effective config with the file and the line of the source that set the value."""
        try:
            content = self._contents[self.origin(problem.path)]
        except KeyError:
            return problem
        # Items have another place in the source.
        return problem.with_(file=content.name, line=content.line(before_lists(problem.place)))

    def origin(self, path: str) -> Source:
        """Return who set the value at a path such as `defaultConfig.proxyMetadata.A` or `extensionProviders.otel`.

        An item of a list may be named by its number or its name. Raises KeyError where there is no value.
        """
        node: Any = self.config
        place: list[str | int] = []
        for part in parsed_path(path):
            key = self._key(node, part)
            if key is None:
                raise KeyError(path)
            node = node[key]
            place.append(key)
        return self._origin(tuple(place))

    def _key(self, node: Any, part: str | int) -> str | int | None:
        """Return the key or the index of what a part of a path names, or None where there is no such thing."""
        if isinstance(node, dict):
            return part if part in node else None
        if not isinstance(node, list):
            return None
        if isinstance(part, int):
            return part if part < len(node) else None
        if id(node) not in self._names:
            self._names[id(node)] = _places_by_name(node)
        return self._names[id(node)].get(part)

    def origins(self) -> Iterator[tuple[str, Any, Source]]:
        """Yield each leaf of the effective config with its path, its value and who set it."""
        for place, value in leaves(self.config):
            yield path_text(place), value, self._origin(place)

    def _origin(self, place: Path) -> Source:
        node: Any = self._settings
        for part in place:
            if isinstance(node, _Setting):
                break
            node = node[part]
        return _strongest_source(node)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _places_by_name(items: Iterable[Any]) -> dict[str, int]:
    """Return where the items of a list are by their names; of two items of one name the first counts."""
    places: dict[str, int] = {}
    for index, item in enumerate(items):
        name = at(item, "name")
        if isinstance(name, str):
            places.setdefault(name, index)
    return places


def mesh_config_problems(config: Mapping[str, Any], release: Release) -> list[Problem]:
    """Return what istiod of a release refuses or ignores of one mesh config, with places in it."""
    try:
        merged = merge_mesh_config(shared=None, local=config, release=release)
    except InvalidInput as error:
        return [Problem(problem.place, problem.message) for problem in error.problems]
    found = [Problem(problem.place, problem.message) for problem in merged.problems]
    return found + [Problem(ignored.place, ignored.message) for ignored in merged.ignored]


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
    istiod that is running already, or not at all where it is the only one; `.broken` says so. (istiod does not start
    with a broken file of its own.) Keys that a source has twice or that are not text are refused, though istiod takes
    the last one and makes text of them.
    """
    record = find_release(release)
    given: dict[Source, Input] = {}
    if shared is not None:
        given["shared"] = shared
    if local is not None:
        given["local"] = local
    called: dict[Source, str] = {"shared": "shared", "local": "local", **(names or {})}
    sources: list[DecodedSource] = []
    without_config: list[Ignored] = []
    for key, document in given.items():
        decoded = decode_source(key, called[key], document, record)
        if decoded is None:
            reason = "has no key 'mesh', and istiod reads no other: it is as good as none"
            without_config.append(Ignored(key, ("data",), reason))
        else:
            sources.append(decoded)
    broken = [problem for source in sources for problem in source.problems]
    if broken and not emulate:
        # What istiod would only ignore is reported too, so that it does not come up when the rest is mended.
        raise InvalidInput([*broken, *_as_problems(sources, called)])

    merging = _Merging()
    settings = _default_settings(record)
    for source in sources:
        if not source.problems:
            settings = merging.apply(settings, source)
        elif len(given) > 1:
            settings = merging.apply_broken(settings, source, record)
    findings = validate_mesh_config(_values(settings), record)
    ignored_keys = [each for source in sources for each in source.ignored]
    shown = settings if defaults else _without_defaults(settings)
    contents: dict[Source, SourceContent] = {}
    for source in sources:
        if source.content is not None:
            contents[source.source] = source.content
    return MeshConfigMerge(
        config=copied(_values(shown)) if defaults else _values(shown),  # decoding has copied the sources already
        overridden=tuple(merging.overridden),
        ignored=(*without_config, *ignored_keys),
        problems=(*findings.errors, *_problems_at_start(sources, findings, record)),
        warnings=findings.warnings,
        broken=tuple(broken),
        dropped=tuple(_dropped(merging.overridden, contents)),
        _settings=shown,
        _contents=contents,
    )


def _as_problems(sources: Iterable[DecodedSource], called: Mapping[Source, str]) -> Iterator[Problem]:
    """Yield what istiod ignores of sources as problems of their files."""
    for source in sources:
        for each in source.ignored:
            yield Problem(each.place, each.message, called[each.source], each.line)


def _dropped(overridden: Iterable[Overridden], contents: Mapping[Source, SourceContent]) -> Iterator[Dropped]:
    """Yield what is lost of lists and mappings that istiod's own file replaces."""
    for each in overridden:
        for loss in losses(each.shared, each.local):
            place = (*each.place, *loss.path)
            shared, local = contents["shared"], contents["local"]
            yield Dropped(place, loss.kind, loss.items, local.name, (shared.name,), local.line(place))


# Fields that a rule compares with each other: only there can a source be wrong by itself and right with the other one.
_COMPARED = {"drainDuration", "parentShutdownDuration"}


def _problems_at_start(sources: Sequence[DecodedSource], findings: Findings, release: Release) -> Iterator[Problem]:
    """Yield what is wrong with istiod's own file alone, which istiod reads before it knows the config cluster."""
    if len(sources) < 2:
        return
    _, local = sources
    if local.problems or not _COMPARED & local.value.get("defaultConfig", {}).keys():
        return
    alone = _Merging().apply(_default_settings(release), local)
    for problem in validate_mesh_config(_values(alone), release).errors:
        if problem not in findings.errors:
            yield Problem(problem.place, f"{problem.message}, or istiod will not start with its own file")


# ------------------------------------------------------------------------------------------------------------- settings


class _Setting(Record):
    """A value that is replaced as a whole, and who set it."""

    value: Any
    source: Source


# A mesh config whose values know who set them: mappings and lists are those that istiod merges, all below is settings.
_Node: TypeAlias = "_Setting | list[_Setting] | _Message"
_Message: TypeAlias = dict[str, Any]  # whose values are nodes

# What is not replaced as a whole: messages that are merged key by key, and lists that are merged item by item.
_MERGED_MESSAGES: frozenset[Path] = frozenset(
    {
        ("defaultConfig",),
        ("defaultConfig", "proxyMetadata"),
        ("defaultConfig", "proxyHeaders"),
        ("defaultProviders",),
    }
)
_MERGED_LISTS: frozenset[Path] = frozenset({("extensionProviders",), ("trustDomainAliases",)})


def _message(values: Mapping[str, Any], source: Source, path: Path = ()) -> _Message:
    """Return the settings of a message that is merged key by key."""
    return {key: _node(value, source, (*path, key)) for key, value in values.items()}


def _node(value: Any, source: Source, path: Path) -> _Node:
    if path in _MERGED_LISTS:
        return [_Setting(item, source) for item in value]
    if path in _MERGED_MESSAGES and value:
        return _message(value, source, path)
    return _Setting(value, source)


@cache
def _default_settings(release: Release) -> _Message:
    return _message(mesh_defaults(release), "defaults")


def _values(node: _Node) -> Any:
    """Return the values of settings, in mappings and lists of their own."""
    if isinstance(node, dict):
        return {key: _values(below) for key, below in node.items()}
    if isinstance(node, list):
        return [setting.value for setting in node]
    return node.value


def _without_defaults(message: _Message) -> _Message:
    """Return a message without the settings of Istio's own, and without what is empty because of that."""
    kept: _Message = {}
    for key, node in message.items():
        if isinstance(node, _Setting):
            if node.source != "defaults":
                kept[key] = node
            continue
        below: Any
        if isinstance(node, list):
            below = [setting for setting in node if setting.source != "defaults"]
        else:
            below = _without_defaults(node)
        if below:
            kept[key] = below
    return kept


def _strongest_source(node: _Node) -> Source:
    """Return who set a part, or the strongest of those who set what is in it."""
    if isinstance(node, _Setting):
        return node.source
    parts: Iterable[_Node] = node.values() if isinstance(node, dict) else node
    sources = {_strongest_source(part) for part in parts}
    if "local" in sources:
        return "local"
    return "shared" if "shared" in sources else "defaults"


def _by_path(node: _Node, path: Path = ()) -> Iterator[tuple[Path, _Setting]]:
    """Yield each setting with its path, on which items of lists have their names, or are what they are themselves."""
    if isinstance(node, _Setting):
        yield path, node
    elif isinstance(node, dict):
        for key, below in node.items():
            yield from _by_path(below, (*path, key))
    else:
        for setting in node:
            name = _name_of(setting) if isinstance(setting.value, dict) else setting.value
            yield (*path, name), setting


def _name_of(provider: _Setting) -> str:
    name: str = provider.value.get("name", "")
    return name


# -------------------------------------------------------------------------------------------------------------- merging

# Parts of proxyHeaders that a higher source inherits where it leaves them out; the others it does not, and before 1.19
# the message did not exist.
_INHERITED_HEADERS = ("forwardedClientCert", "requestId", "attemptCount", "server", "envoyDebugHeaders")
_UNDEFINED = "UNDEFINED"

# Fields that are one choice in the schema (a oneof): who sets one of them clears the other.
_ALTERNATIVES = {"serviceCluster": "tracingServiceName", "tracingServiceName": "serviceCluster"}


class _Merging:
    """istiod's rules of merging, which note what beats what. What is merged is never changed."""

    def __init__(self) -> None:
        self.overridden: list[Overridden] = []

    def apply(self, base: _Message, source: DecodedSource) -> _Message:
        """Return the base with a further source merged in."""
        merged = self._by_key((), base, _message(source.value, source.source))
        # istiod sorts the aliases each time, also where a source does not mention them.
        if "trustDomainAliases" in merged:
            merged["trustDomainAliases"] = _sorted_union(merged["trustDomainAliases"], [])
        return merged

    def apply_broken(self, base: _Message, source: DecodedSource, release: Release) -> _Message:
        """Return what a source that cannot be decoded leaves behind.

        Fields before the wrong one stay applied, without their merging; defaultConfig is lost: it becomes the source's
        own, or Istio's default where that was not reached.
        """
        fields = read_schema("mesh_config").fields("MeshConfig", release)
        reached = {key: value for key, value in source.value.items() if fields[key].index < source.failed}
        left = {**base, **_message(reached, source.source)}
        if "defaultConfig" not in reached:
            left["defaultConfig"] = _message(proxy_defaults(release), "defaults", ("defaultConfig",))
        if source.source == "local":
            after = dict(_by_path(left))
            for path, before in _by_path(base):
                value = after[path].value if path in after else None
                self._note(path, before, _Setting(value, "local"))
        return left

    def _merged(self, path: Path, base: _Node, over: _Node) -> _Node:
        if isinstance(base, dict):
            # A setting over a message is a message with nothing in it.
            return self._merged_message(path, base, over if isinstance(over, dict) else {})
        if isinstance(base, list) and isinstance(over, list):
            if path == ("trustDomainAliases",):
                return _sorted_union(base, over)
            return self._by_name(path, base, over)
        if isinstance(base, _Setting) and isinstance(over, _Setting):
            self._note(path, base, over)
        return over

    def _merged_message(self, path: Path, base: _Message, over: _Message) -> _Message:
        if path == ("defaultConfig",):
            return self._by_key(path, self._without_alternatives(path, base, over), over)
        if path == ("defaultConfig", "proxyHeaders"):
            return self._replaced_headers(path, base, over)
        return self._by_key(path, base, over)

    def _by_key(self, path: Path, base: _Message, over: _Message) -> _Message:
        merged = dict(base)
        for key, node in over.items():
            merged[key] = self._merged((*path, key), base[key], node) if key in base else node
        return merged

    def _without_alternatives(self, path: Path, base: _Message, over: _Message) -> _Message:
        """Return the base without the fields that another one of the source clears."""
        left = dict(base)
        for key, cleared in _ALTERNATIVES.items():
            if key in over and cleared in left:
                self._note((*path, cleared), left.pop(cleared), _Setting(None, over[key].source))
        return left

    def _replaced_headers(self, path: Path, base: _Message, over: _Message) -> _Message:
        """Return proxyHeaders, which a source replaces but for what it inherits."""
        inherited: _Message = {}
        for key in _INHERITED_HEADERS:
            is_unset = key not in over or over[key].value == _UNDEFINED
            if is_unset and key in base:
                inherited[key] = base[key]
        source = _strongest_source(over) if over else "local"
        for key, before in base.items():
            if key not in inherited:
                self._note((*path, key), before, over.get(key, _Setting(None, source)))
        return over | inherited

    def _by_name(self, path: Path, base: list[_Setting], over: list[_Setting]) -> list[_Setting]:
        """Return providers, of which one replaces another of its name."""
        merged = list(base)
        first_places: dict[str, int] = {}
        for number, provider in enumerate(base):
            first_places.setdefault(_name_of(provider), number)
        for provider in over:
            name = _name_of(provider)
            index = first_places.setdefault(name, len(merged))
            if index == len(merged):
                merged.append(provider)
            else:
                self._note((*path, name or index), merged[index], provider)
                merged[index] = provider
        return merged

    def _note(self, path: Path, base: _Setting, over: _Setting) -> None:
        """Note that istiod's own file beats the config cluster, where it does."""
        if base.source == "shared" and over.source == "local" and base.value != over.value:
            self.overridden.append(Overridden(path, base.value, over.value))


def _sorted_union(base: Iterable[_Setting], over: Iterable[_Setting]) -> list[_Setting]:
    """Return each alias once, by whoever set it last."""
    settings = {setting.value: setting for setting in (*base, *over)}
    return [settings[alias] for alias in sorted(settings)]
