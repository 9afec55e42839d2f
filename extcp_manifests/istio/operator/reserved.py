"""What a topology decides, and no override may: beside the values that a document sets, those that it leaves out."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.lookup import at, items_of, mapping_of, text_of
from extcp_manifests.documents.paths import leaves
from extcp_manifests.errors import Path, Problem
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.patterns import pattern

_DECIDED = "is decided by the topology, and the installation would not work with another value: leave it out"

# Keys of the values of the charts istiod, istiod-remote and base (istio 1.23.6 and 1.30.3: their templates). What each
# one would do was not tried in every release; none can be of use beside what the topology says.
_VALUES: tuple[Path, ...] = (
    ("revision",),
    ("defaultRevision",),
    ("profile",),
    ("meshConfig",),
    ("global", "istioNamespace"),
    ("global", "revision"),
    ("global", "remotePilotAddress"),
    ("global", "operatorManageWebhooks"),
    ("global", "configValidation"),
    ("global", "configCluster"),
    ("global", "externalIstiod"),
    ("global", "omitSidecarInjectorConfigMap"),
    ("global", "caAddress"),
    ("global", "meshID"),
    ("global", "multiCluster", "clusterName"),
    ("istiodRemote", "enabled"),
    ("istiodRemote", "injectionURL"),
    ("istiodRemote", "injectionPath"),
    ("base", "validationURL"),
    ("pilot", "enabled"),
    ("pilot", "configMap"),
)

_VARIABLES = (
    "CLUSTER_ID",
    "EXTERNAL_ISTIOD",
    "INJECTION_WEBHOOK_CONFIG_NAME",
    "ISTIOD_CUSTOM_HOST",
    "LOCAL_CLUSTER_SECRET_WATCHER",
    "SHARED_MESH_CONFIG",
    "VALIDATION_WEBHOOK_CONFIG_NAME",
)

_SPEC: tuple[Path, ...] = (
    ("revision",),
    ("namespace",),
    ("profile",),
    *(("components", name, key) for name in ("base", "pilot", "istiodRemote") for key in ("enabled", "namespace")),
)
"""Keys of an IstioOperator's spec."""

# Keys of the values of the chart gateway, by which its pods are found and injected (istio 1.30.3: gateway/templates).
_GATEWAY_VALUES: tuple[Path, ...] = (
    ("name",),
    ("revision",),
    ("labels", "app"),
    ("labels", "istio"),
    ("networkGateway",),
)

# Other spellings of what is set in the mesh config (istio.io/api: protobuf's JSON takes both).
_MESH_CONFIG: tuple[Path, ...] = (
    ("root_namespace",),
    ("default_config",),
    ("defaultConfig", "discovery_address"),
    ("defaultConfig", "meshId"),
    ("defaultConfig", "mesh_id"),
    ("defaultConfig", "proxy_metadata"),
)


def reserved_in_operator(ours: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield why a piece of an IstioOperator's spec is refused that decides what the topology does.

    Values that the document has itself are not looked at, since those are compared.
    """
    yield from _decided(ours, piece, _SPEC, ())
    for key in ("values", "unvalidatedValues"):
        values = mapping_of(piece.get(key))
        yield from _decided(mapping_of(ours.get("values")), values, _VALUES, (key,))
        yield from _variables(ours, values, (key,))
    mesh_config = mapping_of(piece.get("meshConfig"))
    yield from _decided(mapping_of(ours.get("meshConfig")), mesh_config, _MESH_CONFIG, ("meshConfig",))
    yield from _ignored(piece)
    yield from _replaced_values(ours, piece)
    yield from _gateways(ours, piece)
    yield from _patches(piece)


def reserved_in_values(ours: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the same for a piece of the values of the chart istiod."""
    yield from _decided(ours, piece, _VALUES, ())
    yield from _variables(ours, piece, ())


def reserved_in_istio_resource(ours: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the same for a piece of the spec of an Istio resource.

    An update strategy by revisions would rename what all clusters name (sail-operator main: controllers/istio).
    """
    yield from _decided(ours, piece, (("profile",), ("updateStrategy",)), ())
    for problem in reserved_in_values(mapping_of(ours.get("values")), mapping_of(piece.get("values"))):
        yield problem.under("values")


def reserved_in_gateway_values(ours: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the same for a piece of the values of the chart gateway."""
    yield from _decided(ours, piece, _GATEWAY_VALUES, ())


def _decided(
    ours: Mapping[str, Any], piece: Mapping[str, Any], keys: tuple[Path, ...], place: Path
) -> Iterator[Problem]:
    for key in keys:
        if at(piece, *key) is not None and at(ours, *key) is None:
            yield Problem((*place, *key), _DECIDED)


def _variables(ours: Mapping[str, Any], values: Mapping[str, Any], place: Path) -> Iterator[Problem]:
    """Yield variables of istiod in its chart's values; from 1.24 these are also at the top of the values."""
    for start in (("pilot", "env"), ("env",)):
        for name in mapping_of(at(values, *start)):
            if name in _VARIABLES and at(ours, *start, name) is None:
                yield Problem((*place, *start, name), _DECIDED)
    for start in (("pilot", "envVarFrom"), ("envVarFrom",)):
        for index, item in enumerate(items_of(values, *start)):
            if at(item, "name") in _VARIABLES:
                yield Problem((*place, *start, index), _DECIDED)


def _ignored(piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what istioctl takes and ignores in every release (istio 1.15.7 to 1.31: operator/pkg)."""
    for key in ("volumes", "volumeMounts"):
        if at(piece, "components", "pilot", "k8s", key) is not None:
            problem = f"is ignored by istioctl: use values.pilot.{key}, or a patch in k8s.overlays"
            yield Problem(("components", "pilot", "k8s", key), problem)


def _replaced_values(ours: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield values of ours that `unvalidatedValues` would replace, which istioctl lays over them."""
    over = mapping_of(piece.get("unvalidatedValues"))
    values = mapping_of(ours.get("values"))
    effective = overlay(values, over)
    for place, value in leaves(values, whole_lists=True):
        if at(effective, *place) != value:
            yield Problem(("unvalidatedValues", *place), _DECIDED)


def _gateways(ours: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield labels and namespaces of gateways of ours; further gateways may have any."""
    for kind in ("ingressGateways", "egressGateways"):
        known = {at(item, "name"): item for item in items_of(ours, "components", kind)}
        for index, item in enumerate(items_of(piece, "components", kind)):
            name = at(item, "name")
            if not isinstance(name, str) or name not in known:
                continue
            for key in ("label", "namespace"):
                if at(item, key) is not None and at(known[name], key) is None:
                    yield Problem(("components", kind, index, key), _DECIDED)
            annotation: Path = ("k8s", "podAnnotations", "inject.istio.io/templates")
            if at(item, *annotation) is not None and _has_templates_of_ours(ours):
                yield Problem(("components", kind, index, *annotation), _DECIDED)


def _has_templates_of_ours(ours: Mapping[str, Any]) -> bool:
    """Return whether gateways are injected by more than Istio's own template, as with private root certificates."""
    gateways = mapping_of(ours, "values", "gateways").values()
    return any("," in text_of(at(gateway, "injectionTemplate")) for gateway in gateways)


def _patches(piece: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield patches at istiod's variables or its name, and of the ConfigMaps and the Service that others read."""
    place: Path = ("components", "pilot", "k8s", "overlays")
    for index, item in enumerate(items_of(piece, *place)):
        if at(item, "kind") in ("ConfigMap", "Service"):
            yield Problem((*place, index), _DECIDED)
            continue
        for number, patch in enumerate(items_of(item, "patches")):
            path = str(at(patch, "path"))
            found = _ENV.search(path)
            is_name = path.startswith(("metadata.name", "metadata.namespace"))
            if is_name or (found and (found[1] is None or found[1] in _VARIABLES)):
                yield Problem((*place, index, "patches", number, "path"), _DECIDED)


# The list of variables, and perhaps one of them by its name; an index could be any.
_ENV = pattern(r"\.env(?:\.?\[(?:name:([^\]]*)|[^\]]*)\].*)?$")
