"""A model of clusters: which objects the commands of a plan make and delete, who made each, and whose mark it has.

A command of istioctl makes what tests/planning/cases/rendered.yaml says, and what the functions below add, each with
its source. A program that is not known here is an error: a new command needs its lines here first.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extcp_manifests import Plan, yaml
from extcp_manifests.builders.address import Hostname
from extcp_manifests.builders.overrides import WithOverrides
from extcp_manifests.istio.releases import ReleaseRange, since, until
from extcp_manifests.planning.step import Argv, Command, Step

RENDERED = yaml.load((Path(__file__).parent / "planning/cases/rendered.yaml").read_bytes())
PARTS = {
    "ControlPlaneGateway": "shared gateway",
    "ExternalIstiod": "external istiod",
    "ConfigCluster": "config cluster",
    "RemoteCluster": "remote cluster",
    "IngressGateway": "ingress gateway",
    "EgressGateway": "egress gateway",
    "EastWestGateway": "east-west gateway",
    "CNI": "cni",
}
CLUSTER_WIDE = {
    "clusterrole",
    "clusterrolebinding",
    "customresourcedefinition",
    "istio",
    "istiocni",
    "mutatingwebhookconfiguration",
    "namespace",
    "validatingwebhookconfiguration",
}
# What istioctl counts to the base, and never uninstalls (istio 1.24.6: operator/pkg/uninstall/prune.go).
BASE = {"customresourcedefinition/all", "serviceaccount/istio-reader-service-account"}

# What has the same name in every revision.
UNREVISED = {*BASE, "validatingwebhookconfiguration/istiod-default-validator"}

Key = tuple[str, str]
"""Namespace, empty for what is cluster-wide, and `kind/name`."""


@dataclass
class Made:
    """An object in a cluster."""

    step: int
    """The number of the step that made it."""
    owner: str | None = None
    """The name of the IstioOperator by which `istioctl uninstall -f` finds it."""
    switched_off: bool = False


@dataclass
class Clusters:
    """The clusters of a plan."""

    plan: Plan
    omit_manage_webhooks: bool = False
    """Act as if no IstioOperator of a gateway said operatorManageWebhooks."""
    objects: dict[str, dict[Key, Made]] = field(default_factory=dict)
    """The objects of each context."""
    rendered: dict[str, list[Key]] = field(default_factory=dict)
    """What istioctl rendered into each file."""
    files: Mapping[str, Step] = field(init=False)
    """The steps that have a file, by its path."""

    def __post_init__(self) -> None:
        self.files = {step.path: step for step in self.plan.steps if step.path is not None}

    def copy(self) -> "Clusters":
        """Return a copy, from which objects can be removed without a change to these clusters."""
        other = copy(self)  # not `replace`, which would go through the whole plan again
        other.objects = {where: dict(objects) for where, objects in self.objects.items()}
        return other

    def run(self, command: Command, number: int) -> set[tuple[str, Key]]:
        """Run the command of a step, and return what it removed, with the contexts."""
        removed: set[tuple[str, Key]] = set()
        for pipeline in command.pipelines:
            if pipeline.into is None:
                removed |= self._pipeline(pipeline.programs, number)
            else:
                [render] = pipeline.programs
                assert render[:3] == ("istioctl", "manifest", "generate")
                self.rendered[pipeline.into] = list(self._rendered(self.files[option(render, "-f")]))
        return removed

    def _pipeline(self, programs: tuple[Argv, ...], number: int) -> set[tuple[str, Key]]:
        for program in programs[1:]:
            assert program[0] != "istioctl", "an empty pipe would mean a whole Istio"
        first = programs[0]
        match first[:2]:
            case ("istioctl", "install"):
                self._install(context(first), self.files[option(first, "-f")], number)
            case ("istioctl", "uninstall"):
                return self._uninstall(context(first), self.files[option(first, "-f")])
            case ("istioctl", "create-remote-secret"):
                return self._create_secret(first, programs, number)
            case ("helm", "upgrade"):
                self._add(context(first), self._chart(first), number)
                if first[3] in ("istio-base", "istiod-remote"):
                    self._add(context(first), [key("", "customresourcedefinition/all")], number)  # which Helm keeps
            case ("helm", "uninstall"):
                return self._delete(context(first), self._chart(first))
            case ("kubectl", _):
                return self._kubectl(first, number)
            case _:
                raise AssertionError(f"unknown: {first}")
        return set()

    def _of_pipe(self, program: Argv, keys: Iterable[Key], number: int) -> set[tuple[str, Key]]:
        assert program[0] == "kubectl"
        assert option(program, "-f") == "-"
        if "apply" in program:
            self._add(context(program), keys, number)
            return set()
        assert "delete" in program
        return self._delete(context(program), keys)

    def _kubectl(self, program: Argv, number: int) -> set[tuple[str, Key]]:
        if "-f" in program:
            file = option(program, "-f")
            keys = self.rendered[file] if file in self.rendered else list(self._documents(self.files[file]))
            return self._of_pipe((*program[: program.index("-f")], "-f", "-"), keys, number)
        assert "delete" in program
        namespace = option(program, "-n")
        names = [word for word in program if re.fullmatch(r"[a-z]+/.+", word)]
        return self._delete(context(program), (key(namespace, name) for name in names))

    # ----------------------------------------------------------------------------------------------- what there is

    def _documents(self, step: Step) -> Iterator[Key]:
        for document in step.documents:
            plain = document.plain()
            name = f"{plain['kind'].lower()}/{plain['metadata']['name']}"
            yield key(plain["metadata"].get("namespace", ""), name)

    def _rendered(self, step: Step) -> Iterator[Key]:
        """Yield what istioctl renders of a step's file."""
        topology = self.plan.topology
        [builder] = step.builders
        if isinstance(builder, WithOverrides):
            builder = builder.builder
        part = PARTS[type(builder).__name__]
        namespace = topology.gateway.namespace if part == "shared gateway" else topology.namespace
        gateway = {
            "shared gateway": topology.gateway.name,
            "east-west gateway": "istio-eastwestgateway",
            "egress gateway": "istio-egressgateway",
        }.get(part, "istio-ingressgateway")
        for row in RENDERED:
            there = topology.istio in ReleaseRange(row.get("since"), row.get("until"))
            if row["part"] == part and there and not (row.get("address") and isinstance(topology.reached_at, Hostname)):
                name = row["object"]
                if part != "shared gateway" and topology.revision is not None:
                    name = revised(name, topology.revision)
                name = name.replace("NAMESPACE", namespace).replace("GATEWAY", gateway)
                if part == "shared gateway" and namespace != "istio-system":
                    name = name.replace("/istio-sidecar-injector", f"/istio-sidecar-injector-{namespace}")
                    name = name.replace(
                        "configmap/istio-sidecar-injector-" + namespace, "configmap/istio-sidecar-injector"
                    )
                yield key(namespace, name)

    def _chart(self, program: Argv) -> Iterator[Key]:
        """Yield what the chart istio/gateway makes (istio 1.24.6: manifests/charts/gateway/templates).

        Of other charts Helm itself keeps a list, and removes what is on it but for CRDs.
        """
        name = program[program.index("--install") + 1] if "--install" in program else program[2]
        if name in ("istio-base", "istiod", "istiod-remote", "istio-cni"):
            yield key(option(program, "-n"), f"release/{name}")
            return
        for kind in ("deployment", "service", "serviceaccount", "horizontalpodautoscaler", "role", "rolebinding"):
            yield key(option(program, "-n"), f"{kind}/{name}")

    # ------------------------------------------------------------------------------------------------- what happens

    def _install(self, where: str, step: Step, number: int) -> None:
        """istio 1.15.7: operator/cmd/mesh/install.go; 1.30.3: operator/pkg/install, operator/pkg/webhook."""
        release = self.plan.topology.istio
        operator = step.documents[0].plain()
        name = operator["metadata"]["name"]
        namespace = operator["metadata"].get("namespace", "istio-system")
        self._add(where, self._rendered(step), number, owner=f"{namespace}/{name}")
        if release.saves_installed_state:
            revision = operator["spec"].get("revision")
            suffix = f"-{revision}" if revision else ""
            self._add(where, [key(namespace, f"istiooperator/installed-state-{name}{suffix}")], number)
        if not self._manages_webhooks(operator) and self._wants_tag(where, operator):
            self._tag(where, namespace, number, f"{namespace}/{name}")

    def _manages_webhooks(self, operator: Mapping[str, Any]) -> bool:
        values = operator["spec"].get("values", {}).get("global", {})
        is_gateway = operator["metadata"]["name"] in ("ingress-install", "egress-install")
        return bool(values.get("operatorManageWebhooks")) and not (self.omit_manage_webhooks and is_gateway)

    def _wants_tag(self, where: str, operator: Mapping[str, Any]) -> bool:
        """Whether istioctl makes the default tag (istio 1.15.7: as above; 1.24.6, 1.27.9: operator/pkg/webhook)."""
        injectors = [name for _, name in self.objects.get(where, {}) if name.startswith("mutatingwebhook")]
        if self.plan.topology.istio in until("1.23"):
            return not injectors or not operator["spec"].get("profile")
        return not operator["spec"].get("revision") or not any("tag-default" in name for name in injectors)

    def _tag(self, where: str, namespace: str, number: int, owner: str) -> None:
        """Make the default tag, owned by whoever was installed last (istio 1.30.3: istioctl/pkg/tag)."""
        suffix = "" if namespace == "istio-system" else f"-{namespace}"
        for made_key, made in self.objects[where].items():
            if made_key[1].startswith("mutatingwebhookconfiguration/istio-sidecar-injector"):
                made.switched_off = True
        names = [f"mutatingwebhookconfiguration/istio-revision-tag-default{suffix}"]
        names.append("validatingwebhookconfiguration/istiod-default-validator")
        if self.plan.topology.istio in since("1.28"):
            names.append("service/istiod-revision-tag-default")
        for name in names:
            self.objects[where].pop(key(namespace, name), None)
        self._add(where, (key(namespace, name) for name in names), number, owner=owner)

    def _create_secret(self, first: Argv, programs: tuple[Argv, ...], number: int) -> set[tuple[str, Key]]:
        """istio 1.30.3: istioctl/pkg/multicluster/remote_secret.go."""
        namespace = value(first, "--namespace")
        is_config = "--type=config" in first
        account = value(first, "--service-account") if is_config else "istio-reader-service-account"
        name = "istio-kubeconfig" if is_config else f"istio-remote-secret-{value(first, '--name')}"
        self._add(context(first), [key(namespace, f"secret/{account}-istio-remote-secret-token")], number)
        if len(programs) == 1:  # it prints the Secret
            return set()
        assert any("istio/multiCluster-" in program for program in programs) == is_config
        return self._of_pipe(programs[-1], [key(namespace, f"secret/{name}")], number)

    def _uninstall(self, where: str, step: Step) -> set[tuple[str, Key]]:
        """Delete what has the operator's mark, but for the base (istio 1.24.6, as above)."""
        assert self.plan.topology.istio.uninstall_by_owner
        metadata = step.documents[0].plain()["metadata"]
        owner = f"{metadata.get('namespace', 'istio-system')}/{metadata['name']}"
        found = [each for each, made in self.objects[where].items() if made.owner == owner and each[1] not in BASE]
        return self._delete(where, found)

    def _add(self, where: str, keys: Iterable[Key], number: int, owner: str | None = None) -> None:
        cluster = self.objects.setdefault(where, {})
        for each in keys:
            cluster.setdefault(each, Made(number, owner))

    def _delete(self, where: str, keys: Iterable[Key]) -> set[tuple[str, Key]]:
        cluster = self.objects.setdefault(where, {})
        gone = {each for each in keys if each in cluster}
        namespaces = {name.removeprefix("namespace/") for _, name in gone if name.startswith("namespace/")}
        gone |= {each for each in cluster if each[0] in namespaces}
        for each in gone:
            del cluster[each]
        return {(where, each) for each in gone}


def revised(name: str, revision: str) -> str:
    """Return the name of an object of a revision (rendered with istioctl 1.20.8 and the branch release-1.31)."""
    if name in UNREVISED or "GATEWAY" in name:
        return name
    return f"{name.removesuffix('-NAMESPACE')}-{revision}{'-NAMESPACE' if name.endswith('-NAMESPACE') else ''}"


def key(namespace: str, name: str) -> Key:
    """Return the key of an object as kubectl names it."""
    return ("" if name.split("/")[0] in CLUSTER_WIDE else namespace, name)


def option(program: Argv, name: str) -> str:
    """Return the word after an option."""
    return program[program.index(name) + 1]


def value(program: Argv, name: str) -> str:
    """Return the value of an option that is written with `=`."""
    [found] = [word.removeprefix(f"{name}=") for word in program if word.startswith(f"{name}=")]
    return found


def context(program: Argv) -> str:
    """Return the cluster of a call, by its context, and by its kubeconfig where the call names one."""
    [name] = [word.partition("=")[2] for word in program if word.startswith(("--context=", "--kube-context="))]
    kubeconfigs = [word.partition("=")[2] for word in program if word.startswith("--kubeconfig=")]
    return "".join([*kubeconfigs, name])
