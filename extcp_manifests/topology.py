"""The input: everything about one external control plane, from Python or from a file.

A Topology is checked as a whole when it is made. InvalidInput then has every problem, its place spelled as the input
is: `remote_clusters[1].network` in Python, `spec.remoteClusters[1].network` in a file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ModelWrapValidatorHandler,
    PlainValidator,
    StrictBool,
    StrictStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from extcp_manifests import injection, yaml
from extcp_manifests.address import parse_address, why_no_api_server
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.exposure import Exposure, exposure_of, why_no_credential, why_not_in_release
from extcp_manifests.inputs import (
    CONFIG,
    Key,
    Place,
    Readable,
    file_spelling,
    from_file,
    matching,
    parsed,
    path_of,
    problems_of,
    read,
)
from extcp_manifests.mesh import merge_mesh_config
from extcp_manifests.naming import Names
from extcp_manifests.release import RELEASES, Release, find_release, in_release
from extcp_manifests.text import (
    DNS_SUBDOMAIN,
    SECRET_KEY,
    dns_label,
    dns_subdomain,
    has_user,
    label_value,
    placeholder,
    printable,
    stand_in,
)

SAMPLE_NAMESPACE = "sample"

# Kubernetes makes these namespaces itself; local-path-storage: istio 1.30.3: pkg/kube/inject/inject.go.
_RESERVED = ("default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage")

# istioctl sets values.revision as it does with --set, by Go's ParseFloat and ParseBool
# (istio 1.30.3: operator/pkg/render/manifest.go); in DNS labels these are:
_RETYPED = re.compile(r"[0-9]+(?:e-?[0-9]+)?|0x[0-9a-f]+p-?[0-9]+|inf|infinity|nan|t|true|f|false")


def _why_no_cluster(name: str) -> str | None:
    return printable(name) or injection.why_not_encodable(name)


def _why_no_namespace(name: str) -> str | None:
    if name in _RESERVED:
        return f"{name!r} is one of Kubernetes' own namespaces: choose another"
    return _why_retyped(name) or dns_label(name)


def _why_no_revision(name: str) -> str | None:
    if name == "default":
        return "'default' is what no revision means: leave it out"
    return _why_retyped(name) or dns_label(name, 63 - len("istiod-"))


def _why_retyped(name: str) -> str | None:
    """Istio's charts write these names without quotes into labels and keys (istio 1.31; issue 60239 for namespaces)."""
    if _RETYPED.fullmatch(name) or not isinstance(yaml.resolve(name), str):
        return f"Istio would read {name!r} as a number or a boolean: choose a name with other letters"
    return None


def _why_no_gateway(name: str) -> str | None:
    return _why_retyped(name) or dns_label(name)


def _why_no_mesh_id(name: str) -> str | None:
    return printable(name) or _why_breaks_charts(name)


def _why_breaks_charts(name: str) -> str | None:
    """Istio's charts write these names between double quotes, as they are (istio 1.31: rendering was run)."""
    if not set(name) & set('"\\'):
        return None
    return f"{name!r} has a quotation mark or backslash, which breaks Istio's charts: leave it out"


def _plain_mapping(value: object) -> Mapping[str, Any]:
    """A copy of a mapping of plain data; what is not plain is left for the rules to tell."""
    if not isinstance(value, Mapping):
        raise PydanticCustomError("mapping_type", "must be a mapping")
    try:
        yaml.dump({"spec": {"meshConfig": value}})
    except InvalidInput:
        return value
    copied: dict[str, Any] = _copied(value)
    return copied


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value


def _why_no_hub(text: str) -> str | None:
    if _HUB.fullmatch(text) and len(text) <= 255:
        return None
    if has_user(text):
        return (
            "has something before an '@': leave user, password and digest out, since this stands in files that are "
            "written; a password belongs in an image pull secret"
        )
    return (
        _why_no_query(text)
        or placeholder(text)
        or f"{text!r} is not a registry of images: write it as in registry.example.com/istio, without https:// and tag"
    )


def _why_no_charts(text: str) -> str | None:
    if has_user(text):
        return (
            "has something before an '@': leave user and password out, since this stands in files that are written; "
            "give them to what fetches the charts, as by `helm registry login` or a repository of Argo CD"
        )
    if problem := _why_no_query(text) or placeholder(text):
        return problem
    if _CHARTS.fullmatch(text):
        return None
    return f"{text!r} is not a chart repository: write its URL, as in https://charts.example.com/istio or oci://..."


def _why_no_query(text: str) -> str | None:
    """A query may hold a token, so it is refused without being shown."""
    if "?" in text:
        return "has a query, behind its '?': leave it out, since this stands in files that are written"
    return None


# A host, perhaps with a port, and a path, as images begin (github.com/distribution/reference: regexp.go).
_HUB = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_CHARTS = re.compile(r"(?:https?|oci)://[-a-zA-Z0-9.:\[\]]+(?:/[-\w.~%!$&'()*+,;=:@/]*)?", re.ASCII)


# Places that are taken down in December 2026 and have nothing of Istio 1.31, and what to write for each
# (istio.io: content/en/blog/2026/retirement-of-gcp and retirement-of-gcr.io-follow-up).
_ENDING = {
    "hub": (("gcr.io/istio-release", "docker.io/istio"), ("registry.istio.io", "docker.io/istio")),
    "charts": (
        ("https://istio-release.storage.googleapis.com", "https://blob.istio.io/istio-release/charts"),
        ("http://istio-release.storage.googleapis.com", "https://blob.istio.io/istio-release/charts"),
        ("oci://gcr.io/istio-release", "oci://ghcr.io/istio/release/charts"),
        ("oci://registry.istio.io", "oci://ghcr.io/istio/release/charts"),
    ),
}


def _instead_of_ending(name: str, text: str | None) -> str | None:
    """What to write instead of a registry or a repository that ends; None for every other, and for no text."""
    place = f"{text}/".lower()
    return next((instead for ending, instead in _ENDING[name] if place.startswith(f"{ending}/")), None)


Text = Annotated[StrictStr, matching(printable)]
NamespaceName = Annotated[StrictStr, matching(_why_no_namespace)]
GatewayName = Annotated[StrictStr, matching(_why_no_gateway)]


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedGateway:
    """The ingress gateway of the external cluster, through which remote clusters reach istiod."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    namespace: Annotated[NamespaceName, Field(description="Namespace of the gateway and of its own istiod.")] = (
        "istio-system"
    )
    name: Annotated[GatewayName, Field(description="Name of the gateway.")] = "istio-ingressgateway"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalCluster:
    """The cluster where istiod runs."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Annotated[Text, Field(description="Name of the cluster.")] = "external"
    context: Annotated[
        Text | None, Field(description="Its context in the kubeconfig; the cluster's name if left out.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshGateways:
    """Which gateways of the mesh a remote cluster gets."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    ingress: Annotated[StrictBool, Field(description="Whether requests from outside enter the mesh here.")] = False
    egress: Annotated[StrictBool, Field(description="Whether requests leave the mesh here.")] = False
    east_west: Annotated[StrictBool, Field(description="Whether other networks reach this cluster's services.")] = False
    install: Annotated[
        Literal["istioctl", "helm"],
        Field(description="What installs the ingress and egress gateway; the east-west gateway is istioctl's."),
    ] = "istioctl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Istio's helloworld and a client, to try the mesh."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    version: Annotated[Literal["v1", "v2"], Field(description="The version of helloworld in this cluster.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshCluster:
    """A remote cluster: one with workloads of the mesh and without istiod."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Annotated[
        StrictStr,
        matching(_why_no_cluster),
        Field(description="Name of the cluster, as istiod and its metrics know it."),
    ]
    context: Annotated[
        Text | None, Field(description="Its context in the kubeconfig; the cluster's name if left out.")
    ] = None
    network: Annotated[
        StrictStr,
        matching(label_value),
        Field(description="The cluster's network; pods of one network reach each other directly."),
    ]
    gateways: Annotated[MeshGateways, Field(description="The mesh's gateways in this cluster.")] = field(
        default_factory=MeshGateways
    )
    sample: Annotated[Sample | None, Field(description="The sample workload, where one is wanted.")] = None
    api_server: Annotated[
        Annotated[StrictStr, matching(why_no_api_server)] | None,
        Field(
            description="URL of its API server as istiod reaches it from the external cluster; the one of the context "
            "in the kubeconfig if left out."
        ),
    ] = None


def context_of(cluster: ExternalCluster | MeshCluster) -> str:
    """The cluster's context in the kubeconfig."""
    return cluster.name if cluster.context is None else cluster.context


def folder_of(name: str) -> str:
    """The folder of a cluster: its name, or a stand-in where the name is no good folder on every system."""
    return name if _FOLDER.fullmatch(name) else stand_in(name)


# Lower case, since some file systems know no other; not what Windows keeps for devices; not our own files.
_FOLDER = re.compile(
    rf"(?=.{{1,100}}\Z)(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)|runbook\.md\Z|overlays\Z){DNS_SUBDOMAIN.pattern}"
)


class Topology(BaseModel, frozen=True):
    """One external control plane: its release, its address and its clusters."""

    model_config = CONFIG

    name: Annotated[GatewayName | None, Field(description="Name of the whole; metadata.name in a file.")] = None
    release: Annotated[
        StrictStr,
        matching(partial(placeholder, what="release")),
        parsed(find_release),
        Field(description="The Istio minor, in quotes.", json_schema_extra={"enum": list(RELEASES)}),
    ]
    mesh_id: Annotated[StrictStr, matching(_why_no_mesh_id), Field(description="ID of the mesh.")]
    namespace: Annotated[
        NamespaceName, Field(description="Namespace of the control plane, in the external and every remote cluster.")
    ] = "external-istiod"
    revision: Annotated[
        Annotated[StrictStr, matching(_why_no_revision)] | None,
        Field(description="Revision of the control plane; every name that carries it follows."),
    ] = None
    address: Annotated[
        StrictStr,
        parsed(parse_address),
        Field(description="Where remote clusters reach the gateway: a host name, an IPv4 or an IPv6 address."),
    ]
    credential_name: Annotated[
        Annotated[StrictStr, matching(dns_subdomain)] | None,
        Field(description="TLS secret for the host name, in the gateway's namespace; not for an IP address."),
    ] = None
    gateway: Annotated[SharedGateway, Field(description="The external cluster's gateway.")] = SharedGateway()
    hub: Annotated[
        Annotated[StrictStr, matching(_why_no_hub)] | None,
        Field(description="Registry of Istio's images, such as a mirror; docker.io/istio if left out."),
    ] = None
    charts: Annotated[
        Annotated[StrictStr, matching(_why_no_charts)] | None,
        Field(description="Repository of Istio's charts, such as a mirror; Istio's own if left out."),
    ] = None
    external_cluster: Annotated[ExternalCluster, Field(description="Where istiod runs.")] = ExternalCluster()
    config_cluster: Annotated[
        MeshCluster, Field(description="The first remote cluster, from which istiod reads its configuration.")
    ]
    remote_clusters: Annotated[
        Sequence[MeshCluster],
        GetPydanticSchema(lambda _source, handler: handler(tuple[MeshCluster, ...])),
        Field(description="Further remote clusters; a tuple, whatever sequence is given."),
    ] = ()
    mesh_config: Annotated[
        Mapping[str, Any],
        PlainValidator(_plain_mapping, json_schema_input_type=dict[str, Any]),
        Field(description="The operator's own mesh config, merged into the external istiod's."),
    ] = {}

    @property
    def istio(self) -> Release:
        """The record of the release."""
        return find_release(self.release)

    @property
    def exposure(self) -> Exposure:
        """What the kind of address decides."""
        return exposure_of(parse_address(self.address))

    @property
    def names(self) -> Names:
        """The names of the control plane's objects."""
        return Names(namespace=self.namespace, revision=self.revision)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed and most likely not meant; paths are spelled as in a file."""
        return (*_ending_places(self), *_unconnected_networks(self))

    @property
    def chart_repository(self) -> str:
        """The URL of the repository of Istio's charts."""
        return self.istio.charts if self.charts is None else self.charts

    @property
    def mesh_clusters(self) -> tuple[MeshCluster, ...]:
        """Every remote cluster, the config cluster first."""
        return (self.config_cluster, *self.remote_clusters)

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Tell the problems of single values and those between values at once; pydantic alone takes two turns."""
        file = info.context == _FILE
        start = "spec" if file else ""
        problems: list[Problem] = []
        try:
            topology, right = handler(data), set(cls.model_fields)
        except ValidationError as error:
            problems += problems_of(error, cls, from_file=file, start=start)
            topology, right = _draft(cls, data, from_file=file)
        problems += [
            Problem(path_of(place, from_file=file, start=start), message)
            for needed, rule in _RULES
            if right >= needed
            for place, message in rule(topology)
        ]
        if problems:
            raise InvalidInput(problems)
        return topology


def load(source: Readable, *, release: str | None = None, name: str = "") -> Topology:
    """Read a topology from a file, from a YAML text or from a mapping with a file's keys.

    Bytes are a text, and so is a str with a newline or `: `, or one that begins with `{`; any other str is a path. A
    release given here replaces the input's own. Problems call a file by its path and a text by `name`, and tell the
    line. Raises InvalidInput with every problem, OSError for a file that cannot be read.
    """
    content = read(source, name=name)
    head, problems = from_file(_File, content.data)
    spec = content.data.get("spec") if isinstance(content.data, Mapping) else None
    topology = None
    if isinstance(spec, Mapping):
        values = {key: value for key, value in spec.items() if key != "name"}
        values |= {"name": head.metadata.name} if head else {}
        values |= {"release": release} if release is not None else {}
        if "name" in spec:
            problems.append(Problem("spec.name", "unknown key: the name stands in metadata.name"))
        try:
            topology = Topology.model_validate(values, context=_FILE, by_alias=True, by_name=False)
        except InvalidInput as error:
            problems += error.problems
    if problems or topology is None:
        raise InvalidInput(content.located(problems))
    return topology


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a topology file.

    It has the shape and the descriptions; the rules between values are only checked by `load`.
    """
    whole, spec = _File.model_json_schema(by_alias=True), Topology.model_json_schema(by_alias=True)
    definitions = whole.pop("$defs") | spec.pop("$defs")
    del spec["properties"]["name"]
    whole["properties"]["spec"] = spec
    return {
        **whole,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ExternalControlPlane",
        "description": "An Istio external control plane with all its clusters.",
        "$defs": definitions,
    }


_FILE = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """What the whole is called."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Annotated[GatewayName, Field(description="Name of the whole.")]


API_VERSION = "extcp-manifests/v1"
KIND = "ExternalControlPlane"


class _File(BaseModel):
    model_config = CONFIG

    api_version: Literal["extcp-manifests/v1"]
    kind: Literal["ExternalControlPlane"]
    metadata: Metadata
    spec: Mapping[str, Any]


# ---------------------------------------------------------------------------------------------- rules between values

_Found = Iterator[tuple[Place, str]]
_T = TypeVar("_T", bound=Topology)


def _address_in_release(topology: Topology) -> _Found:
    for name, problem in why_not_in_release(topology.istio, parse_address(topology.address), None):
        yield (name,), problem


def _revision_in_release(topology: Topology) -> _Found:
    for name, problem in why_not_in_release(topology.istio, parse_address(topology.address), topology.revision):
        if name == "revision":
            yield (name,), problem


def _places_in_release(topology: Topology) -> _Found:
    """Places that hold Istio's images or charts, but not those of the release."""
    for name, text in (("hub", topology.hub), ("charts", topology.charts)):
        if in_release("1.31", None, topology.istio) and (instead := _instead_of_ending(name, text)):
            yield (name,), f"{text!r} has nothing of Istio {topology.release}: write {instead!r}, or a mirror of it"


def _credential(topology: Topology) -> _Found:
    if problem := why_no_credential(topology.exposure, topology.credential_name):
        yield ("credential_name",), problem


def _namespaces(topology: Topology) -> _Found:
    if topology.namespace == topology.gateway.namespace:
        yield (
            ("namespace",),
            f"{topology.namespace!r} is the gateway's namespace, which has an istiod of its own: choose another",
        )
    for field_name, namespace in (
        (("namespace",), topology.namespace),
        (("gateway", "namespace"), topology.gateway.namespace),
    ):
        if namespace == SAMPLE_NAMESPACE:
            yield field_name, f"{namespace!r} is the namespace of the sample workloads: choose another"


def _clusters_apart(topology: Topology) -> _Found:
    """No two clusters share a name, a folder or a context."""
    names: dict[str, str] = {}
    folders: dict[str, str] = {}
    contexts: dict[str, tuple[Place, str]] = {}
    called = {"external_cluster": "the external cluster", "config_cluster": "the config cluster"}
    for place, cluster in _clusters(topology):
        name, context = cluster.name, context_of(cluster)
        if name in names:
            yield (*place, "name"), f"{name!r} is already the name of {names[name]}: choose another"
        names.setdefault(name, called.get(str(place[0]), "another remote cluster"))
        other = folders.setdefault(folder_of(name), name)
        if other != name:
            yield (*place, "name"), f"{name!r} would share its folder with cluster {other!r}: choose another"
        first, owner = contexts.setdefault(context, (place, name))
        if first != place and (cluster.context is not None or owner != name):
            problem = f"{context!r} is already the context of cluster {owner!r}: give each cluster its own"
            yield (*place, "context"), problem


def _service_paths(topology: Topology) -> _Found:
    for place, cluster in _mesh_clusters(topology):
        for field_name, name in (("name", cluster.name), ("network", cluster.network)):
            if problem := topology.exposure.why_not_nameable(name):
                yield (*place, field_name), problem


def _secret_keys(topology: Topology) -> _Found:
    for place, cluster in _mesh_clusters(topology):
        if place == ("config_cluster",):
            continue
        if not SECRET_KEY.fullmatch(cluster.name):
            yield (
                (*place, "name"),
                f"{cluster.name!r} cannot be the key of a remote secret, where istiod looks for it: "
                "use letters, digits, '-', '_' and '.'",
            )
        if cluster.name == "config":
            yield (*place, "name"), "'config' is the key of the config cluster's own secret: choose another"


def _told_cluster(topology: Topology) -> _Found:
    for place, cluster in _mesh_clusters(topology):
        told = place == ("config_cluster",) and topology.istio.istiod_is_told_its_cluster
        if told and (problem := _why_breaks_charts(cluster.name)):
            yield (*place, "name"), problem


def _leading_cluster(topology: Topology) -> _Found:
    for place, cluster in _mesh_clusters(topology):
        if place == ("config_cluster",) and topology.remote_clusters and "," in cluster.name:
            yield (
                (*place, "name"),
                f"{cluster.name!r} has a comma, at which istiod splits the list of clusters that may lead a remote "
                "cluster: choose a name without",
            )


def _mesh_config(topology: Topology) -> _Found:
    given = topology.mesh_config
    proxy = given.get("defaultConfig", {})
    yield from _taken(given, _TAKEN_IN_MESH_CONFIG, ())
    if isinstance(proxy, Mapping):
        yield from _taken(proxy, _TAKEN_IN_DEFAULT_CONFIG, (Key("defaultConfig"),))
    told = set(_TAKEN_PATHS)
    for problem in (*_undecodable(given, topology.istio), *_unwritable(given)):
        if problem.path not in told:
            told.add(problem.path)
            yield ("mesh_config", *((Key(problem.path),) if problem.path else ())), problem.message


def _unwritable(given: Mapping[str, Any]) -> Sequence[Problem]:
    try:
        yaml.require_plain({"": given})
    except InvalidInput as error:
        return [replace(each, path=each.path.removeprefix(".")) for each in error.problems]
    return ()


def _undecodable(given: Mapping[str, Any], release: Release) -> Sequence[Problem]:
    """What istioctl or istiod of the release refuses of a mesh config, and keys that it does not know."""
    try:
        merged = merge_mesh_config(shared=None, local=given, release=release)
    except InvalidInput as error:
        return error.problems
    return (*merged.problems, *(Problem(each.path, each.message) for each in merged.ignored))


def _taken(given: Mapping[str, Any], taken: Mapping[str, str], place: Place) -> _Found:
    for key in filter(taken.__contains__, given):
        yield ("mesh_config", *place, Key(key)), taken[key]


_TAKEN_IN_MESH_CONFIG = {
    **dict.fromkeys(("rootNamespace", "root_namespace"), "is set from the namespace: leave it out"),
    "default_config": "is a spelling that would hide what is set here: write defaultConfig",
}
_TAKEN_IN_DEFAULT_CONFIG = {
    **dict.fromkeys(("discoveryAddress", "discovery_address"), "is set from the address: leave it out"),
    **dict.fromkeys(("meshId", "mesh_id"), "is set from the mesh ID: leave it out"),
    "proxy_metadata": "is a spelling that would hide what is set here: write proxyMetadata",
}
_TAKEN_PATHS = {*_TAKEN_IN_MESH_CONFIG, *(f"defaultConfig.{key}" for key in _TAKEN_IN_DEFAULT_CONFIG)}


def _ending_places(topology: Topology) -> Iterator[Problem]:
    """Registries and repositories that work until they are taken down."""
    for name, text in (("hub", topology.hub), ("charts", topology.charts)):
        if instead := _instead_of_ending(name, text):
            problem = f"{text!r} is taken down in December 2026: write {instead!r}, or a mirror of it"
            yield Problem(path_of((name,), from_file=True, start="spec"), problem)


def _unconnected_networks(topology: Topology) -> Iterator[Problem]:
    """Networks whose services the others do not reach, since no cluster in them has an east-west gateway."""
    networks = dict.fromkeys(cluster.network for cluster in topology.mesh_clusters)
    connected = {cluster.network for cluster in topology.mesh_clusters if cluster.gateways.east_west}
    for network in networks if len(networks) > 1 else ():
        if network not in connected:
            problem = (
                f"network {network!r} has no east-west gateway, so that clusters in other networks cannot reach its "
                "services: set eastWest in one of its clusters, or leave it where that is meant"
            )
            place = next(place for place, cluster in _mesh_clusters(topology) if cluster.network == network)
            yield Problem(path_of((*place, "gateways", "east_west"), from_file=True, start="spec"), problem)


def _clusters(topology: Topology) -> Iterator[tuple[Place, ExternalCluster | MeshCluster]]:
    yield ("external_cluster",), topology.external_cluster
    yield from _mesh_clusters(topology)


def _mesh_clusters(topology: Topology) -> Iterator[tuple[Place, MeshCluster]]:
    """The remote clusters with their places; in a draft, those whose name is wrong are None."""
    for index, cluster in enumerate(topology.mesh_clusters):
        if cluster is not None:
            yield (("remote_clusters", index - 1) if index else ("config_cluster",)), cluster


_RULES: tuple[tuple[set[str], Callable[[Topology], _Found]], ...] = (
    ({"address", "release"}, _address_in_release),
    ({"address", "release", "revision"}, _revision_in_release),
    ({"release", "hub", "charts"}, _places_in_release),
    ({"address", "credential_name"}, _credential),
    ({"namespace", "gateway"}, _namespaces),
    ({"external_cluster", "config_cluster", "remote_clusters"}, _clusters_apart),
    ({"address", "config_cluster", "remote_clusters"}, _service_paths),
    ({"config_cluster", "remote_clusters"}, _secret_keys),
    ({"release", "config_cluster", "remote_clusters"}, _told_cluster),
    ({"config_cluster", "remote_clusters"}, _leading_cluster),
    ({"mesh_config", "release"}, _mesh_config),
)
"""Each rule with the values that it reads; a rule is left out where one of them is wrong by itself."""


def _draft(cls: type[_T], data: Any, *, from_file: bool) -> tuple[_T, set[str]]:
    """A topology of the values that are right by themselves, for the rules to look at, and those values' names."""
    given = data if isinstance(data, Mapping) else {}
    names = cls.model_fields.keys()
    values = _valid(_adapters(cls, names), given, from_file)
    for name, part in (("gateway", SharedGateway), ("external_cluster", ExternalCluster)):
        if (key := _key(name, from_file)) in given and name not in values:
            values[name] = part(**_valid_part(part, given[key], from_file))
    config, remotes = (given.get(_key(name, from_file)) for name in ("config_cluster", "remote_clusters"))
    values["config_cluster"] = _draft_cluster(config, from_file)
    if isinstance(remotes, Iterable) and not isinstance(remotes, Mapping | str):
        values["remote_clusters"] = tuple(_draft_cluster(remote, from_file) for remote in remotes)
    draft = cls.model_construct(**values)
    left_out = {name for name in names if _key(name, from_file) not in given and hasattr(draft, name)}
    return draft, values.keys() | left_out


def _draft_cluster(data: Any, from_file: bool) -> MeshCluster | None:
    valid = _valid_part(MeshCluster, data, from_file)
    return MeshCluster(**{"network": "unknown", **valid}) if "name" in valid else None


def _valid_part(part: type[Any], data: Any, from_file: bool) -> dict[str, Any]:
    """The right values of a part; a context that is wrong becomes one that no other cluster has."""
    names = [item.name for item in fields(part)]
    if isinstance(data, part):
        data, from_file = {name: getattr(data, name) for name in names}, False
    if not isinstance(data, Mapping):
        return {}
    valid = _valid(_adapters(part, names), data, from_file)
    if data.get("context") is not None and "context" not in valid:
        valid["context"] = f"\0{id(data)}"
    return valid


_Adapters = Mapping[str, TypeAdapter[Any]]


_KNOWN_ADAPTERS: dict[type[Any], _Adapters] = {}


def _adapters(model: type[Any], names: Iterable[str]) -> _Adapters:
    if model not in _KNOWN_ADAPTERS:
        hints = get_type_hints(model, include_extras=True)
        _KNOWN_ADAPTERS[model] = {name: TypeAdapter(hints[name]) for name in names}
    return _KNOWN_ADAPTERS[model]


def _valid(adapters: _Adapters, data: Mapping[str, Any], from_file: bool) -> dict[str, Any]:
    """Those values of the data that are right, by the names of their fields."""
    valid = {}
    for name, adapter in adapters.items():
        if (key := _key(name, from_file)) in data:
            with suppress(ValidationError):
                valid[name] = adapter.validate_python(data[key], by_alias=from_file, by_name=not from_file)
    return valid


def _key(name: str, from_file: bool) -> str:
    return file_spelling(name) if from_file else name
