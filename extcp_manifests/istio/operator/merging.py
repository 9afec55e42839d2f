"""Merging of IstioOperators and of what is in them: plain, by RFC 7386, and by Kubernetes' strategic merge.

No argument is ever changed, but for the base of functions that end with `onto`.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go; 1.15.7 to 1.23.6: operator/pkg/util/merge_iop.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.lookup import at, copied, mapping_of
from extcp_manifests.errors import InvalidInput, Path, Problem, require
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.records import Record
from extcp_manifests.yaml.emitter import require_plain

if TYPE_CHECKING:
    from deepmerge import Merger


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings as one, key by key on every level; of other values than two mappings, `over` has its way.

    Null is a value like others, and lists are replaced.
    """
    merged: dict[str, Any] = copied(base)
    overlay_onto(merged, over)
    return merged


def overlay_onto(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Change the base as `overlay` does, which takes no longer than `over` is large."""
    for key, value in over.items():
        below = base.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            overlay_onto(below, value)
        else:
            base[key] = copied(value)


def json_merge_patch(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as RFC 7386 does: null deletes, lists are replaced."""
    result: dict[str, Any] = copied(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = json_merge_patch(mapping_of(result.get(key)), value)
        else:
            result[key] = copied(value)
    return result


def operator_values(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that an IstioOperator's spec gives to charts, with those that istioctl does not validate."""
    return overlay(mapping_of(spec.get("values")), mapping_of(spec.get("unvalidatedValues")))


def operator_mesh_config(spec: Mapping[str, Any], release: Release | str) -> dict[str, Any]:
    """Return the mesh config of an IstioOperator's spec, which may be in three places.

    Up to 1.23 that of the values beats `spec.meshConfig`, and null deletes; from 1.24 it is beaten. What is in
    `unvalidatedValues` comes last.
    Source: istio 1.30.3: operator/pkg/render/manifest.go, run; 1.15.7: operator/pkg/helm/helm.go, read.
    """
    of_spec = mapping_of(spec.get("meshConfig"))
    of_values = mapping_of(at(spec, "values", "meshConfig"))
    unvalidated = mapping_of(at(spec, "unvalidatedValues", "meshConfig"))
    if find_release(release).spec_mesh_config_wins:
        return overlay(overlay(of_values, of_spec), unvalidated)
    return json_merge_patch(json_merge_patch(of_spec, of_values), unvalidated)


# ----------------------------------------------------------------------------------------------- environment variables


class MergedEnv(Record):
    """The environment variables of a container after `k8s.env` was merged in."""

    env: tuple[dict[str, Any], ...]
    problems: tuple[Problem, ...]
    """Variables that Kubernetes will refuse."""


def merge_env(
    chart: Sequence[Mapping[str, Any]], patch: Sequence[Mapping[str, Any]] | None, *, release: Release | str
) -> MergedEnv:
    """Merge `k8s.env` into the variables that a chart renders, in the order that comes out of istioctl.

    A variable of the same name is merged field by field; null deletes a field, `$patch: delete` the variable, a null
    patch all of them. New variables come first, unless a variable before them in the patch is one of the chart's.
    Up to 1.23 empty text in the patch is lost on the way. Raises InvalidInput for a variable without name.
    Source: k8s.io/apimachinery: pkg/util/strategicpatch, merge key `name`; istio 1.30.3: operator/pkg/render.
    """
    _require_variables("chart", chart)
    _require_variable_names("chart", chart)
    _require_variables("env", [] if patch is None else patch)
    if patch is None:
        return MergedEnv((), ())
    if any(entry.get("$patch") == "replace" for entry in patch):
        chart = ()
        patch = [entry for entry in patch if entry.get("$patch") != "replace"]
    _require_variable_names("env", patch)
    before = {str(entry["name"]): dict(entry) for entry in chart}
    changes = _changes_by_name(patch, keep_empty=find_release(release).keeps_empty_text)
    after = dict(before)
    for name, change in changes.items():
        after[name] = _without_null_fields(overlay(before.get(name, {}), change))
    unchanged = [name for name in before if name not in changes]
    kept = [name for name, change in changes.items() if change.get("$patch") != "delete"]
    positions = _positions(str(entry["name"]) for entry in chart)
    env = tuple(copied(after[name]) for name in interleaved(unchanged, kept, positions))
    return MergedEnv(env, tuple(_two_sources(entry["name"]) for entry in env if {"value", "valueFrom"} <= entry.keys()))


def _require_variables(argument: str, variables: Any) -> None:
    require(variables, list | tuple, (argument,), "a list of variables")
    for index, entry in enumerate(variables):
        require(entry, Mapping, (argument, index), "a mapping with a name")
    require_plain(variables, (argument,))


def _require_variable_names(argument: str, variables: Sequence[Mapping[str, Any]]) -> None:
    nameless = [index for index, entry in enumerate(variables) if not entry.get("name")]
    if nameless:
        problem = "is required: name the variable"
        raise InvalidInput(Problem((argument, index, "name"), problem) for index in nameless)


def _changes_by_name(patch: Iterable[Mapping[str, Any]], *, keep_empty: bool) -> dict[str, dict[str, Any]]:
    """Return what a patch says of each variable; of fields that it names twice the last one counts."""
    changes: dict[str, dict[str, Any]] = {}
    for entry in patch:
        change = changes.setdefault(str(entry["name"]), {})
        change |= {key: value for key, value in entry.items() if value != "" or keep_empty}
    return changes


def _without_null_fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _two_sources(name: Any) -> Problem:
    problem = "has value and valueFrom, which Kubernetes refuses: set valueFrom to null beside value"
    return Problem(("env", name), problem)


# ------------------------------------------------------------------------------------ the order of lists merged by key


def interleaved(base_only: Sequence[str], patched: Sequence[str], positions: Mapping[str, int]) -> list[str]:
    """Return the keys of a list that was merged by key, in the order that Kubernetes' strategic merge gives them.

    `base_only` are the keys that the patch does not mention, `patched` those that it does, new ones among them;
    `positions` says where each key was in the base. A key of the base alone keeps its place before a key that both
    have; all others go as the patch has them.
    """
    result: list[str] = []
    taken = 0
    for key in patched:
        while taken < len(base_only) and key in positions and positions[base_only[taken]] < positions[key]:
            result.append(base_only[taken])
            taken += 1
        result.append(key)
    return [*result, *base_only[taken:]]


def _positions(keys: Iterable[str]) -> dict[str, int]:
    """Return where each key is in a list; of one that is there twice, where it is last."""
    return {key: index for index, key in enumerate(keys)}


# ------------------------------------------------------------------------------------------------- merging up to 1.23

# Lists whose items are merged by a key.
_BY_KEY: Mapping[tuple[str, ...], str] = {
    ("spec", "components", "ingressGateways"): "name",
    ("spec", "components", "egressGateways"): "name",
    ("spec", "meshConfig", "extensionProviders"): "name",
    ("spec", "meshConfig", "configSources"): "address",
    ("spec", "meshConfig", "certificates"): "secretName",
    **{
        ("spec", "values", "gateways", gateway, key): "name"
        for gateway in GATEWAY_CHARTS.values()
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
_REPLACED: set[Path] = {("spec", "meshConfig", "defaultConfig", key) for key in ("tracing", "gatewayTopology", "sds")}


def strategic_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as Kubernetes' strategic merge does, with istioctl's keys; null deletes.

    istioctl also refuses mappings and lists that are on both sides under a key that it does not know; here they are
    merged as if it did.
    """
    merged: dict[str, Any] = copied(base)
    strategic_merge_onto(merged, over)
    return merged


def strategic_merge_onto(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Change the base as `strategic_merge` does; where that raises NamelessItem, in part."""
    _strategic().merge(base, copied(over))


def touched(base: Any, over: Any, path: Path = ()) -> Any:
    """Return a copy of what a merge may change of the base: what `over` has too, in the order of the base."""
    if isinstance(base, dict) and isinstance(over, Mapping) and "$patch" not in over and path not in _REPLACED:
        common = [key for key in over if key in base]
        if len(common) > 1:
            common = [key for key in base if key in over]
        return {key: touched(base[key], over[key], (*path, key)) for key in common}
    if isinstance(base, _KeyedList) and isinstance(over, list) and not _replaces(over):
        # Whole items, since reports of losses call them by keys that `over` may not have.
        names = dict.fromkeys(name for item in over if isinstance(name := at(item, base.key), str))
        return [copied(base.by_name[name]) for name in names if name in base.by_name]
    return copied(base)


def _merged_mappings(merger: "Merger", path: list[Any], base: dict[str, Any], over: dict[str, Any]) -> Any:
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
        elif at(value, "$patch") != "delete":
            base[key] = _without_nulls(value)
    return base


def _merged_lists(merger: "Merger", path: list[Any], base: list[Any], over: list[Any]) -> Any:
    key = _BY_KEY.get(tuple(path))
    if key is not None:
        return _merged_by_key(merger, path, key, base, over)
    if tuple(path) in _UNIONS and all(isinstance(item, str) for item in (*base, *over)):
        positions = _positions(base)
        patched = dict.fromkeys(over)
        base_only = [item for item in positions if item not in patched]
        return interleaved(base_only, list(patched), positions)
    return over


class _KeyedList(list[Any]):
    """A list that is merged by a key, whose items are found by their names, which differ."""

    def __init__(self, items: Iterable[dict[str, Any]], key: str) -> None:
        super().__init__(items)
        self.key = key
        self.by_name: dict[str, dict[str, Any]] = {item[key]: item for item in self}


def find_by_name(tree: Mapping[str, Any]) -> None:
    """Make the items of a tree's lists found by their names, so that many merges take no longer for long lists.

    `copied` returns the tree with lists as all others are.
    """
    for (*above, last), key in _BY_KEY.items():
        parent = at(tree, *above)
        items = mapping_of(parent).get(last)
        if type(items) is list and _have_names(items, key):
            parent[last] = _KeyedList(items, key)


def _have_names(items: Sequence[Any], key: str) -> bool:
    """Return whether all items of a list have a name, and each another one."""
    names = [at(item, key) for item in items]
    return all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)


def _merged_by_key(merger: "Merger", path: list[Any], key: str, base: list[Any], over: list[Any]) -> list[Any]:
    """Return a list whose items are merged where both sides have one of the same name, the value at `key`."""
    if _replaces(over):
        return [_without_nulls(item) for item in over if not _has_directive(item)]
    if not isinstance(base, _KeyedList):
        _require_names(tuple(path), key, base, in_base=True)
    _require_names(tuple(path), key, over, in_base=False)
    before = base.by_name if isinstance(base, _KeyedList) else {item[key]: item for item in base}
    changes = {item[key]: item for item in over}
    merged: dict[str, Any] = {}
    for name, change in changes.items():
        if name in before:
            merged[name] = merger.value_strategy([*path, "*"], before[name], change)
        else:
            merged[name] = _without_nulls(change)
    if isinstance(base, _KeyedList) and all(merged.values()):
        # In lists of many files most merges are of these two kinds, which leave the others where they are.
        if len(merged) == 1 and all(item is before.get(name) for name, item in merged.items()):
            return base
        if not merged.keys() & before.keys():
            base[:0] = merged.values()
            before.update(merged)
            return base
    items = {**before, **merged}
    positions = _positions(item[key] for item in base)
    base_only = [item[key] for item in base if item[key] not in changes]
    patched = [name for name in changes if items[name]]  # what `$patch: delete` empties goes
    result = [items[name] for name in interleaved(base_only, patched, positions)]
    return _KeyedList(result, key) if isinstance(base, _KeyedList) else result


def _replaces(over: Sequence[Any]) -> bool:
    """Return whether an item says that the list takes the place of the other one."""
    return any(at(item, "$patch") == "replace" for item in over)


def _has_directive(item: Any) -> bool:
    return isinstance(item, dict) and "$patch" in item


class NamelessItem(InvalidInput):
    """An item that lacks the key by which its list is merged."""

    def __init__(self, problem: Problem, list_path: tuple[str, ...], *, in_base: bool) -> None:
        super().__init__([problem])
        self.list_path = list_path
        self.in_base = in_base
        """Whether the item is one of the base; else the file that is merged in has it."""


def _require_names(path: tuple[str, ...], key: str, items: Sequence[Any], *, in_base: bool) -> None:
    """Raise NamelessItem for the first item without text at `key`."""
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get(key), str | None):
            problem = Problem((*path, index), f"must be a mapping whose {key} is text: correct it")
            raise NamelessItem(problem, path, in_base=in_base)
        if not item.get(key):
            problem = Problem((*path, index, key), "is required where two files have the list: add it")
            raise NamelessItem(problem, path, in_base=in_base)


def _without_nulls(value: Any) -> Any:
    """Return a value that is merged into nothing: its nulls have nothing to delete, its directives nothing to do."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None and key != "$patch"}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


@cache
def _strategic() -> "Merger":
    from deepmerge import Merger  # for this alone

    return Merger([(dict, [_merged_mappings]), (list, [_merged_lists])], ["override"], ["override"])
