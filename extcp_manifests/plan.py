"""From a topology to everything there is to do: ordered steps, their files, and the runbook."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from extcp_manifests import builders, output
from extcp_manifests.builders import gateways
from extcp_manifests.builders.secrets import CONFIG_SECRET, remote_secret_name
from extcp_manifests.commands import (
    Action,
    How,
    apply,
    create_remote_secret,
    generate,
    helm_gateway,
    install,
    install_rendered,
    install_shared_gateway,
    kubectl,
)
from extcp_manifests.credentials import ClusterCredentials, checked_credentials
from extcp_manifests.errors import require
from extcp_manifests.kustomize import KustomizeTree
from extcp_manifests.runbook import RUNBOOK, runbook
from extcp_manifests.step import Builder, Check, Step, StepSequence, text_of
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
    names = (cluster.name for cluster in topology.mesh_clusters)
    given = checked_credentials(credentials or {}, clusters=names, release=topology.istio)
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

    def kustomize(self) -> KustomizeTree:
        """The same files as bases for kustomize."""
        return KustomizeTree(self.topology, self.steps)

    def runbook(self) -> str:
        """The commands in order and the clean-up in reverse order, as Markdown."""
        return "".join(self.runbook_lines())

    def runbook_lines(self) -> Iterator[str]:
        """The runbook, piece by piece."""
        return runbook(self.topology, self.steps)

    def write(self, folder: str | os.PathLike[str], *, on_file: Callable[[str], None] | None = None) -> list[str]:
        """Write all files and the runbook into a folder, and return their paths.

        Files of an earlier run that no longer belong are removed; a file that was not written by this library is
        never touched. Files with tokens get mode 0600. `on_file` is told each path. Raises OutputError, or OSError
        from the file system, with the folder as it was before.
        """
        return output.write(folder, self._entries(), on_file)

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

    def kubectl(self, *words: str) -> tuple[str, ...]:
        return kubectl(self.context, *words)

    def step(
        self,
        file: str,
        how: How,
        *documents: Builder,
        why: str,
        verify: tuple[Check, ...] = (),
        secret: bool = False,
    ) -> Step:
        """A step with a file: `how` makes its commands from the context and the file's path."""
        path = f"{self.folder}/{file}"
        action = how(self.context, path)
        return Step(
            stage=self.stage,
            cluster=self.cluster,
            why=why,
            command=action.command,
            undo=action.undo,
            path=path,
            builders=documents,
            verify=verify,
            secret=secret,
        )


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the steps of a stage are about: the plan, one of its remote clusters, and where steps take place."""

    plan: Plan
    topology: Topology
    cluster: MeshCluster
    remote: _Site
    external: _Site

    @property
    def set_up_remote(self) -> How:
        """How this release sets up a remote cluster."""
        return install if self.topology.istio.install_remotes else generate

    @property
    def install(self) -> How:
        """How this release installs what has no CRDs of its own."""
        return install if self.topology.istio.uninstall_by_owner else install_rendered

    @property
    def install_gateway(self) -> How:
        """How this release installs a gateway of the mesh in this cluster; the config cluster has Istio's CRDs."""
        without_crds = self.cluster != self.topology.config_cluster
        return generate if without_crds and self.topology.istio.saves_installed_state else self.install

    @property
    def install_shared_gateway(self) -> How:
        """How this release installs the external cluster's gateway."""
        gateway = self.topology.gateway
        by_owner = self.topology.istio.uninstall_by_owner
        return install if by_owner else install_shared_gateway(gateway.name, gateway.namespace)


def _scene(plan: Plan, stage: str, cluster: MeshCluster) -> _Scene:
    external = plan.topology.external_cluster
    return _Scene(plan, plan.topology, cluster, _site(stage, cluster), _site(stage, external))


def _site(stage: str, cluster: ExternalCluster | MeshCluster) -> _Site:
    return _Site(stage, cluster.name, context_of(cluster), folder_of(cluster.name))


def _shared_gateway(scene: _Scene) -> Iterator[Step]:
    topology, site = scene.topology, scene.external
    gateway, secret = topology.gateway, topology.credential_name
    yield site.step(
        "controlplane-gateway.yaml",
        scene.install_shared_gateway,
        builders.ControlPlaneGateway(name=gateway.name, namespace=gateway.namespace),
        why="The ingress gateway through which remote clusters will reach istiod; other control planes may share it.",
        verify=(
            Check(
                site.kubectl("get", "service", gateway.name, "-n", gateway.namespace),
                f"an external address that is, or that DNS gives for, {topology.address}; "
                "if it is another, correct the topology and generate again",
            ),
            *(
                (
                    Check(
                        site.kubectl("get", "secret", secret, "-n", gateway.namespace),
                        f"a TLS secret with the certificate of {topology.address}; create it if it is missing",
                    ),
                )
                if secret
                else ()
            ),
        ),
    )


def _config_cluster(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.remote
    yield site.step(
        "namespace.yaml",
        apply,
        builders.SystemNamespace(name=topology.namespace, network=cluster.network),
        why="The control plane's namespace, here for its configuration and permissions.",
    )
    yield site.step(
        "remote-config-cluster.yaml",
        scene.set_up_remote,
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
            Check(
                site.kubectl(
                    "get",
                    "validatingwebhookconfiguration",
                    topology.names.validator_webhook,
                    "istiod-default-validator",
                ),
                f"{topology.names.validator_webhook} and istiod-default-validator, each with 1 webhook",
            ),
        ),
    )


def _control_plane(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.external
    release, names = topology.istio, topology.names
    account = (builders.LegacyServiceAccount(namespace=topology.namespace),) if release.legacy_service_account else ()
    yield site.step(
        "namespace.yaml",
        apply,
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
        scene.install,
        builders.ExternalIstiod(
            release=release,
            address=topology.address,
            mesh_id=topology.mesh_id,
            cluster=cluster.name,
            network=cluster.network,
            namespace=topology.namespace,
            revision=topology.revision,
            mesh_config=topology.mesh_config,
        ),
        why="The istiod that serves the remote clusters.",
        verify=(
            Check(
                site.kubectl("get", "deployment", names.istiod, "-n", topology.namespace),
                f"{names.istiod} is ready, 1/1",
            ),
        ),
    )
    rule = builders.IstiodDestinationRule(release=release, namespace=topology.namespace, revision=topology.revision)
    yield site.step(
        "external-istiod-gw.yaml",
        apply,
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


def _gateway(scene: _Scene, name: str, operator: Builder, values: Builder, *, why: str) -> Step:
    namespace, site = scene.topology.namespace, scene.remote

    def helm(context: str, path: str) -> Action:
        return helm_gateway(context, namespace, name, path, scene.topology.release)

    file, how, document = {
        "istioctl": (f"{name}.yaml", scene.install_gateway, operator),
        "helm": (f"{name}.values.yaml", helm, values),
    }[scene.cluster.gateways.install]
    pods = Check(site.kubectl("get", "pods", "-l", f"app={name}", "-n", namespace), "a pod that is Running, 1/1")
    return site.step(file, how, document, why=why, verify=(pods,))


def _sample(scene: _Scene) -> Iterator[Step]:
    """Helloworld and a client, where wanted."""
    topology, sample, site = scene.topology, scene.cluster.sample, scene.remote
    if sample is None:
        return
    release, client = topology.istio, topology.istio.client
    yield site.step(
        "sample/namespace.yaml",
        apply,
        builders.SampleNamespace(name=SAMPLE_NAMESPACE, revision=topology.revision),
        why="A namespace whose pods get a sidecar.",
    )
    yield site.step(
        "sample/helloworld.yaml",
        apply,
        builders.HelloworldService(namespace=SAMPLE_NAMESPACE),
        builders.HelloworldDeployment(release=release, version=sample.version, namespace=SAMPLE_NAMESPACE),
        why=f"Helloworld {sample.version}, a service to call.",
    )
    yield site.step(
        f"sample/{client}.yaml",
        apply,
        builders.ClientServiceAccount(release=release, namespace=SAMPLE_NAMESPACE),
        builders.ClientService(release=release, namespace=SAMPLE_NAMESPACE),
        builders.ClientDeployment(release=release, namespace=SAMPLE_NAMESPACE),
        why="A client that calls it.",
        verify=(
            Check(site.kubectl("get", "pods", "-n", SAMPLE_NAMESPACE), "every pod is Running, 2/2"),
            Check(
                site.kubectl(
                    *("exec", f"deployment/{client}", "-n", SAMPLE_NAMESPACE, "-c", client, "--"),
                    *("curl", "-sS", f"helloworld.{SAMPLE_NAMESPACE}:5000/hello"),
                ),
                "Hello version: followed by the version of any cluster that is connected",
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
        apply,
        builders.HelloworldGateway(release=release, namespace=SAMPLE_NAMESPACE),
        builders.HelloworldVirtualService(release=release, namespace=SAMPLE_NAMESPACE),
        why="Helloworld for requests from outside.",
        verify=(
            Check(
                site.kubectl("get", "service", gateways.INGRESS, "-n", scene.topology.namespace),
                "an external address, at which /hello answers with the version",
            ),
        ),
    )


def _join(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.remote
    yield site.step(
        "namespace.yaml",
        apply,
        builders.SystemNamespace(
            name=topology.namespace,
            network=cluster.network,
            control_plane_cluster=topology.config_cluster.name,
        ),
        why="The control plane's namespace, with the mark by which istiod knows that it is to lead here.",
    )
    yield site.step(
        "remote-cluster.yaml",
        scene.set_up_remote,
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
    )


def _east_west(scene: _Scene) -> Iterator[Step]:
    topology, cluster, site = scene.topology, scene.cluster, scene.remote
    if not cluster.gateways.east_west:
        return
    yield site.step(
        "eastwest-gateway.yaml",
        generate,
        builders.EastWestGateway(network=cluster.network, namespace=topology.namespace, revision=topology.revision),
        why="The gateway by which other networks reach this cluster's services.",
        verify=(
            Check(
                site.kubectl("get", "service", gateways.EAST_WEST, "-n", topology.namespace),
                "an external address that the other networks can reach",
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
        apply,
        builders.ExposeServices(release=topology.istio, namespace=topology.namespace),
        why="Opens all east-west gateways to the mesh's services; istiod reads it from the config cluster alone.",
    )


def _config_only(topology: Topology) -> tuple[MeshCluster, ...]:
    return (topology.config_cluster,)


def _further(topology: Topology) -> tuple[MeshCluster, ...]:
    return topology.remote_clusters


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
    names = scene.topology.names
    return Check(
        scene.remote.kubectl("get", "mutatingwebhookconfiguration", names.injector_webhook),
        f"{names.injector_webhook} with {names.injector_webhooks} webhooks",
    )


def _secret(scene: _Scene, kind: Literal["remote", "config"], *, why: str) -> Step:
    """The Secret for a cluster: from credentials a file, else istioctl's doing, else a token to fetch."""
    topology, cluster = scene.topology, scene.cluster
    given = scene.plan.credentials.get(cluster.name)
    if given is not None:
        return scene.external.step(
            f"remote-secret-{folder_of(cluster.name)}.yaml",
            apply,
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
            secret=True,
        )
    if kind == "remote" and dns_label(cluster.name):
        return _token(scene)
    return _created_secret(scene, kind, why)


def _created_secret(scene: _Scene, kind: Literal["remote", "config"], why: str) -> Step:
    topology, cluster = scene.topology, scene.cluster
    secret, words = {
        "config": (CONFIG_SECRET, ("--type=config", f"--service-account={topology.names.istiod}")),
        "remote": (remote_secret_name(cluster.name), ("--type=remote", f"--name={cluster.name}")),
    }[kind]
    action = create_remote_secret(
        scene.remote.context,
        scene.external.context,
        topology.namespace,
        secret,
        *words,
        "--create-service-account=false",
    )
    return Step(
        stage=scene.external.stage,
        cluster=topology.external_cluster.name,
        why=why,
        command=action.command,
        undo=action.undo,
        verify=(
            Check(scene.external.kubectl("get", "secret", secret, "-n", topology.namespace), f"the Secret {secret}"),
        ),
    )


def _token(scene: _Scene) -> Step:
    """For a name that istioctl refuses as `--name`: a token that credentials can be made of."""
    token = builders.ServiceAccountToken(namespace=scene.topology.namespace)
    return scene.remote.step(
        "reader-token.yaml",
        apply,
        token,
        why="A token for istiod; istioctl makes no remote secret for a cluster of this name, so this library must.",
        verify=(
            Check(
                scene.remote.kubectl("get", "secret", token.name, "-n", token.namespace, "-o", "yaml"),
                "a token and a ca.crt, in base64; put both into a credentials file, and generate again with it",
            ),
        ),
    )
