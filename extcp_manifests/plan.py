"""From a topology to everything there is to do: ordered steps, their files, and the runbook."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from extcp_manifests import builders, output
from extcp_manifests.builders import EgressGateway, IngressGateway, gateways
from extcp_manifests.builders.secrets import CONFIG_SECRET, READER, REMOTE_SECRET_LABEL, remote_secret_name
from extcp_manifests.commands import (
    Apply,
    CreateRemoteSecret,
    Install,
    InstallGatewayChart,
    RenderAndApply,
    kubectl,
)
from extcp_manifests.credentials import ClusterCredentials, checked_credentials
from extcp_manifests.errors import InvalidInput, require
from extcp_manifests.kustomize import KustomizeTree
from extcp_manifests.made import Part, left_by_uninstall, made_by
from extcp_manifests.naming import Names
from extcp_manifests.runbook import RUNBOOK, runbook
from extcp_manifests.step import Action, Argv, Builder, Check, Step, StepSequence, piped, text_of
from extcp_manifests.text import dns_label
from extcp_manifests.topology import (
    SAMPLE_NAMESPACE,
    ExternalCluster,
    MeshCluster,
    Topology,
    context_of,
    folder_of,
)


def plan(topology: Topology, *, credentials: Mapping[str, ClusterCredentials] | None = None) -> "Plan":
    """Everything there is to do for a topology, in order.

    With credentials, by the clusters' names, the Secrets for istiod become files; without, the plan has the istioctl
    commands that make them. Raises InvalidInput for credentials that fit no cluster or not the release.
    """
    require(topology, Topology, "topology", "a Topology, as `load` gives it")
    api_servers = {cluster.name: cluster.api_server for cluster in topology.mesh_clusters}
    given, problems = checked_credentials(credentials or {}, api_servers=api_servers, release=topology.istio)
    del credentials  # where they are plain texts, no traceback that shows variables may show them
    if problems:
        raise InvalidInput(problems)
    return Plan(topology=topology, credentials=given)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of an external control plane; documents are built when they are asked for, and not kept."""

    topology: Topology
    credentials: Mapping[str, ClusterCredentials] = field(default_factory=dict, repr=False)

    @property
    def steps(self) -> "Steps":
        """The steps in their order."""
        return Steps(self)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file of documents, path and content, one at a time."""
        for path, text, _ in self._texts():
            yield path, text

    def render(self) -> Mapping[str, bytes]:
        """All files of documents by their paths; the runbook is not among them."""
        return dict(self.files())

    def kustomize(self, *, overlays: Sequence[str] = ()) -> KustomizeTree:
        """The same files as bases for kustomize; with overlays, commands read those. Raises InvalidInput for names."""
        return KustomizeTree(self.topology, self.steps, tuple(overlays))

    def runbook(self) -> str:
        """The commands in order and the clean-up in reverse order, as Markdown."""
        return "".join(self.runbook_lines())

    def runbook_lines(self) -> Iterator[str]:
        """The runbook, piece by piece."""
        return runbook(self.topology, self.steps)

    def write(
        self, folder: str | os.PathLike[str], *, force: bool = False, on_file: Callable[[str], None] | None = None
    ) -> list[str]:
        """Write all files and the runbook into a folder, and return their paths.

        Files of an earlier run that no longer belong are removed; a file that was not written by this library is never
        touched, and one that was edited by hand, or a folder of another control plane, only with `force`. Files with
        tokens get mode 0600. `on_file` is told each path. Raises OutputError, with the folder as it was before.
        """
        return output.write(folder, self._entries(), owner=self._owner, force=force, on_file=on_file)

    def changes(self, folder: str | os.PathLike[str]) -> Iterator[output.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return output.changes(folder, self._entries(), owner=self._owner)

    @property
    def _owner(self) -> output.Owner:
        return output.owner_of(self.topology, "generate")

    def _entries(self) -> Iterator[output.Entry]:
        for path, text, secret in self._texts():
            yield output.Entry(path, (text,), secret=secret)
        yield output.Entry(RUNBOOK, (piece.encode() for piece in self.runbook_lines()))

    def _texts(self) -> Iterator[tuple[str, bytes, bool]]:
        """Each file's path, its content and whether it holds a token."""
        once = lru_cache(maxsize=64)(text_of)  # many clusters have the same files
        for step in self.steps:
            if step.path is not None:
                yield step.path, once(step.builders), step.secret


class Steps(StepSequence):
    """The steps of a plan; each is made anew whenever it is come to, so that thousands of clusters need no memory."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __iter__(self) -> Iterator[Step]:
        for title, clusters, steps in _STAGES:
            for cluster in clusters(self._plan.topology):
                yield from steps(_scene(self._plan, title, cluster))

    def __reversed__(self) -> Iterator[Step]:
        for title, clusters, steps in reversed(_STAGES):
            for cluster in reversed(clusters(self._plan.topology)):
                yield from reversed(list(steps(_scene(self._plan, title, cluster))))


@dataclass(frozen=True, slots=True)
class _Site:
    """A cluster as the place of steps."""

    stage: str
    cluster: str
    context: str
    folder: str

    def kubectl(self, *words: str) -> Argv:
        return kubectl(self.context, *words)

    def check(self, expect: str, *words: str) -> Check:
        """A call of kubectl that fails where something is missing, and what else to see in its answer."""
        return Check(piped(self.kubectl(*words)), expect)

    def wait_for(self, deployment: str, namespace: str) -> Check:
        """Wait until the pods of a Deployment run."""
        words = ("rollout", "status", f"deployment/{deployment}", "-n", namespace, f"--timeout={_PATIENCE}")
        return self.check(f'"{deployment}" successfully rolled out', *words)

    def address(self, service: str, namespace: str, expect: str) -> Check:
        """The external address of a Service; the command fails while there is none."""
        shown = "jsonpath={.status.loadBalancer.ingress}"
        command = piped(self.kubectl("get", "service", service, "-n", namespace, "-o", shown), ("grep", "."))
        return Check(command, f"{expect}; repeat this while it shows none, which can take minutes")

    def step(
        self,
        file: str,
        action: Action,
        *documents: Builder,
        why: str,
        verify: tuple[Check, ...] = (),
        secret: bool = False,
    ) -> Step:
        """A step with a file, on which the action works."""
        return Step(
            stage=self.stage,
            cluster=self.cluster,
            context=self.context,
            why=why,
            action=action,
            path=f"{self.folder}/{file}",
            builders=documents,
            verify=verify,
            secret=secret,
        )


_PATIENCE = "5m"
"""How long checks wait, as kubectl takes it."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the steps of a stage are about: the plan, one of its remote clusters, and where steps take place."""

    plan: Plan
    topology: Topology
    cluster: MeshCluster
    remote: _Site
    external: _Site

    def set_up_remote(self, part: Part) -> RenderAndApply:
        """How a remote cluster is set up.

        From 1.24 the guide installs remote clusters with `istioctl install`, which also makes the default revision tag
        and switches off the webhooks that the cluster's own file renders (istio 1.24.6: operator/pkg/webhook, seen with
        1.30.3). Rendering and applying, as the guide does up to 1.23, makes what the file says and no more.
        """
        made = made_by(part, self.topology.istio, self.topology.names)
        return RenderAndApply("objects", self.topology.namespace, tuple(made))

    def install(self, operator: str) -> Install:
        """How this release installs an IstioOperator of the control plane's namespace, without CRDs."""
        if self.topology.istio.uninstall_by_owner:
            return Install("owner")
        return Install("rendered", self.topology.namespace, state=_state(operator, self.topology.revision))

    def install_gateway(self, operator: str) -> Install | RenderAndApply:
        """How this release installs a gateway of the mesh in this cluster; the config cluster has Istio's CRDs."""
        without_crds = self.cluster != self.topology.config_cluster
        if without_crds and self.topology.istio.saves_installed_state:
            return RenderAndApply("rendered")
        return self.install(operator)

    @property
    def install_shared_gateway(self) -> Install:
        """How this release installs the external cluster's gateway, with an istiod of its own and Istio's CRDs."""
        gateway, release = self.topology.gateway, self.topology.istio
        names = Names(namespace=gateway.namespace)
        if release.uninstall_by_owner:
            return Install("owner", gateway.namespace, tuple(left_by_uninstall(release, names)))
        made = made_by("shared gateway", release, names, gateway=gateway.name)
        return Install("objects", gateway.namespace, tuple(made), _state("controlplane-gateway"))


def _state(operator: str, revision: str | None = None) -> str:
    """What `istioctl install` saves up to 1.20 (istio 1.15.7: operator/cmd/mesh/install.go)."""
    return f"istiooperator/installed-state-{operator}" + (f"-{revision}" if revision else "")


def _scene(plan: Plan, stage: str, cluster: MeshCluster) -> _Scene:
    external = plan.topology.external_cluster
    return _Scene(plan, plan.topology, cluster, _site(stage, cluster), _site(stage, external))


def _site(stage: str, cluster: ExternalCluster | MeshCluster) -> _Site:
    return _Site(stage, cluster.name, context_of(cluster), folder_of(cluster.name))


def _shared_gateway(scene: _Scene) -> Iterator[Step]:
    topology, site = scene.topology, scene.external
    gateway = topology.gateway
    tied = "an address that it resolves to" if topology.exposure.needs_credential else "a name that resolves to it"
    checks = [
        site.wait_for(gateway.name, gateway.namespace),
        site.address(
            gateway.name,
            gateway.namespace,
            f"{topology.address}, or {tied}; if it is another, correct the topology and generate again",
        ),
    ]
    if topology.credential_name is not None:
        expect = f"a TLS secret with the certificate of {topology.address}; create it if it is missing"
        checks.append(site.check(expect, "get", "secret", topology.credential_name, "-n", gateway.namespace))
    yield site.step(
        "controlplane-gateway.yaml",
        scene.install_shared_gateway,
        builders.ControlPlaneGateway(
            release=topology.istio, name=gateway.name, namespace=gateway.namespace, hub=topology.hub
        ),
        why=f"The ingress gateway through which remote clusters will reach istiod; {topology.exposure.sharing}.",
        verify=tuple(checks),
    )


def _config_cluster(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.remote
    yield site.step(
        "namespace.yaml",
        Apply(),
        builders.SystemNamespace(name=topology.namespace, network=cluster.network),
        why="The control plane's namespace, here for its configuration and permissions.",
    )
    validators = (topology.names.validator_webhook, "istiod-default-validator")
    yield site.step(
        "remote-config-cluster.yaml",
        scene.set_up_remote("config cluster"),
        builders.ConfigCluster(
            release=topology.istio,
            address=topology.address,
            cluster=cluster.name,
            network=cluster.network,
            namespace=topology.namespace,
            revision=topology.revision,
        ),
        why="The CRDs, permissions and webhooks of the cluster from which istiod reads its configuration.",
        verify=(
            _injector_webhook(scene),
            site.check(
                f"{validators[0]} and {validators[1]}, each with 1 webhook",
                *("get", "validatingwebhookconfiguration", *validators),
            ),
        ),
    )


def _control_plane(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.external
    release, names = topology.istio, topology.names
    account = (builders.LegacyServiceAccount(namespace=topology.namespace),) if release.legacy_service_account else ()
    yield site.step(
        "namespace.yaml",
        Apply(),
        builders.SystemNamespace(name=topology.namespace),
        *account,
        why="The control plane's namespace, here for istiod itself.",
    )
    yield _secret(
        scene,
        "config",
        why="The Secret by which istiod reaches the API server of the config cluster.",
    )
    yield site.step(
        "external-istiod.yaml",
        scene.install("external-istiod"),
        builders.ExternalIstiod(
            release=release,
            address=topology.address,
            mesh_id=topology.mesh_id,
            cluster=cluster.name,
            network=cluster.network,
            namespace=topology.namespace,
            revision=topology.revision,
            mesh_config=topology.mesh_config,
            hub=topology.hub,
        ),
        why="The istiod that serves the remote clusters.",
        verify=(site.wait_for(names.istiod, topology.namespace),),
    )
    rule = builders.IstiodDestinationRule(release=release, namespace=topology.namespace, revision=topology.revision)
    yield site.step(
        "external-istiod-gw.yaml",
        Apply(),
        builders.IstiodGateway(
            release=release,
            address=topology.address,
            credential_name=topology.credential_name,
            namespace=topology.namespace,
            gateway=topology.gateway.name,
        ),
        builders.IstiodVirtualService(
            release=release, address=topology.address, namespace=topology.namespace, revision=topology.revision
        ),
        *((rule,) if topology.exposure.needs_credential else ()),
        why="The routes from the gateway to istiod, for xDS and certificates on 15012 and webhooks on 15017.",
        verify=(_injection(scene),),
    )


def _gateways(scene: _Scene) -> Iterator[Step]:
    """The ingress and egress gateway of a cluster, where wanted."""
    topology, wanted = scene.topology, scene.cluster.gateways
    if wanted.ingress:
        yield _gateway(
            scene,
            gateways.INGRESS,
            builders.IngressGateway(namespace=topology.namespace, revision=topology.revision),
            builders.IngressGatewayValues(revision=topology.revision),
            why="The gateway by which requests from outside enter the mesh; its pod is injected, so istiod runs first.",
        )
    if wanted.egress:
        yield _gateway(
            scene,
            gateways.EGRESS,
            builders.EgressGateway(namespace=topology.namespace, revision=topology.revision),
            builders.EgressGatewayValues(revision=topology.revision),
            why="The gateway by which requests leave the mesh; its pod is injected, so istiod runs first.",
        )


def _gateway(scene: _Scene, name: str, operator: IngressGateway | EgressGateway, values: Builder, *, why: str) -> Step:
    topology, site = scene.topology, scene.remote
    pods = (site.wait_for(name, topology.namespace),)
    if scene.cluster.gateways.install == "helm":
        chart = InstallGatewayChart(name, topology.namespace, topology.chart_repository, topology.release)
        return site.step(f"{name}.values.yaml", chart, values, why=why, verify=pods)
    action = scene.install_gateway(operator.operator_name)
    return site.step(f"{name}.yaml", action, operator, why=why, verify=pods)


def _sample(scene: _Scene) -> Iterator[Step]:
    """Helloworld and a client, where wanted."""
    topology, sample, site = scene.topology, scene.cluster.sample, scene.remote
    if sample is None:
        return
    release, client = topology.istio, topology.istio.client
    yield site.step(
        "sample/namespace.yaml",
        Apply(),
        builders.SampleNamespace(name=SAMPLE_NAMESPACE, revision=topology.revision),
        why="A namespace whose pods get a sidecar.",
    )
    yield site.step(
        "sample/helloworld.yaml",
        Apply(),
        builders.HelloworldService(namespace=SAMPLE_NAMESPACE),
        builders.HelloworldDeployment(
            release=release, version=sample.version, namespace=SAMPLE_NAMESPACE, hub=topology.hub
        ),
        why=f"Helloworld {sample.version}, a service to call.",
    )
    yield site.step(
        f"sample/{client}.yaml",
        Apply(),
        builders.ClientServiceAccount(release=release, namespace=SAMPLE_NAMESPACE),
        builders.ClientService(release=release, namespace=SAMPLE_NAMESPACE),
        builders.ClientDeployment(release=release, namespace=SAMPLE_NAMESPACE),
        why="A client that calls it.",
        verify=(
            site.wait_for(f"helloworld-{sample.version}", SAMPLE_NAMESPACE),
            site.wait_for(client, SAMPLE_NAMESPACE),
            site.check(
                "Hello version: followed by the version of any cluster that is connected",
                *("exec", f"deployment/{client}", "-n", SAMPLE_NAMESPACE, "-c", client, "--"),
                *("curl", "-sS", "--fail", f"helloworld.{SAMPLE_NAMESPACE}:5000/hello"),
            ),
        ),
    )


def _sample_gateway(scene: _Scene) -> Iterator[Step]:
    """The way to helloworld from outside, where there is both."""
    release, site = scene.topology.istio, scene.remote
    if scene.cluster.sample is None or not scene.cluster.gateways.ingress:
        return
    yield site.step(
        "sample/helloworld-gateway.yaml",
        Apply(),
        builders.HelloworldGateway(release=release, namespace=SAMPLE_NAMESPACE),
        builders.HelloworldVirtualService(release=release, namespace=SAMPLE_NAMESPACE),
        why="Helloworld for requests from outside.",
        verify=(
            site.address(
                gateways.INGRESS,
                scene.topology.namespace,
                "an external address, at which /hello answers with the version",
            ),
        ),
    )


def _join(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.remote
    yield site.step(
        "namespace.yaml",
        Apply(),
        builders.SystemNamespace(
            name=topology.namespace,
            network=cluster.network,
            control_plane_cluster=topology.config_cluster.name,
        ),
        why="The control plane's namespace, with the mark by which istiod knows that it is to lead here.",
    )
    yield site.step(
        "remote-cluster.yaml",
        scene.set_up_remote("remote cluster"),
        builders.RemoteCluster(
            release=topology.istio,
            address=topology.address,
            cluster=cluster.name,
            network=cluster.network,
            namespace=topology.namespace,
            revision=topology.revision,
        ),
        why="The permissions and webhooks of a cluster that only runs workloads.",
        verify=(_injector_webhook(scene),),
    )
    yield _secret(
        scene,
        "remote",
        why="The Secret by which istiod reaches the API server of this cluster.",
        checks=(_injection(scene),),
    )


def _east_west(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.remote
    if not cluster.gateways.east_west:
        return
    yield site.step(
        "eastwest-gateway.yaml",
        RenderAndApply("rendered"),
        builders.EastWestGateway(network=cluster.network, namespace=topology.namespace, revision=topology.revision),
        why="The gateway by which other networks reach this cluster's services.",
        verify=(
            site.wait_for(gateways.EAST_WEST, topology.namespace),
            site.address(
                gateways.EAST_WEST, topology.namespace, "an external address that the other networks can reach"
            ),
        ),
    )


def _expose_services(scene: _Scene) -> Iterator[Step]:
    """One Gateway for the whole mesh, in the config cluster, as soon as any cluster has an east-west gateway."""
    topology = scene.topology
    if not any(cluster.gateways.east_west for cluster in topology.mesh_clusters):
        return
    yield scene.remote.step(
        "expose-services.yaml",
        Apply(),
        builders.ExposeServices(release=topology.istio, namespace=topology.namespace),
        why="Opens all east-west gateways to the mesh's services; istiod reads it from the config cluster alone.",
    )


def _config_only(topology: Topology) -> tuple[MeshCluster, ...]:
    return (topology.config_cluster,)


def _further(topology: Topology) -> tuple[MeshCluster, ...]:
    return tuple(topology.remote_clusters)


def _all(topology: Topology) -> tuple[MeshCluster, ...]:
    return topology.mesh_clusters


_STAGES: tuple[tuple[str, Callable[[Topology], Sequence[MeshCluster]], Callable[[_Scene], Iterable[Step]]], ...] = (
    ("Open the external cluster", _config_only, _shared_gateway),
    ("Set up the config cluster", _config_only, _config_cluster),
    ("Start the control plane", _config_only, _control_plane),
    ("Deploy the sample", _config_only, _sample),
    ("Add gateways to the mesh", _config_only, _gateways),
    ("Add gateways to the mesh", _config_only, _sample_gateway),
    ("Join the further clusters", _further, _join),
    ("Connect the networks", _all, _east_west),
    ("Connect the networks", _config_only, _expose_services),
    ("Use the further clusters", _further, _sample),
    ("Use the further clusters", _further, _gateways),
)
"""The guide, in its order: each part with the remote clusters that it is about, and its steps for one of them."""


def _injector_webhook(scene: _Scene) -> Check:
    """The webhooks of the cluster's own file, which no installation may have switched off."""
    names = scene.topology.names
    shown = "jsonpath={.webhooks[*].name} {.webhooks[*].namespaceSelector.matchLabels}"
    get = scene.remote.kubectl("get", "mutatingwebhookconfiguration", names.injector_webhook, "-o", shown)
    command = piped(get, ("grep", "-v", "never-match"))
    expect = (
        f"the names of {names.injector_webhooks} webhooks; nothing, if another installation switched them off: then "
        f"remove its tag by istioctl tag remove default -i {names.namespace}, delete this configuration, and repeat "
        "the step"
    )
    return Check(command, expect)


def _injection(scene: _Scene) -> Check:
    """A pod that is not kept: the API server asks istiod to inject it, or refuses it, or forgets to ask."""
    label = scene.topology.names.injection_of_a_pod
    words = ("run", "injection-check", "-n", "default", "--image=none", f"--labels={label}", "--dry-run=server")
    command = piped(scene.remote.kubectl(*words, "-o", "yaml"), ("grep", "istio-proxy"))
    return Check(command, "lines with istio-proxy; without any, no webhook serves this cluster")


def _secret(scene: _Scene, kind: Literal["remote", "config"], *, why: str, checks: tuple[Check, ...] = ()) -> Step:
    """The Secret for a cluster: from credentials a file, else istioctl's doing, else a token to fetch."""
    topology, cluster = scene.topology, scene.cluster
    given = scene.plan.credentials.get(cluster.name)
    if given is not None:
        return scene.external.step(
            f"remote-secret-{folder_of(cluster.name)}.yaml",
            Apply(),
            builders.RemoteSecret(
                release=topology.istio,
                cluster=cluster.name,
                server=given.server,
                ca=given.ca,
                token=given.token,
                type=kind,
                namespace=topology.namespace,
                tls_server_name=given.tls_server_name,
            ),
            why=why,
            verify=checks,
            secret=True,
        )
    if kind == "remote" and dns_label(cluster.name):
        return _token(scene)
    return _created_secret(scene, kind, why, checks)


def _created_secret(scene: _Scene, kind: Literal["remote", "config"], why: str, checks: tuple[Check, ...]) -> Step:
    topology, cluster, site = scene.topology, scene.cluster, scene.external
    if kind == "config":
        secret, without_label, account = CONFIG_SECRET, REMOTE_SECRET_LABEL, topology.names.istiod
        words = ("--type=config", f"--service-account={account}")
    else:
        secret, without_label, account = remote_secret_name(cluster.name), None, READER
        words = ("--type=remote", f"--name={cluster.name}")
    return Step(
        stage=site.stage,
        cluster=topology.external_cluster.name,
        context=site.context,
        why=why,
        action=CreateRemoteSecret(
            source=scene.remote.context,
            namespace=topology.namespace,
            secret=secret,
            words=words,
            token=builders.ServiceAccountToken(namespace=topology.namespace, service_account=account).name,
            server=cluster.api_server,
            without_label=without_label,
        ),
        verify=(site.check(f"the Secret {secret}", "get", "secret", secret, "-n", topology.namespace), *checks),
    )


def _token(scene: _Scene) -> Step:
    """For a name that istioctl refuses as `--name`: a token that credentials can be made of."""
    token = builders.ServiceAccountToken(namespace=scene.topology.namespace)
    return scene.remote.step(
        "reader-token.yaml",
        Apply(),
        token,
        why="A token for istiod; istioctl makes no remote secret for a cluster of this name, so this library must.",
        verify=(
            scene.remote.check(
                "a token and a ca.crt, in base64; put both into a credentials file, and generate again with it",
                *("get", "secret", token.name, "-n", token.namespace, "-o", "yaml"),
            ),
        ),
    )
