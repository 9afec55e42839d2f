"""NOTES.md: what GitOps cannot apply."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from extcp_manifests.pipelines.parts import Part, Parts, PartStep, Repository
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.runbook import code, fenced, markdown
from extcp_manifests.planning.stages import StageRun, runs_of
from extcp_manifests.planning.step import Command, Pipeline, piped
from extcp_manifests.planning.templates import Templates, Texts
from extcp_manifests.planning.tools.istioctl import BUILT
from extcp_manifests.planning.tools.kubectl import build, kubectl
from extcp_manifests.topology.parts import method_of_gateways

NOTES = "NOTES.md"
"""The name of their file."""

REPOSITORY = "at the top of the repository"
"""Where their commands are run."""


def notes(plan: Plan, repository: Repository, about: str) -> Iterator[str]:
    """Yield the notes, piece by piece; `about` says how the tool applies what is beside them."""
    name = markdown(plan.topology.name or plan.topology.mesh_id)
    yield f"# {name}: what GitOps applies, and what a pipeline must do\n\n{about}"
    if _has_operators(plan):
        yield _RENDER.format(release=plan.topology.release)
    parts = Parts(plan)
    yield from _filled(plan, parts, lambda run: _renderings(plan, parts.of(run), repository))
    resolved = plan.resolved
    if resolved.gateway_alone:
        return
    restart = ("rollout", "restart", f"deployment/{resolved.names.istiod}", "-n", plan.topology.namespace)
    text = _SECRETS if plan.topology.secret_store is None else _SECRETS_OF_STORE
    yield text.format(restart=fenced(piped(kubectl(resolved.external.access, *restart))))
    yield from _filled(plan, parts, lambda run: _by_hand(parts.steps_of(run)))


def _has_operators(plan: Plan) -> bool:
    """Return whether istioctl installs anything, whose IstioOperators must be rendered."""
    topology = plan.topology
    by_istioctl = (method_of_gateways(topology, cluster) == "istioctl" for cluster in topology.mesh_clusters)
    return topology.install == "istioctl" or any(by_istioctl)


def _filled(plan: Plan, parts: Parts, texts_of: Callable[[StageRun], Iterable[str]]) -> Iterator[str]:
    """Yield the texts of every stage in each cluster."""

    def texts(run: StageRun) -> Sequence[Texts]:
        return [(text.encode(),) for text in texts_of(run)]

    templates = Templates(texts, longest_name=parts.longest_name, of_one_stage=False)
    for run in runs_of(plan.resolved):
        for (text,) in templates.texts(run):
            yield text.decode()


def _renderings(plan: Plan, parts: Iterable[Part], repository: Repository) -> Iterator[str]:
    for part in parts:
        if part.base.kind == "install":
            yield f"\n{fenced(_rendering(plan, part, repository))}"


def _rendering(plan: Plan, part: Part, repository: Repository) -> Command:
    """Return the command that builds a base and has istioctl render it into the part's folder, whole or not at all."""
    base, folder = repository.folder(part.base.path), repository.folder(part.folder)
    built, manifest = f"{base}/{BUILT}", f"{folder}/manifest.yaml"
    render = ("istioctl", "manifest", "generate", "-f", built)
    pipelines = [
        build(base, built),
        Pipeline((("mkdir", "-p", folder),)),
        Pipeline((render,), into=f"{manifest}.new"),
        Pipeline((("mv", f"{manifest}.new", manifest),)),
    ]
    if part.step.part == "shared gateway":
        # `istioctl install` makes the namespace, which is not among what istioctl renders.
        create = ("kubectl", "create", "namespace", plan.topology.gateway.namespace, "--dry-run=client", "-o", "yaml")
        keep = ("kubectl", "annotate", "--local", "-f", "-", *_KEPT, "-o", "yaml")
        pipelines.append(Pipeline((create, keep), into=f"{folder}/namespace.yaml"))
    return Command(tuple(pipelines))


# Removing a namespace removes all that is in it, also what others put there.
_KEPT = ("kustomize.toolkit.fluxcd.io/prune=disabled", "argocd.argoproj.io/sync-options=Prune=false")


def _by_hand(steps: Iterable[PartStep]) -> Iterator[str]:
    """Yield the commands of a stage that make Secrets, each with the part that must be applied before it."""
    before = ""
    for each in steps:
        if each.part is not None:
            before = each.part.name
        elif each.step.path is None:  # the only steps without a file are those that make Secrets
            yield f"\nAfter {code(before)}:\n\n{fenced(each.step.command)}"


_RENDER = """
## To render in a pipeline

Neither Argo CD nor Flux can apply an IstioOperator. A step of the pipeline, with istioctl {release}, renders each one
and commits the result, at the top of the repository. Stop at the first command that fails, and commit nothing then:
what is missing here, the tool removes from the cluster.
"""


_SECRETS_OF_STORE = """
## To run by hand

The Secrets by which istiod reaches the clusters are made by the External Secrets Operator. istiod reads that of the
config cluster when it starts; where it started before, start it again:

{restart}
What these print holds tokens: put the text below `stringData` into the store, and nowhere else.
"""


_SECRETS = """
## To run by hand, or by what keeps your secrets

The Secrets by which istiod reaches the clusters hold tokens and belong in no repository. Each can be made as soon as
what is named before it has been applied. istiod reads that of the config cluster when it starts; where it started
before, start it again:

{restart}"""
