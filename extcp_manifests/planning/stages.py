"""The stages of the guide, in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from extcp_manifests import builders
from extcp_manifests.builders import gateways
from extcp_manifests.builders.address import IPAddress
from extcp_manifests.builders.private_root import PrivateRootConfigMap
from extcp_manifests.builders.secrets import CONFIG_SECRET, READER, REMOTE_SECRET_LABEL, remote_secret_name
from extcp_manifests.documents.name_forms import why_not_dns_label
from extcp_manifests.planning.methods.choice import method_of, method_of_mesh_gateways
from extcp_manifests.planning.methods.method import Installation
from extcp_manifests.planning.resolved import RemoteTarget, Resolved
from extcp_manifests.planning.stage import Place, Stage
from extcp_manifests.planning.step import Builder, Check, Part, Step, piped
from extcp_manifests.planning.tools.istioctl import CreateRemoteSecret, PrintRemoteSecret
from extcp_manifests.planning.tools.kubectl import Apply
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import SAMPLE_NAMESPACE
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.parts import namespace_of_cni, namespace_of_gateways
from extcp_manifests.topology.trust import SecretStore
from extcp_manifests.topology.workloads import ServiceSettings


def runs_of(resolved: Resolved) -> Iterator["StageRun"]:
    """Yield every stage for each of its clusters, in order."""
    for number, row in enumerate(_stages_of(resolved)):
        for remote in row.clusters(resolved):
            yield StageRun(resolved, number, remote)


def reversed_runs_of(resolved: Resolved) -> Iterator["StageRun"]:
    """Yield the same, the last one first."""
    for number in reversed(range(len(_stages_of(resolved)))):
        for remote in reversed(_STAGES[number].clusters(resolved)):
            yield StageRun(resolved, number, remote)


def clusters_of(resolved: Resolved) -> Iterator["ClusterStages"]:
    """Yield every remote cluster with all its stages, in order."""
    for remote in resolved.remotes[:1] if resolved.gateway_alone else resolved.remotes:
        yield ClusterStages(resolved, remote)


class ClusterStages(Record):
    """All stages of the guide for one remote cluster."""

    resolved: Resolved
    remote: RemoteTarget

    @property
    def shape(self) -> tuple[int, ...] | None:
        """What decides about the stages but for plain names; None where all else may."""
        return self.remote.shape

    @property
    def whole_shape(self) -> tuple[int, ...] | None:
        """The same."""
        return self.remote.shape

    def runs(self) -> Iterator["StageRun"]:
        """Yield the stages, in order."""
        is_config_cluster = self.remote is self.resolved.remotes[0]
        others = _further_clusters if is_config_cluster else _config_cluster_alone
        for number, row in enumerate(_stages_of(self.resolved)):
            if row.clusters is not others:
                yield StageRun(self.resolved, number, self.remote)


class StageRun(Record):
    """A stage of the guide for one remote cluster."""

    resolved: Resolved
    number: int
    """Which row of the guide it is."""
    remote: RemoteTarget

    @property
    def shape(self) -> tuple[int, ...] | None:
        """What decides about the steps but for plain names; None where all else may."""
        shape, row = self.remote.shape, _STAGES[self.number]
        if shape is None:
            return None
        return self.number, shape.gateways if row.looks_at_gateways else -1, shape.sample if row.looks_at_sample else -1

    @property
    def whole_shape(self) -> tuple[int, ...] | None:
        """What decides about the steps, and about those of the cluster's other stages."""
        return None if self.remote.shape is None else (self.number, *self.remote.shape)

    @property
    def title(self) -> str:
        """The title of the stage, which several rows may share."""
        return _STAGES[self.number].title

    def steps(self) -> Iterable[Step]:
        """Return the steps, in order."""
        title, remote = self.title, self.remote
        stage = Stage(
            resolved=self.resolved,
            cluster=remote.cluster,
            remote=Place(title, remote.target),
            external=Place(title, self.resolved.external),
        )
        return _STAGES[self.number].steps(stage)


def _shared_gateway(stage: Stage) -> Iterator[Step]:
    topology, place = stage.topology, stage.external
    gateway = topology.gateway
    if gateway.install == "none" or topology.istiod.service is not None:
        return
    checks = [
        place.wait_for(gateway.name, gateway.namespace),
        place.address(
            gateway.name,
            gateway.namespace,
            _expected_address(stage),
        ),
    ]
    if topology.credential_name is not None and not stage.resolved.gateway_alone:
        expect = f"a TLS secret with the certificate of {topology.address}; create it if it is missing"
        checks.append(place.check(expect, "get", "secret", topology.credential_name, "-n", gateway.namespace))
    yield from _installed(
        place,
        method_of(topology).shared_gateway(stage),
        part="shared gateway",
        why=f"The ingress gateway through which remote clusters will reach istiod; {stage.resolved.exposure.sharing}.",
        verify=tuple(checks),
    )


def _config_cluster(stage: Stage) -> Iterator[Step]:
    topology, cluster, place = stage.topology, stage.cluster, stage.remote
    yield place.step(
        "namespace.yaml",
        Apply(),
        builders.SystemNamespace(name=topology.namespace, network=cluster.network),
        *_private_root(topology, topology.namespace),
        why="The control plane's namespace, here for its configuration and permissions.",
    )
    method = method_of(topology)
    validators = [stage.resolved.names.validator_webhook]
    if method.default_validator:
        validators.append("istiod-default-validator")
    yield from _installed(
        place,
        method.config_cluster(stage),
        part="config cluster",
        why="The CRDs, permissions and webhooks of the cluster from which istiod reads its configuration.",
        verify=(
            _injector_webhook(stage),
            place.check(
                f"{' and '.join(validators)}, {'each ' if len(validators) > 1 else ''}with 1 webhook",
                *("get", "validatingwebhookconfiguration", *validators),
            ),
        ),
    )
    yield from _cni(stage)


def _private_root(topology: Topology, namespace: str) -> Iterator[Builder]:
    """Yield the ConfigMap with the certificates that proxies in a namespace trust, where they need any of their own."""
    root = topology.private_ca
    if root is not None:
        yield PrivateRootConfigMap(name=root.config_map, namespace=namespace, certificates=root.certificates)


def _cni(stage: Stage) -> Iterator[Step]:
    """Yield the steps of the CNI plugin of a cluster, where one is wanted and not there already."""
    topology, place = stage.topology, stage.remote
    if topology.cni is None or topology.cni.install == "none":
        return
    namespace = namespace_of_cni(topology)
    if namespace != "kube-system":
        yield place.step(
            "cni-namespace.yaml",
            Apply(),
            builders.SystemNamespace(name=namespace),
            why="The namespace of the CNI plugin.",
        )
    ready = place.kubectl("rollout", "status", "daemonset/istio-cni-node", "-n", namespace, "--timeout=5m")
    yield from _installed(
        place,
        method_of(topology).cni(stage),
        part="cni",
        why="The CNI plugin of the nodes, without which injected pods do not start.",
        verify=(Check(piped(ready), '"istio-cni-node" successfully rolled out'),),
    )


def _control_plane(stage: Stage) -> Iterator[Step]:
    topology, place = stage.topology, stage.external
    release, names = stage.resolved.release, stage.resolved.names
    account = (builders.LegacyServiceAccount(namespace=topology.namespace),) if release.legacy_service_account else ()
    yield place.step(
        "namespace.yaml",
        Apply(),
        builders.SystemNamespace(name=topology.namespace),
        *account,
        why="The control plane's namespace, here for istiod itself.",
    )
    yield from _secrets(
        stage,
        "config",
        why="The Secret by which istiod reaches the API server of the config cluster.",
    )
    service = topology.istiod.service
    is_reached_by_others = service is not None and service.install == "none"
    checks = [place.wait_for(names.istiod, topology.namespace)]
    if is_reached_by_others:
        checks.append(_injection(stage))
    yield from _installed(
        place,
        method_of(topology).external_istiod(stage),
        part="external istiod",
        why="The istiod that serves the remote clusters.",
        verify=tuple(checks),
    )
    if service is None:
        yield _routes(stage)
    elif not is_reached_by_others:
        yield _exposed(stage, service)


def _routes(stage: Stage) -> Step:
    topology, release = stage.topology, stage.resolved.release
    routes_of = _routes_of_istio if topology.gateway.api == "istio" else _routes_of_kubernetes
    rule = builders.IstiodDestinationRule(release=release, namespace=topology.namespace, revision=topology.revision)
    return stage.external.step(
        "external-istiod-gw.yaml",
        Apply(),
        *routes_of(topology),
        *((rule,) if stage.resolved.exposure.needs_credential else ()),
        why="The routes from the gateway to istiod, for xDS and certificates on 15012 and webhooks on 15017.",
        verify=(_injection(stage),),
    )


def _routes_of_istio(topology: Topology) -> Iterator[Builder]:
    yield builders.IstiodGateway(
        release=topology.istio,
        address=topology.reached_at,
        credential_name=topology.credential_name,
        namespace=topology.namespace,
        gateway=topology.gateway.name,
        selector=topology.gateway.selector,
    )
    yield builders.IstiodVirtualService(
        release=topology.istio, address=topology.reached_at, namespace=topology.namespace, revision=topology.revision
    )


def _routes_of_kubernetes(topology: Topology) -> Iterator[Builder]:
    listeners: tuple[Literal["xds", "webhook"], ...] = ("xds", "webhook")
    for serves in listeners:
        yield builders.IstiodRoute(
            release=topology.istio,
            address=topology.reached_at,
            gateway=topology.gateway.name,
            gateway_namespace=topology.gateway.namespace,
            serves=serves,
            namespace=topology.namespace,
            revision=topology.revision,
        )


def _exposed(stage: Stage, service: ServiceSettings) -> Step:
    topology = stage.topology
    keys = service.spec()
    document = builders.IstiodService(
        namespace=topology.namespace,
        revision=topology.revision,
        service_type=keys.pop("type", "LoadBalancer"),
        annotations=service.annotations,
        settings=keys,
    )
    checks = [_injection(stage)]
    if document.service_type == "LoadBalancer":
        checks.insert(0, stage.external.address(document.name, topology.namespace, _expected_address(stage)))
    return stage.external.step(
        "external-istiod-service.yaml",
        Apply(),
        document,
        why="The Service by which remote clusters reach istiod: xDS and certificates on 15012, webhooks on 15017.",
        verify=tuple(checks),
    )


def _expected_address(stage: Stage) -> str:
    if stage.resolved.gateway_alone:
        return "the address to which the host names of its control planes resolve"
    is_ip = isinstance(stage.resolved.exposure.address, IPAddress)
    tied = "a name that resolves to it" if is_ip else "an address that it resolves to"
    return f"{stage.topology.address}, or {tied}; if it is another, correct the topology and generate again"


def _gateways(stage: Stage) -> Iterator[Step]:
    """Yield the steps of the ingress and the egress gateway of a cluster, where they are wanted."""
    topology, wanted, place = stage.topology, stage.cluster.gateways, stage.remote
    method = method_of_mesh_gateways(topology, stage.cluster)
    namespace = namespace_of_gateways(topology, stage.cluster)
    if namespace != topology.namespace and (wanted.ingress or wanted.egress):
        yield place.step(
            "gateways-namespace.yaml",
            Apply(),
            builders.SystemNamespace(name=namespace),
            *_private_root(topology, namespace),
            why="The namespace of the mesh's gateways.",
        )
    if wanted.ingress:
        yield from _installed(
            place,
            method.ingress_gateway(stage),
            part="gateway",
            why="The gateway by which requests from outside enter the mesh; its pod is injected, so istiod runs first.",
            verify=(place.wait_for(gateways.INGRESS, namespace),),
        )
    if wanted.egress:
        yield from _installed(
            place,
            method.egress_gateway(stage),
            part="gateway",
            why="The gateway by which requests leave the mesh; its pod is injected, so istiod runs first.",
            verify=(place.wait_for(gateways.EGRESS, namespace),),
        )


def _installed(
    place: Place, files: Sequence[Installation], *, part: Part, why: str, verify: tuple[Check, ...]
) -> Iterator[Step]:
    """Yield a step for each file of a part; the last one is the part itself."""
    *needed, last = files
    for each in needed:
        yield place.step(each.file, each.action, each.document, part=part, why=each.why or why, verify=each.verify)
    yield place.step(last.file, last.action, last.document, part=part, why=why, verify=(*last.verify, *verify))


def _sample(stage: Stage) -> Iterator[Step]:
    """Yield the steps of helloworld and a client, where they are wanted."""
    topology, sample, place = stage.topology, stage.cluster.sample, stage.remote
    if sample is None:
        return
    release = stage.resolved.release
    client = release.client
    yield place.step(
        "sample/namespace.yaml",
        Apply(),
        builders.SampleNamespace(name=SAMPLE_NAMESPACE, revision=topology.revision),
        *_private_root(topology, SAMPLE_NAMESPACE),
        why="A namespace whose pods get a sidecar.",
    )
    yield place.step(
        "sample/helloworld.yaml",
        Apply(),
        builders.HelloworldService(namespace=SAMPLE_NAMESPACE),
        builders.HelloworldDeployment(
            release=release, version=sample.version, namespace=SAMPLE_NAMESPACE, hub=topology.hub
        ),
        why=f"Helloworld {sample.version}, a service to call.",
    )
    yield place.step(
        f"sample/{client}.yaml",
        Apply(),
        builders.ClientServiceAccount(release=release, namespace=SAMPLE_NAMESPACE),
        builders.ClientService(release=release, namespace=SAMPLE_NAMESPACE),
        builders.ClientDeployment(release=release, namespace=SAMPLE_NAMESPACE),
        why="A client that calls it.",
        verify=(
            place.wait_for(f"helloworld-{sample.version}", SAMPLE_NAMESPACE),
            place.wait_for(client, SAMPLE_NAMESPACE),
            place.check(
                "Hello version: followed by the version of any cluster that is connected",
                *("exec", f"deployment/{client}", "-n", SAMPLE_NAMESPACE, "-c", client, "--"),
                *("curl", "-sS", "--fail", f"helloworld.{SAMPLE_NAMESPACE}:5000/hello"),
            ),
        ),
    )


def _sample_gateway(stage: Stage) -> Iterator[Step]:
    """Yield the step that opens helloworld to the outside, where there is a sample and an ingress gateway."""
    release, place = stage.resolved.release, stage.remote
    if stage.cluster.sample is None or not stage.cluster.gateways.ingress:
        return
    yield place.step(
        "sample/helloworld-gateway.yaml",
        Apply(),
        builders.HelloworldGateway(release=release, namespace=SAMPLE_NAMESPACE),
        builders.HelloworldVirtualService(release=release, namespace=SAMPLE_NAMESPACE),
        why="Helloworld for requests from outside.",
        verify=(
            place.address(
                gateways.INGRESS,
                namespace_of_gateways(stage.topology, stage.cluster),
                "an external address, at which /hello answers with the version",
            ),
        ),
    )


def _join(stage: Stage) -> Iterator[Step]:
    topology, cluster, place = stage.topology, stage.cluster, stage.remote
    yield place.step(
        "namespace.yaml",
        Apply(),
        builders.SystemNamespace(
            name=topology.namespace,
            network=cluster.network,
            control_plane_cluster=topology.config_cluster.name,
        ),
        *_private_root(topology, topology.namespace),
        why="The control plane's namespace, with the mark by which istiod knows that it is to lead here.",
    )
    yield from _installed(
        place,
        method_of(topology).remote_cluster(stage),
        part="remote cluster",
        why="The permissions and webhooks of a cluster that only runs workloads.",
        verify=(_injector_webhook(stage),),
    )
    yield from _cni(stage)
    yield from _secrets(
        stage,
        "remote",
        why="The Secret by which istiod reaches the API server of this cluster.",
        checks=(_injection(stage),),
    )


def _east_west(stage: Stage) -> Iterator[Step]:
    topology, cluster, place = stage.topology, stage.cluster, stage.remote
    if not cluster.gateways.east_west:
        return
    yield from _installed(
        place,
        method_of(topology).east_west_gateway(stage),
        part="east-west gateway",
        why="The gateway by which other networks reach this cluster's services.",
        verify=(
            place.wait_for(gateways.EAST_WEST, topology.namespace),
            place.address(
                gateways.EAST_WEST, topology.namespace, "an external address that the other networks can reach"
            ),
        ),
    )


def _expose_services(stage: Stage) -> Iterator[Step]:
    """Yield one Gateway for the whole mesh, in the config cluster, if any cluster has an east-west gateway."""
    topology = stage.topology
    if not stage.resolved.has_east_west:
        return
    yield stage.remote.step(
        "expose-services.yaml",
        Apply(),
        builders.ExposeServices(release=stage.resolved.release, namespace=topology.namespace),
        why="Opens all east-west gateways to the mesh's services; istiod reads it from the config cluster alone.",
    )


def _injector_webhook(stage: Stage) -> Check:
    """Return a check that no other installation has switched off the webhooks of the cluster's own file."""
    names = stage.resolved.names
    shown = "jsonpath={.webhooks[*].name} {.webhooks[*].namespaceSelector.matchLabels}"
    get = stage.remote.kubectl("get", "mutatingwebhookconfiguration", names.injector_webhook, "-o", shown)
    command = piped(get, ("grep", "-v", "never-match"))
    expect = (
        f"the names of {names.injector_webhooks} webhooks; nothing, if another installation switched them off: then "
        f"remove its tag by istioctl tag remove default -i {names.namespace}, delete this configuration, and repeat "
        "the step"
    )
    return Check(command, expect)


def _injection(stage: Stage) -> Check:
    """Return a check that istiod injects a pod, on a dry run, which keeps no pod."""
    label = stage.resolved.names.injection_of_a_pod
    words = ("run", "injection-check", "-n", "default", "--image=none", f"--labels={label}", "--dry-run=server")
    command = piped(stage.remote.kubectl(*words, "-o", "yaml"), ("grep", "istio-proxy"))
    return Check(command, "lines with istio-proxy; without any, no webhook serves this cluster")


def _secrets(
    stage: Stage, kind: Literal["remote", "config"], *, why: str, checks: tuple[Check, ...] = ()
) -> Iterator[Step]:
    """Yield the steps for the Secret of a cluster.

    A store has what it is made of, or with credentials it is a file; else istioctl makes it, unless istioctl refuses
    the cluster's name: then a token is made that credentials can be made of.
    """
    cluster = stage.cluster
    is_refused = kind == "remote" and why_not_dns_label(cluster.name) is not None
    store = stage.topology.secret_store
    if store is not None:
        key = stage.topology.key_in_store(cluster.name)
        if is_refused:
            yield _token(stage, f"a token and a ca.crt, in base64; {key} of the store needs a kubeconfig with them")
        else:
            yield _printed_secret(stage, kind, key)
        yield _secret_of_store(stage, kind, store, why, checks)
    elif cluster.name in stage.resolved.credentials:
        yield _secret_of_credentials(stage, kind, why, checks)
    elif is_refused:
        yield _token(
            stage, "a token and a ca.crt, in base64; put both into a credentials file, and generate again with it"
        )
    else:
        yield _created_secret(stage, kind, why, checks)


def _printed_secret(stage: Stage, kind: Literal["remote", "config"], key: str) -> Step:
    """Return the step that prints what people put into the store."""
    place = stage.external
    return Step(
        stage=place.stage,
        cluster=place.target.name,
        access=place.target.access,
        folder=place.target.folder,
        why=f"Prints a Secret with a token. Put the text below its `stringData` into {key} of the store.",
        action=PrintRemoteSecret(_created(stage, kind)),
    )


def _secret_of_store(
    stage: Stage, kind: Literal["remote", "config"], store: SecretStore, why: str, checks: tuple[Check, ...]
) -> Step:
    """Return the step for a Secret that the External Secrets Operator makes."""
    topology, cluster, place = stage.topology, stage.cluster, stage.external
    key = topology.key_in_store(cluster.name)
    document = builders.ExternalRemoteSecret(
        cluster=cluster.name,
        store=store.name,
        store_kind=store.kind,
        key=key,
        type=kind,
        namespace=topology.namespace,
    )
    name = CONFIG_SECRET if kind == "config" else remote_secret_name(cluster.name)
    is_ready = place.check("an ExternalSecret that is ready", "get", "externalsecret", name, "-n", topology.namespace)
    return place.step(
        f"external-secret-{stage.remote.target.folder}.yaml",
        Apply(),
        document,
        why=f"{why} The External Secrets Operator makes it of {key} in the store {store.name}.",
        verify=(is_ready, *checks),
    ).with_(stands_alone=True)


def _secret_of_credentials(
    stage: Stage, kind: Literal["remote", "config"], why: str, checks: tuple[Check, ...]
) -> Step:
    cluster = stage.cluster
    given = stage.resolved.credentials[cluster.name]
    return stage.external.step(
        f"remote-secret-{stage.remote.target.folder}.yaml",
        Apply(),
        builders.RemoteSecret(
            release=stage.resolved.release,
            cluster=cluster.name,
            server=given.server,
            ca=given.ca,
            token=given.token,
            type=kind,
            namespace=stage.topology.namespace,
            tls_server_name=given.tls_server_name,
        ),
        why=why,
        verify=checks,
        secret=True,
    )


def _created(stage: Stage, kind: Literal["remote", "config"]) -> CreateRemoteSecret:
    """Return how istioctl makes the Secret of a cluster."""
    topology, cluster = stage.topology, stage.cluster
    if kind == "config":
        secret, without_label, account = CONFIG_SECRET, REMOTE_SECRET_LABEL, stage.resolved.names.istiod
        words = ("--type=config", f"--service-account={account}")
    else:
        secret, without_label, account = remote_secret_name(cluster.name), None, READER
        words = ("--type=remote", f"--name={cluster.name}")
    return CreateRemoteSecret(
        source=stage.remote.target.access,
        namespace=topology.namespace,
        secret=secret,
        words=words,
        token=builders.ServiceAccountToken(namespace=topology.namespace, service_account=account).name,
        server=cluster.api_server,
        without_label=without_label,
    )


def _created_secret(stage: Stage, kind: Literal["remote", "config"], why: str, checks: tuple[Check, ...]) -> Step:
    place, action = stage.external, _created(stage, kind)
    words = ("get", "secret", action.secret, "-n", action.namespace)
    return Step(
        stage=place.stage,
        cluster=place.target.name,
        access=place.target.access,
        folder=place.target.folder,
        why=why,
        action=action,
        verify=(place.check(f"the Secret {action.secret}", *words), *checks),
    )


def _token(stage: Stage, expect: str) -> Step:
    """Return the step that makes a token, where istioctl refuses the cluster's name as `--name`."""
    token = builders.ServiceAccountToken(namespace=stage.topology.namespace)
    return stage.remote.step(
        "reader-token.yaml",
        Apply(),
        token,
        why="A token for istiod; istioctl makes no remote secret for a cluster of this name, so this library must.",
        verify=(stage.remote.check(expect, *("get", "secret", token.name, "-n", token.namespace, "-o", "yaml")),),
    )


class _Row(Record):
    """A stage of the guide, the remote clusters that it is about, and its steps for one of them."""

    title: str
    clusters: Callable[[Resolved], Sequence[RemoteTarget]]
    steps: Callable[[Stage], Iterable[Step]]
    looks_at_gateways: bool = True
    looks_at_sample: bool = True


def _config_cluster_alone(resolved: Resolved) -> Sequence[RemoteTarget]:
    return resolved.remotes[:1]


def _further_clusters(resolved: Resolved) -> Sequence[RemoteTarget]:
    return resolved.remotes[1:]


def _every_cluster(resolved: Resolved) -> Sequence[RemoteTarget]:
    return resolved.remotes


_STAGES = (
    _Row("Open the external cluster", _config_cluster_alone, _shared_gateway),
    _Row("Set up the config cluster", _config_cluster_alone, _config_cluster),
    _Row("Start the control plane", _config_cluster_alone, _control_plane),
    _Row("Deploy the sample", _config_cluster_alone, _sample),
    _Row("Add gateways to the mesh", _config_cluster_alone, _gateways),
    _Row("Add gateways to the mesh", _config_cluster_alone, _sample_gateway),
    _Row("Join the further clusters", _further_clusters, _join, looks_at_gateways=False, looks_at_sample=False),
    _Row("Connect the networks", _every_cluster, _east_west, looks_at_sample=False),
    _Row("Connect the networks", _config_cluster_alone, _expose_services),
    _Row("Use the further clusters", _further_clusters, _sample, looks_at_gateways=False),
    _Row("Use the further clusters", _further_clusters, _gateways, looks_at_sample=False),
)
"""The guide, in its order; one title may have several rows."""


def _stages_of(resolved: Resolved) -> Sequence[_Row]:
    """Return the rows of what is to be done; the gateway of several control planes is that of the first row."""
    return _STAGES[:1] if resolved.gateway_alone else _STAGES
