"""What makes an istiod an external one, and whether an IstioOperator still has all of it.

People merge files of their own into ours, and a list of theirs replaces ours: istiod is then installed without a
warning, but without variables or mounts. So the result is checked here, after `compose` and after kustomize alike:
istiod's Deployment as the chart and istioctl of the release make it, as far as variables and mounts go.

Source: istio 1.15.7 to 1.30.3: istio-discovery/templates/deployment.yaml, pilot/pkg/features/pilot.go,
pilot/pkg/bootstrap/mesh.go and sidecarinjector.go, pilot/pkg/serviceregistry/kube/controller/multicluster.go; read, and
not run.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.findings import Findings, Found, by_rule, error, warning
from extcp_manifests.documents.istio_operator import IstioOperator, Overlay, Patch
from extcp_manifests.documents.lookup import at, items_of, mapping_of, text_of
from extcp_manifests.errors import Path, Problem
from extcp_manifests.istio.object_names import INJECTOR_FILES, MESH_CONFIG_FILES, Names
from extcp_manifests.istio.operator.merging import merge_env, operator_mesh_config, operator_values
from extcp_manifests.istio.operator.overlays import apply_overlays, reaction_to_a_misfit
from extcp_manifests.istio.operator.tree_paths import go_text
from extcp_manifests.istio.releases import Release, find_release, since
from extcp_manifests.istio.rules.shared_checks import is_ip
from extcp_manifests.records import Record


def is_external_istiod(document: IstioOperator | Mapping[str, Any], *, release: Release | str) -> bool:
    """Return whether an IstioOperator installs an external istiod, or looks as if it was meant to."""
    return _Istiod(_plain(document), find_release(release)).is_external()


def check_external_istiod(document: IstioOperator | Mapping[str, Any], *, release: Release | str) -> Findings:
    """Check that an external istiod has what makes it one; any other document passes.

    Errors are what will not work; warnings what works in some installations.
    """
    istiod = _Istiod(_plain(document), find_release(release))
    if not istiod.is_external():
        return Findings(())
    return Findings(tuple(found for rule, check in _RULES for found in by_rule(rule, check(istiod))))


def _plain(document: IstioOperator | Mapping[str, Any]) -> Mapping[str, Any]:
    plain: Any = document.plain() if isinstance(document, IstioOperator) else document
    yaml.require_plain(plain)
    return mapping_of(plain)


_K8S = ("spec", "components", "pilot", "k8s")


_GLOBAL = ("spec", "values", "global")


_TRUE = ("1", "t", "T", "TRUE", "true", "True")
"""What Go's ParseBool takes for true."""


class _Istiod:
    """The istiod that a document installs, with what rules ask of it; a value of a wrong type is as good as none."""

    def __init__(self, document: Mapping[str, Any], release: Release) -> None:
        self.release = release
        self.metadata = mapping_of(document, "metadata")
        self.spec = mapping_of(document, "spec")
        self.values = operator_values(self.spec)
        self.mesh_config = operator_mesh_config(self.spec, release)
        revision = at(self.values, "revision") or self.spec.get("revision") or ""
        self.names = Names(namespace="", revision=go_text(revision))
        pod = at(self._deployment(), "spec", "template", "spec")
        container: Any = next(iter(items_of(pod, "containers")), None)
        self.env = {each["name"]: each for each in _named(at(container, "env"))}
        self.volumes = {each["name"]: each for each in _named(at(pod, "volumes"))}
        self.mounts = [each for each in items_of(container, "volumeMounts") if isinstance(each, Mapping)]

    def global_value(self, *path: str) -> Any:
        return at(self.values, "global", *path)

    @property
    def discovery_address(self) -> str:
        return text_of(self.mesh_config, "defaultConfig", "discoveryAddress")

    @property
    def ca_address(self) -> str:
        return text_of(self.global_value("caAddress"))

    @property
    def variables_of_values(self) -> Mapping[str, Any]:
        return mapping_of(self.values, "pilot", "env")

    @property
    def shares_mesh_config(self) -> bool:
        """Whether istiod reads the config cluster's mesh config beside its own file."""
        return "SHARED_MESH_CONFIG" in self.env and self.value("SHARED_MESH_CONFIG") != ""

    def is_true(self, name: str) -> bool:
        """Whether a variable is true, or is read from somewhere else and may be."""
        return name in self.env and (self.value(name) is None or self.value(name) in _TRUE)

    def value(self, name: str) -> str | None:
        """Return the text of a variable that the container has; None where it comes from somewhere else."""
        variable = self.env[name]
        if variable.get("value") is None:
            return None if variable.get("valueFrom") is not None else ""
        return go_text(variable["value"])

    def place(self, name: str) -> Path:
        """Return where a document sets a variable, or should."""
        entries = items_of(self.spec, "components", "pilot", "k8s", "env")
        for index, entry in enumerate(entries):
            if at(entry, "name") == name:
                return (*_K8S, "env", index)
        if name in self.variables_of_values:
            return ("spec", "values", "pilot", "env", name)
        return (*_K8S, "env")

    def is_external(self) -> bool:
        """Return whether istiod is an external one: one clear sign is enough, of weaker ones two together."""
        if not self._installs_istiod():
            return False
        clear_signs = (
            text_of(self.metadata, "name") == "external-istiod",
            self.is_true("EXTERNAL_ISTIOD"),
            self.is_true("LOCAL_CLUSTER_SECRET_WATCHER"),
            self.global_value("externalIstiod") is True,
        )
        outside = bool(self.discovery_address) and not _is_in_cluster(self.discovery_address)
        ca_outside = bool(self.ca_address) and not _is_in_cluster(self.ca_address)
        no_webhooks = (
            self.global_value("operatorManageWebhooks") is True and self.global_value("configValidation") is False
        )
        alone = self.spec.get("profile") == "empty"
        return any(clear_signs) or (outside and (ca_outside or no_webhooks or alone)) or (ca_outside and no_webhooks)

    def _installs_istiod(self) -> bool:
        profile = self.spec.get("profile")
        if profile in ("remote", "external"):  # of a remote cluster, which has no istiod
            return False
        enabled = at(self.spec, "components", "pilot", "enabled")
        return enabled is True or (enabled is None and profile != "empty")

    def _deployment(self) -> Mapping[str, Any]:
        """Return the Deployment as far as it is known without the chart, with the patches that apply to that."""
        mounts: list[Any] = [{"name": name, "mountPath": path} for name, path in _CHART_MOUNTS]
        volumes: list[Any] = [{"name": name} for name, _ in _CHART_MOUNTS]
        if self.release.mounting_values is not None:
            mounts += items_of(self.values, "pilot", "volumeMounts")
            volumes += items_of(self.values, "pilot", "volumes")
        container = {"name": "discovery", "env": self._merged_env(), "volumeMounts": mounts}
        deployment = {
            "kind": "Deployment",
            "metadata": {"name": self.names.istiod},
            "spec": {"template": {"spec": {"containers": [container], "volumes": volumes}}},
        }
        overlays = _overlays(at(self.spec, "components", "pilot", "k8s", "overlays"))
        return apply_overlays([deployment], overlays, release=self.release).objects[0]

    def _merged_env(self) -> Sequence[Mapping[str, Any]]:
        """Return the chart's variables that matter, with those of `k8s.env`."""
        k8s = mapping_of(self.spec, "components", "pilot", "k8s")
        patch = [each for each in items_of(k8s, "env") if _has_name(each) or at(each, "$patch") == "replace"]
        if self.release.moves_pilot_values:
            # istioctl reads the list by its types, which know no null, and moves the variables of values there.
            known = [{key: value for key, value in each.items() if value is not None} for each in patch]
            patch = [*known, *self._variables_of_values()]
        return merge_env(self._chart_env(), patch, release=self.release).env

    def _chart_env(self) -> Sequence[Mapping[str, Any]]:
        """Return the chart's variables: those of values come before its own, and the last one of a name counts."""
        chart: list[Mapping[str, Any]] = []
        if not self.release.moves_pilot_values:
            chart += [each for each in self._variables_of_values() if each["name"] != "CLUSTER_ID"]
        named = {each["name"] for each in chart}
        is_external = self.release in _CHART_SETS_EXTERNAL and self.global_value("externalIstiod") is True
        if is_external and "EXTERNAL_ISTIOD" not in named:
            chart.append({"name": "EXTERNAL_ISTIOD", "value": "true"})
        return [*chart, {"name": "CLUSTER_ID", "value": self.cluster_name or _CHART_CLUSTER}]

    def _variables_of_values(self) -> Sequence[Mapping[str, Any]]:
        given = self.variables_of_values
        return [{"name": name, "value": go_text(value)} for name, value in given.items() if value is not None]

    @property
    def cluster_name(self) -> str:
        return text_of(self.global_value("multiCluster", "clusterName"))


_CHART_SETS_EXTERNAL = since("1.23")
"""The chart makes the variable of the value. Source: istio 1.23.6: istio-discovery/templates/deployment.yaml."""


_CHART_CLUSTER = "Kubernetes"  # istio 1.15.7 to 1.30.3: istio-discovery/templates/deployment.yaml


# Volumes of the chart, and where they are mounted (istio 1.15.7 to 1.30.3: istio-discovery/templates/deployment.yaml).
_CHART_MOUNTS = (
    ("local-certs", "/var/run/secrets/istio-dns"),
    ("istio-token", "/var/run/secrets/tokens"),
    ("cacerts", "/etc/cacerts"),
    ("istio-kubeconfig", "/var/run/secrets/remote"),
    ("istio-csr-dns-cert", "/var/run/secrets/istiod/tls"),
    ("istio-csr-ca-configmap", "/var/run/secrets/istiod/ca"),
)


def _overlays(given: Any) -> Iterator[Overlay]:
    """Yield the overlays that have the form of one; other rules report what is wrong with the rest."""
    for each in items_of(given):
        kind, name = at(each, "kind"), at(each, "name")
        if isinstance(kind, str) and isinstance(name, str):
            patches = [patch for patch in items_of(each, "patches") if isinstance(at(patch, "path"), str)]
            yield Overlay(
                kind=kind,
                name=name,
                patches=tuple(Patch(path=patch["path"], value=patch.get("value")) for patch in patches),
            )


# -------------------------------------------------------------------------------------------------------- the variables


def _null(istiod: _Istiod) -> Iterator[Found]:
    """From 1.24 null is patched into the Deployment; it is reported once, and not for every variable."""
    k8s = mapping_of(istiod.spec, "components", "pilot", "k8s")
    if istiod.release.keeps_nulls and "env" in k8s and k8s["env"] is None:
        yield error((*_K8S, "env"), "is null, and istioctl takes all variables of istiod away: leave the key out")


def _external(istiod: _Istiod) -> Iterator[Found]:
    name = "EXTERNAL_ISTIOD"
    if name not in istiod.env:
        yield _missing(istiod, name, "istiod does not serve the remote clusters", 'add it with the value "true"')
    elif not istiod.is_true(name):
        problem = f"{name} is {istiod.value(name)!r}, and istiod does not serve the remote clusters: set it to 'true'"
        yield error(istiod.place(name), problem)


def _missing(istiod: _Istiod, name: str, effect: str, way_out: str) -> Found:
    there = f"{way_out}, here or as spec.values.pilot.env.{name}"
    return error(istiod.place(name), f"has no {name}, and {effect}: {there}")


def _cluster(istiod: _Istiod) -> Iterator[Found]:
    """istiod knows the config cluster by CLUSTER_ID, its proxies by the name in the values."""
    name, cluster_name = "CLUSTER_ID", istiod.cluster_name
    in_values = istiod.variables_of_values.get(name)
    of_the_chart = cluster_name or _CHART_CLUSTER
    if not istiod.release.moves_pilot_values and in_values is not None and go_text(in_values) != of_the_chart:
        problem = (
            f"is {go_text(in_values)!r}, but the chart writes {of_the_chart!r} behind it, which wins: "
            f"set spec.values.global.multiCluster.clusterName instead"
        )
        yield error(("spec", "values", "pilot", "env", name), problem)
        return
    value = istiod.value(name) if name in istiod.env else ""
    if value is None:
        return
    if value in ("", _CHART_CLUSTER) and not cluster_name:
        problem = f"is not set, and istiod takes the config cluster's name for {_CHART_CLUSTER!r}: set it to that name"
        yield error((*_GLOBAL, "multiCluster", "clusterName"), problem)
    elif cluster_name and value != cluster_name:
        other = "spec.values.global.multiCluster.clusterName"
        problem = f"{name} is {value!r}, but {other} is {cluster_name!r}: give both the same"
        yield error(istiod.place(name), problem)


def _webhooks(istiod: _Istiod) -> Iterator[Found]:
    """Without these variables istiod has defaults: it writes its own CA into webhooks, as they need by IP address."""
    by_address = is_ip(_host(istiod.discovery_address))
    for name, webhooks, effect, key in (
        ("INJECTION_WEBHOOK_CONFIG_NAME", "injection webhooks", "inject nothing", "istiodRemote.injectionCABundle"),
        ("VALIDATION_WEBHOOK_CONFIG_NAME", "validation webhooks", "validate nothing", "base.validationCABundle"),
    ):
        if name in istiod.env:
            if by_address and istiod.value(name) == "":
                yield _without_ca(istiod, name, f"{webhooks}, which then {effect}", key)
            continue
        missing = _missing(
            istiod,
            name,
            f"istiod then writes its own CA into the {webhooks}",
            'add it, as "" where a gateway ends TLS with a certificate of its own',
        )
        yield Found(missing.problem, is_warning=by_address)


def _without_ca(istiod: _Istiod, name: str, webhooks: str, key: str) -> Found:
    """By IP address istiod's certificate is its own CA's, which webhooks only know if someone writes it there."""
    in_values = istiod.release in _CA_IN_VALUES
    unless = f", unless values.{key} of each remote cluster has it" if in_values else ""
    problem = (
        f"{name} is '', and by IP address nothing but istiod writes its CA into the {webhooks}: "
        f"set it to any other text{unless}"
    )
    return Found(Problem(istiod.place(name), problem), is_warning=in_values)


_CA_IN_VALUES = since("1.22")
"""Remote clusters may have istiod's CA in their values. Source: istio 1.22.8: istiodRemote, base in values.yaml."""


def _watcher(istiod: _Istiod) -> Iterator[Found]:
    name = "LOCAL_CLUSTER_SECRET_WATCHER"
    if not istiod.is_true(name) and "PILOT_MULTICLUSTER_KUBECONFIG_PATH" not in istiod.env:
        problem = (
            f"has no {name} that is true, and istiod looks for remote secrets in the config cluster: "
            'add it with the value "true", unless they are there'
        )
        yield warning(istiod.place(name), problem)


def _shared_mesh_config(istiod: _Istiod) -> Iterator[Found]:
    name = "SHARED_MESH_CONFIG"
    if not istiod.shares_mesh_config:
        problem = (
            f"has no {name}, and istiod does not read the config cluster's mesh config: "
            f"add it with the value {istiod.names.mesh_config_map!r}, unless that is meant"
        )
        yield warning(istiod.place(name), problem)


# ----------------------------------------------------------------------------------------------------------- the mounts


class _Directory(Record):
    """A directory in which istiod looks for files before it asks the config cluster."""

    path: str
    config_map: str
    """The ConfigMap of the chart, without a revision."""
    effect: str
    """What happens without the files."""


_UNREVISED = Names(namespace="")


_DIRECTORIES = (
    _Directory(
        MESH_CONFIG_FILES.directory, _UNREVISED.mesh_config_map, "istiod never reads the mesh config of this document"
    ),
    _Directory(INJECTOR_FILES.directory, _UNREVISED.injector_config_map, "istiod injects no sidecars"),
)


def _mounts(istiod: _Istiod) -> Iterator[Found]:
    for directory in _DIRECTORIES:
        yield from _mount(istiod, directory)


def _mount(istiod: _Istiod, directory: _Directory) -> Iterator[Found]:
    config_map = directory.config_map + istiod.names.istiod.removeprefix("istiod")
    place, ways = _ways_to_mount(istiod)
    volume = _mounted_volume(istiod, directory.path)
    if volume is None:
        problem = f"mounts nothing at {directory.path}, and {directory.effect}: {ways} the ConfigMap {config_map!r}"
        yield _without_files(istiod, place, problem)
    elif volume not in istiod.volumes:
        problem = (
            f"mounts {volume!r} at {directory.path}, but no volume has this name: {ways} the ConfigMap {config_map!r}"
        )
        yield error(place, problem)
    elif names := tuple(_config_maps(istiod.volumes[volume])):
        if config_map in names:
            return
        for named in names:
            is_of_another_revision = named.startswith(f"{directory.config_map}-")
            if named == directory.config_map or is_of_another_revision:
                problem = (
                    f"mounts the ConfigMap {named!r} at {directory.path}, but the chart makes {config_map!r}: name that"
                )
                yield error(place, problem)
    else:
        problem = (
            f"mounts {volume!r} at {directory.path}, which is not a ConfigMap, and {directory.effect}: "
            f"make it the ConfigMap {config_map!r}"
        )
        if _may_have_files(istiod.volumes[volume]):
            yield warning(place, f"{problem}, unless files of your own are meant")
        else:
            yield _without_files(istiod, place, problem)


def _without_files(istiod: _Istiod, place: Path, problem: str) -> Found:
    """Without a shared mesh config all may be meant to come from the config cluster."""
    return error(place, problem) if istiod.shares_mesh_config else warning(place, problem)


def _config_maps(volume: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the ConfigMaps whose files a volume has."""
    for source in (volume, *items_of(volume, "projected", "sources")):
        if name := text_of(source, "configMap", "name"):
            yield name


_NO_FILES = ("name", "configMap", "emptyDir", "ephemeral", "volumeSource")
"""Keys of a volume that begins empty, or that Kubernetes does not know."""


def _may_have_files(volume: Mapping[str, Any]) -> bool:
    sources = {key for key, value in volume.items() if value is not None and key not in _NO_FILES}
    return bool(sources - {"projected"} or items_of(volume, "projected", "sources"))


def _ways_to_mount(istiod: _Istiod) -> tuple[Path, str]:
    """Return the place where mounts are set in a release, and how to set them."""
    key = istiod.release.mounting_values
    if key is not None:
        return ("spec", key, "pilot", "volumeMounts"), f"add to spec.{key}.pilot.volumes and volumeMounts"
    return (*_K8S, "overlays"), f"repeat in the overlay of Deployment {istiod.names.istiod!r} the patches that mount"


def _mounted_volume(istiod: _Istiod, path: str) -> str | None:
    """Return the name of the volume at a path, or None."""
    for mount in istiod.mounts:
        if posixpath.normpath(text_of(mount, "mountPath") or "/") == path:
            return text_of(mount, "name")
    return None


def _overlay_targets(istiod: _Istiod) -> Iterator[Found]:
    """The chart has one Deployment, whose name follows the revision."""
    reaction = reaction_to_a_misfit(istiod.release)
    for index, overlay in enumerate(items_of(istiod.spec, "components", "pilot", "k8s", "overlays")):
        name = at(overlay, "name")
        if at(overlay, "kind") == "Deployment" and isinstance(name, str) and name != istiod.names.istiod:
            problem = (
                f"is {name!r}, but the Deployment is {istiod.names.istiod!r}, and istioctl {istiod.release} "
                f"{reaction}: correct it"
            )
            yield error((*_K8S, "overlays", index, "name"), problem)


# -------------------------------------------------------------------------------------------------- addresses and names


def _addresses(istiod: _Istiod) -> Iterator[Found]:
    """Proxies find istiod for their configuration and for their certificates at one address."""
    discovery, ca = istiod.discovery_address, istiod.ca_address
    place = ("spec", "meshConfig", "defaultConfig", "discoveryAddress")
    if not discovery or not ca:
        given = discovery or ca
        if given and not _is_in_cluster(given) and not is_ip(_host(given)):
            missing, other = ((*_GLOBAL, "caAddress"), "discoveryAddress") if discovery else (place, "caAddress")
            yield error(missing, f"is not set, but {other} is {given!r}, and proxies need both: set it to the same")
        return
    if _host(discovery) != _host(ca) and not _is_another_ca(ca):
        problem = f"is {ca!r}, but discoveryAddress is {discovery!r}: give both the same host"
        yield error((*_GLOBAL, "caAddress"), problem)


def _is_another_ca(address: str) -> bool:
    """Return whether an address is that of a CA in the proxies' own cluster, which is not an istiod."""
    return _is_in_cluster(address) and not _host(address).startswith("istiod")


def _host(address: str) -> str:
    """Return the host of `host:port`; an address by IPv6 may have quotes of its own."""
    text = address.strip("'\"")
    if text.startswith("["):
        return text[1:].partition("]")[0].lower()
    host, colon, _ = text.rpartition(":")
    return (host if colon else text).lower()


def _is_in_cluster(address: str) -> bool:
    """Return whether an address can only be that of a Service: `istiod`, `istiod.istio-system.svc`."""
    host = _host(address)
    labels = host.split(".")
    return not is_ip(host) and (len(labels) == 1 or "svc" in labels)


def _namespaces(istiod: _Istiod) -> Iterator[Found]:
    """Where istiod is installed; other rules report namespaces that contradict metadata.namespace."""
    own = text_of(istiod.metadata, "namespace")
    system = text_of(istiod.global_value("istioNamespace"))
    root = text_of(istiod.mesh_config, "rootNamespace")
    other = text_of(istiod.spec, "components", "pilot", "namespace") or text_of(istiod.spec, "namespace")
    if not system and not other and own not in ("", _DEFAULT_NAMESPACE):
        problem = f"is not set, and istioctl installs into {_DEFAULT_NAMESPACE}: set it to {own!r}"
        yield error((*_GLOBAL, "istioNamespace"), problem)
    if not own and root and system and root != system:
        problem = f"is {root!r}, but spec.values.global.istioNamespace is {system!r}: check which of the two is meant"
        yield warning(("spec", "meshConfig", "rootNamespace"), problem)


_DEFAULT_NAMESPACE = "istio-system"  # istio 1.15.7 to 1.30.3: profiles/default.yaml


def _own_webhooks(istiod: _Istiod) -> Iterator[Found]:
    """The webhooks belong into the remote clusters."""
    if istiod.global_value("operatorManageWebhooks") is not True:
        problem = "is not true, and istioctl makes injection webhooks in the external cluster too: set it to true"
        yield warning((*_GLOBAL, "operatorManageWebhooks"), problem)
    if istiod.global_value("configValidation") is not False:
        problem = "is not false, and istioctl makes validation webhooks in the external cluster too: set it to false"
        yield warning((*_GLOBAL, "configValidation"), problem)


_RULES = (
    ("external-istiod/variables", _null),
    ("external-istiod/variables", _external),
    ("external-istiod/cluster", _cluster),
    ("external-istiod/webhooks", _webhooks),
    ("external-istiod/variables", _watcher),
    ("external-istiod/variables", _shared_mesh_config),
    ("external-istiod/mounts", _mounts),
    ("external-istiod/mounts", _overlay_targets),
    ("external-istiod/addresses", _addresses),
    ("external-istiod/namespaces", _namespaces),
    ("external-istiod/webhooks", _own_webhooks),
)
"""What is checked of an external istiod, each with the id of its rule."""


# ----------------------------------------------------------------------------------------------------------- plain data


def _named(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a list that have a name."""
    return (item for item in items_of(value) if _has_name(item))


def _has_name(item: Any) -> bool:
    return bool(text_of(item, "name"))
