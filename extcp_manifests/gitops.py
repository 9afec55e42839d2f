"""A kustomize tree for Argo CD and Flux: an Application or Kustomization a cluster and stage, in the plan's order.

The external and the config cluster follow the plan step by step; a further cluster waits for what stands before it
there, and for its own steps. Neither tool can apply an IstioOperator: what a pipeline must render is told in NOTES.md,
and the tool applies what was rendered. Secrets are never part of it.

Source: Argo CD 2.6 and later: docs/operator-manual/application.yaml, docs/user-guide/diffing.md, sync-waves.md; Flux
2.3 and later: the API references of kustomize.toolkit.fluxcd.io/v1, helm.toolkit.fluxcd.io/v2 and
source.toolkit.fluxcd.io/v1. Read and not run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import dirname, normpath
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.builders import ConfigCluster, ControlPlaneGateway, RemoteCluster
from extcp_manifests.commands import BUILT, build, kubectl
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.kustomize import OVERLAYS, VALUES
from extcp_manifests.output import Entry
from extcp_manifests.plan import Plan
from extcp_manifests.runbook import code, fenced, markdown
from extcp_manifests.step import Command, Pipeline, Step, piped
from extcp_manifests.text import dns_label, dns_subdomain, printable, stand_in
from extcp_manifests.topology import Topology, context_of

NOTES = "NOTES.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """Where a kustomize tree lies in Git. Raises InvalidInput for what is no text, or leads out of the repository."""

    url: str | None = None
    """Where Git finds it; Flux knows that by itself."""
    revision: str = "main"
    path: str = "."
    """The folder of the tree."""
    overlay: str | None = None
    """The overlay of the tree that is applied, instead of the bases themselves."""

    def __post_init__(self) -> None:
        texts = {"revision": self.revision, "path": self.path} | ({"repo": self.url} if self.url is not None else {})
        for key, text in texts.items():
            require(text, str, key, "text")
        problems = [Problem(key, problem) for key, text in texts.items() if (problem := printable(text))]
        problems += [
            Problem(key, f"begins with '-', which commands take for an option: {text!r}")
            for key, text in texts.items()
            if text.startswith("-")
        ]
        if self.path.startswith("/") or ".." in re.split(r"[/\\]", self.path):
            problems.append(Problem("path", f"{self.path!r} leads out of the repository: name a folder in it"))
        if self.overlay is not None and (problem := dns_label(self.overlay)):
            problems.append(Problem("overlay", problem))
        if problems:
            raise InvalidInput(problems)

    def folder(self, path: str) -> str:
        """The folder of a base, or of the overlay that stands over it."""
        above = "" if self.overlay is None else f"{OVERLAYS}/{self.overlay}/"
        return normpath(f"{self.path}/{above}{path}")

    def values(self, base: str) -> list[str]:
        """The files of a chart's values, of which later ones win."""
        files = [normpath(f"{self.path}/{base}/{VALUES}")]
        if self.overlay is not None:
            files.append(f"{self.folder(base)}/{VALUES}")
        return files


@dataclass(frozen=True, slots=True)
class _Part:
    """What a tool applies in one go: a base of the tree, or a file that istioctl rendered or Helm takes."""

    name: str
    cluster: str
    step: Step
    base: str
    kind: str
    """`applied`, `install` or `values`."""
    wave: int
    after: tuple[str, ...]
    """The parts that it waits for, which are no charts."""
    owned: tuple[Mapping[str, Any], ...] = field(default=())
    """What istiod changes in it."""

    @property
    def folder(self) -> str:
        """Where its manifests are: those of an IstioOperator must be rendered first."""
        return self.base.replace("/install/", "/rendered/", 1) if self.kind == "install" else self.base


def _parts(plan: Plan) -> Iterator[_Part]:
    topology = plan.topology
    prefix = topology.name or topology.mesh_id
    spine = {topology.external_cluster.name, topology.config_cluster.name}
    last: dict[str, _Part] = {}
    applied: dict[str, _Part] = {}
    seen: set[str] = set()
    for step in plan.kustomize().relocated:
        base = dirname(step.path or "")
        if step.path is None or step.secret or base in seen:
            continue
        seen.add(base)
        line = "" if step.cluster in spine else step.cluster
        before = [last[key] for key in dict.fromkeys((line, "")) if key in last]
        awaited = [applied[key] for key in dict.fromkeys((line, "")) if key in applied]
        part = _Part(
            name=_name(f"{prefix}-{base.replace('/', '-')}"),
            cluster=step.cluster,
            step=step,
            base=base,
            kind={"install": "install", "values": "values"}.get(base.split("/")[1], "applied"),
            wave=max((each.wave + 1 for each in before), default=0),
            after=tuple(each.name for each in awaited),
            owned=tuple(_owned(topology, step)),
        )
        last[line] = part
        if part.kind != "values":
            applied[line] = part
        yield part


def _name(text: str) -> str:
    return stand_in(text) if dns_label(text) else text


_CA = ".webhooks[]?.clientConfig.caBundle"
_POLICY = ".webhooks[]?.failurePolicy"


def _owned(topology: Topology, step: Step) -> Iterator[Mapping[str, Any]]:
    """The fields of webhooks that istiod writes, where the topology lets it (istio 1.30.3: pkg/webhooks)."""
    injector, validator = topology.exposure.webhook_names(topology.names)
    builder = step.builders[0] if step.builders else None
    if injector and isinstance(builder, ConfigCluster | RemoteCluster):
        yield _webhook("MutatingWebhookConfiguration", injector, _CA)
    if validator and isinstance(builder, ConfigCluster):
        for name in (validator, "istiod-default-validator"):
            yield _webhook("ValidatingWebhookConfiguration", name, _CA, _POLICY)


def _webhook(kind: str, name: str, *fields: str) -> Mapping[str, Any]:
    return {"group": "admissionregistration.k8s.io", "kind": kind, "name": name, "jqPathExpressions": fields}


# -------------------------------------------------------------------------------------------------------------- Argo CD


def _require_names(**names: str) -> None:
    for key, name in names.items():
        require(name, str, key, "text")
    problems = [Problem(key, problem) for key, name in names.items() if (problem := dns_subdomain(name))]
    if problems:
        raise InvalidInput(problems)


def argocd(
    plan: Plan, repository: Repository, *, namespace: str = "argocd", project: str = "default"
) -> Iterator[Entry]:
    """Applications whose sync waves follow the plan, and notes; clusters have the names that Argo CD knows them by.

    Raises InvalidInput for names that Kubernetes does not take.
    """
    _require_names(namespace=namespace, project=project)
    return _argocd(plan, repository, namespace, project)


def _argocd(plan: Plan, repository: Repository, namespace: str, project: str) -> Iterator[Entry]:
    for part in _parts(plan):
        source = {"repoURL": repository.url, "targetRevision": repository.revision}
        spec: dict[str, Any] = {"project": project}
        if part.kind == "values":
            values = [f"$values/{file}" for file in repository.values(part.base)]
            chart = {**_chart(plan.topology), "helm": {"releaseName": _release_name(part), "valueFiles": values}}
            spec["sources"] = [chart, {**source, "ref": "values"}]
        else:
            spec["source"] = {**source, "path": repository.folder(part.folder)}
        spec["destination"] = {"name": part.cluster, "namespace": plan.topology.namespace}
        options = ["ServerSideApply=true"] if part.kind == "install" else []
        options += ["RespectIgnoreDifferences=true"] if part.owned else []
        spec["syncPolicy"] = {"automated": {"prune": True}, **({"syncOptions": options} if options else {})}
        if part.owned:
            spec["ignoreDifferences"] = part.owned
        annotations = {"argocd.argoproj.io/sync-wave": str(part.wave)}
        metadata = {"name": part.name, "namespace": namespace, "annotations": annotations}
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}
        yield _entry(f"applications/{part.name}.yaml", document)
    yield Entry(NOTES, (line.encode() for line in _notes(plan, repository, _ARGOCD)))


def _chart(topology: Topology) -> dict[str, str]:
    repository = topology.chart_repository.removeprefix("oci://")  # Argo CD knows OCI registries without the scheme
    return {"repoURL": repository, "chart": "gateway", "targetRevision": f"~{topology.release}.0"}


def _release_name(part: _Part) -> str:
    return part.base.rpartition("/")[2]


_ARGOCD = """\
Apply `applications/` by a parent Application: sync waves order what one Application applies, and they only wait for
Applications where `resource.customizations.health.argoproj.io_Application` of `argocd-cm` tells how healthy one is.
Every cluster must be known to Argo CD by its name here.
"""

# ----------------------------------------------------------------------------------------------------------------- Flux


def flux(
    plan: Plan,
    repository: Repository,
    *,
    source: str = "flux-system",
    namespace: str = "flux-system",
    here: str | None = None,
) -> Iterator[Entry]:
    """Kustomizations that depend on each other as the plan says, and notes.

    `source` is the GitRepository of Flux; `here` is the cluster that Flux runs in, the others are reached by Secrets
    with a kubeconfig. Raises InvalidInput for names that Kubernetes does not take, and for an unknown cluster.
    """
    _require_names(namespace=namespace, source=source)
    require(here, str | None, "here", "text")
    topology = plan.topology
    known = [topology.external_cluster.name, *(cluster.name for cluster in topology.mesh_clusters)]
    if here is not None and here not in known:
        raise InvalidInput([Problem("here", f"{here!r} is no cluster of this topology: use {', '.join(known[:5])}")])
    return _flux(plan, repository, source, namespace, here)


def _flux(plan: Plan, repository: Repository, source: str, namespace: str, here: str | None) -> Iterator[Entry]:
    charts = False
    for part in _parts(plan):
        reach: dict[str, Any] = {} if part.cluster == here else _kubeconfig(part)
        if part.kind == "values":
            charts = True
            yield _entry(f"kustomizations/{part.name}.yaml", _helm_release(plan, part, namespace, reach))
            continue
        spec: dict[str, Any] = {
            "interval": "10m",
            "sourceRef": {"kind": "GitRepository", "name": source},
            "path": f"./{repository.folder(part.folder)}",
            "prune": True,
            "wait": True,
            **reach,
            **({"dependsOn": [{"name": name} for name in part.after]} if part.after else {}),
            **({"patches": [_once(each) for each in part.owned]} if part.owned else {}),
        }
        metadata = {"name": part.name, "namespace": namespace}
        yield _entry(f"kustomizations/{part.name}.yaml", {**_KUSTOMIZATION, "metadata": metadata, "spec": spec})
    if charts:
        metadata = {"name": "istio", "namespace": namespace}
        url = plan.topology.chart_repository
        spec = {"interval": "1h", "url": url, **({"type": "oci"} if url.startswith("oci://") else {})}
        yield _entry("kustomizations/istio-charts.yaml", {**_REPOSITORY, "metadata": metadata, "spec": spec})
    yield Entry(NOTES, (line.encode() for line in _notes(plan, repository, _FLUX)))


_KUSTOMIZATION = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
_REPOSITORY = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository"}


def _kubeconfig(part: _Part) -> dict[str, Any]:
    return {"kubeConfig": {"secretRef": {"name": f"kubeconfig-{part.base.split('/')[0]}"}}}


def _helm_release(plan: Plan, part: _Part, namespace: str, reach: Mapping[str, Any]) -> dict[str, Any]:
    chart: dict[str, Any] = {
        "chart": "gateway",
        "version": f"~{plan.topology.release}.0",
        "sourceRef": {"kind": "HelmRepository", "name": "istio"},
    }
    (values,) = part.step.documents
    spec = {
        "interval": "10m",
        "releaseName": _release_name(part),
        "targetNamespace": plan.topology.namespace,
        "storageNamespace": plan.topology.namespace,
        "chart": {"spec": chart},
        **reach,
        "values": values.plain(),
    }
    metadata = {"name": part.name, "namespace": namespace}
    return {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}


def _once(owned: Mapping[str, Any]) -> dict[str, Any]:
    """Flux cannot leave single fields alone, so what istiod writes to is only applied where it is missing."""
    patch = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": owned["kind"],
        "metadata": {"name": owned["name"], "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}},
    }
    return {"target": {"kind": owned["kind"], "name": owned["name"]}, "patch": yaml.dump(patch)}


_FLUX = """\
Kustomizations wait for each other by `dependsOn`. HelmReleases cannot wait for Kustomizations, so those of gateways are
tried again until istiod injects. Secrets named `kubeconfig-CLUSTER`, with the key `value`, tell Flux how to reach the
other clusters. Webhooks that istiod writes to are applied once and then left alone.
"""

# ---------------------------------------------------------------------------------------------------------------- notes


def _notes(plan: Plan, repository: Repository, about: str) -> Iterator[str]:
    name = markdown(plan.topology.name or plan.topology.mesh_id)
    yield f"# {name}: what GitOps applies, and what a pipeline must do\n\n{about}"
    yield _RENDER.format(release=plan.topology.release)
    for part in _parts(plan):
        if part.kind == "install":
            yield f"\n{fenced(_rendering(plan, part, repository))}"
    yield from _by_hand(plan)


def _rendering(plan: Plan, part: _Part, repository: Repository) -> Command:
    """Build a base into a file, and have istioctl render that into the folder, whole or not at all."""
    base, folder = repository.folder(part.base), repository.folder(part.folder)
    built, manifest = f"{base}/{BUILT}", f"{folder}/manifest.yaml"
    render = ("istioctl", "manifest", "generate", "-f", built)
    pipelines = [
        build(base, built),
        Pipeline((("mkdir", "-p", folder),)),
        Pipeline((render,), into=f"{manifest}.new"),
        Pipeline((("mv", f"{manifest}.new", manifest),)),
    ]
    if isinstance(part.step.builders[0], ControlPlaneGateway):
        # `istioctl install` makes the namespace, which is not among what istioctl renders.
        create = ("kubectl", "create", "namespace", plan.topology.gateway.namespace, "--dry-run=client", "-o", "yaml")
        keep = ("kubectl", "annotate", "--local", "-f", "-", *_KEPT, "-o", "yaml")
        pipelines.append(Pipeline((create, keep), into=f"{folder}/namespace.yaml"))
    return Command(tuple(pipelines))


# With a namespace goes all that is in it, also what others put there.
_KEPT = ("kustomize.toolkit.fluxcd.io/prune=disabled", "argocd.argoproj.io/sync-options=Prune=false")


def _by_hand(plan: Plan) -> Iterator[str]:
    """The commands that make Secrets, each with the part that must be there before."""
    topology = plan.topology
    external = topology.external_cluster
    restart = ("rollout", "restart", f"deployment/{topology.names.istiod}", "-n", topology.namespace)
    yield _SECRETS.format(restart=fenced(piped(kubectl(context_of(external), *restart))))
    names = {part.base: part.name for part in _parts(plan)}
    before = ""
    for step in plan.kustomize().relocated:
        if step.path is None:
            yield f"\nAfter {code(before)}:\n\n{fenced(step.command)}"
        else:
            before = names.get(dirname(step.path), before)


_RENDER = """
## To render in a pipeline

Neither Argo CD nor Flux can apply an IstioOperator. A step of the pipeline, with istioctl {release}, renders each one
and commits the result, at the top of the repository. Stop at the first command that fails, and commit nothing then:
what is missing here, the tool removes from the cluster.
"""

_SECRETS = """
## To run by hand, or by what keeps your secrets

The Secrets by which istiod reaches the clusters hold tokens and belong in no repository. Each can be made as soon as
what is named before it has been applied. istiod reads that of the config cluster when it starts; where it started
before, start it again:

{restart}"""


def _entry(path: str, document: Mapping[str, Any]) -> Entry:
    return Entry(path, (yaml.dump(document).encode(),))
