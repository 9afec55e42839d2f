"""Every command of every plan: what it makes, what its undo removes, and what a shell makes of its text."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cluster_model import Clusters, Key
from goldens import TOPOLOGIES

from extcp_manifests import InvalidInput, Plan, load, load_credentials, plan, yaml
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.pipelines.argocd import argocd
from extcp_manifests.pipelines.flux import flux
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.planning.step import Command

ROOT = Path(__file__).parents[2]


@cache
def plans_of(name: str) -> Mapping[str, Plan]:
    """Return the plans of a golden topology, by the releases for which it can be planned."""
    source = TOPOLOGIES[name]
    credentials = source.with_suffix(".credentials.yaml")
    plans: dict[str, Plan] = {}
    for release in RELEASES:
        try:
            topology = load(source, release=release)
        except InvalidInput:
            continue
        given = load_credentials(credentials) if credentials.exists() else None
        plans[release] = plan(topology, credentials=given)
    return plans


def commands(the_plan: Plan) -> Iterator[Command]:
    for step in the_plan.steps:
        yield step.command
        yield from (check.command for check in step.verify)
        yield from step.undo


@cache
def set_up_by(name: str, release: str) -> Clusters:
    """Return the clusters after all steps of a plan, to be copied where objects are removed."""
    return set_up(plans_of(name)[release])


def set_up(the_plan: Plan, *, omit_manage_webhooks: bool = False) -> Clusters:
    """Return the clusters after all steps."""
    clusters = Clusters(the_plan, omit_manage_webhooks)
    for number, step in enumerate(the_plan.steps):
        assert clusters.run(step.command, number) == set()
    return clusters


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_way_back_removes_what_its_step_made(name: str) -> None:
    """After all steps, each undo by itself removes only objects of its own step; a namespace also what is in it."""
    for release, the_plan in plans_of(name).items():
        full = set_up_by(name, release)
        for number, step in enumerate(the_plan.steps):
            clusters = full.copy()
            for command in step.undo:
                for where, removed in clusters.run(command, number):
                    in_namespace = (where, ("", f"namespace/{removed[0]}"))
                    own_namespace = full.objects[where].get(in_namespace[1])
                    goes_with_it = own_namespace is not None and own_namespace.step == number
                    assert full.objects[where][removed].step == number or goes_with_it, (release, step.path, removed)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_the_clean_up_leaves_what_the_runbook_says(name: str) -> None:
    """In reverse order each undo removes only the objects of its own step, and at the end only CRDs are left.

    Those of the Sail Operator come and go with it.
    """
    for release, the_plan in plans_of(name).items():
        clusters = set_up_by(name, release).copy()
        made = set_up_by(name, release).objects
        steps = list(enumerate(the_plan.steps))
        for number, step in reversed(steps):
            for command in step.undo:
                for where, removed in clusters.run(command, number):
                    assert made[where][removed].step == number, (release, step.path, removed)
        left = {name for cluster in clusters.objects.values() for _, name in cluster}
        assert left == (set() if the_plan.topology.install == "sail" else {"customresourcedefinition/all"}), release


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_webhooks_of_remote_clusters_stay_on(name: str) -> None:
    """No step switches off the webhooks by which a remote cluster's pods are injected, or makes a tag there."""
    for release, the_plan in plans_of(name).items():
        access = the_plan.resolved.external.access
        external = f"{access.kubeconfig or ''}{access.context}"
        for where, cluster in set_up_by(name, release).objects.items():
            if where != external:
                assert not any(made.switched_off for made in cluster.values()), release
                assert not any("revision-tag" in name for _, name in cluster), release


def test_the_model_knows_the_fault_that_was_seen() -> None:
    """Without operatorManageWebhooks, removing a gateway would end injection in the whole config cluster."""
    the_plan = plans_of("guide")["1.30"]
    clusters = set_up(the_plan, omit_manage_webhooks=True)
    config = clusters.objects["ctx-cluster1"]
    injector: Key = ("", "mutatingwebhookconfiguration/istio-sidecar-injector-external-istiod")
    tag: Key = ("", "mutatingwebhookconfiguration/istio-revision-tag-default-external-istiod")
    assert config[injector].switched_off
    assert tag in config
    [step] = [step for step in the_plan.steps if step.path == "cluster1/istio-egressgateway.yaml"]
    assert ("ctx-cluster1", tag) in clusters.run(step.undo[0], 99)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_nothing_feeds_istioctl(name: str) -> None:
    """No program's output is piped into istioctl, which reads an empty file as its whole default profile."""
    for the_plan in plans_of(name).values():
        trees = [the_plan.kustomize(), the_plan.kustomize(overlays=["prod"])]
        every = [
            *commands(the_plan),
            *(each for tree in trees for step in tree.runbook_steps for each in (step.command, *step.undo)),
        ]
        for command in every:
            for pipeline in command.pipelines:
                assert not any(program[0] == "istioctl" for program in pipeline.programs[1:]), command
                # kubectl would act on what istioctl wrote before it failed; a Secret is written at once or not at all.
                if len(pipeline.programs) > 1:
                    assert pipeline.programs[0][:2] != ("istioctl", "manifest"), command
            assert not any("--purge" in program for program in command.programs), command


def test_nothing_feeds_istioctl_in_any_text() -> None:
    """No runbook, notes, README or help text pipes into istioctl, or has it read standard input."""
    the_plan = plans_of("guide")["1.30"]
    repository = Repository(url="https://git.example.com/x")
    entries = [
        *argocd(the_plan, repository),
        *flux(the_plan, repository),
        *the_plan.kustomize(overlays=["p"]).entries(),
    ]
    texts = [b"".join(entry.pieces).decode() for entry in entries if entry.path.endswith(".md")]
    texts += [path.read_text("utf-8") for path in (ROOT / "extcp_manifests").rglob("*.py")]
    texts += [(ROOT / "README.md").read_text("utf-8"), the_plan.runbook()]
    for text in texts:
        assert not re.search(r"\|\s*istioctl\s+(install|manifest|uninstall|upgrade)", text)
        assert not re.search(r"istioctl (install|manifest generate|uninstall)[^\n]* -f -(\s|$)", text)


# Programs that write their words down instead of doing anything, each after the one whose output it reads.
STUBS = "".join(
    f"{name}() {{ cat > /dev/null; printf '%s\\0' {name} \"$@\" >&3; printf '\\n\\0' >&3; }}\n"
    for name in ("kubectl", "istioctl", "helm", "grep")
)


def pasted(texts: Sequence[str], folder: Path) -> list[list[tuple[str, ...]]]:
    """Return the programs that a shell calls for each text that is pasted into it, word by word."""
    calls = folder / "calls"
    end_of_text = "printf '%s\\n\\n\\0' $? >&3\n"
    pastes = "".join(f"{text}\n{end_of_text}" for text in texts)
    script = f"exec 3> {shlex.quote(str(calls))} < /dev/null\n{STUBS}{pastes}"
    subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=folder)
    found: list[list[tuple[str, ...]]] = [[]]
    words: list[str] = []
    for word in calls.read_bytes().decode().split("\0")[:-1]:
        if word == "\n":
            found[-1].append(tuple(words))
            words = []
        elif word.endswith("\n\n"):
            assert (words, word) == ([], "0\n\n"), "every text ends well"
            found.append([])
        else:
            words.append(word)
    return found[:-1]


@pytest.mark.parametrize(("name", "release"), [("hostile", "1.31"), ("guide", "1.20"), ("ip", "1.31")])
def test_commands_can_be_pasted(name: str, release: str, tmp_path: Path) -> None:
    """For a command's text a shell calls exactly the command's programs with their words, whatever is in names."""
    every = list(commands(plans_of(name)[release]))
    for command in every:
        for pipeline in command.pipelines:
            (tmp_path / (pipeline.into or "")).parent.mkdir(parents=True, exist_ok=True)
    called = pasted([str(command) for command in every], tmp_path)
    for programs, command in zip(called, every, strict=True):
        assert programs == list(command.programs)


# Every place of images and charts that may be named; images without a registry are on Docker Hub.
PLACES = {"docker.io/curlimages", "docker.io/istio", "https://blob.istio.io/istio-release/charts"}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_no_registry_that_ends(name: str) -> None:
    """No document and no command names a registry or a chart repository that Istio is giving up."""
    for release, the_plan in plans_of(name).items():
        found = {place for _, content in the_plan.files() for place in places_in(content)}
        for command in commands(the_plan):
            for program in command.programs:
                found |= {word.removeprefix("--repo=") for word in program if word.startswith("--repo=")}
                found |= {word.removeprefix("--image=") for word in program if word.startswith("--image=")}
        assert found <= PLACES | {"curlimages", "none", the_plan.topology.hub}, release


@cache
def places_in(content: bytes) -> frozenset[str]:
    """Return the registries in a file, which is often the same in many releases."""
    return frozenset(places(yaml.load_all(content)))


def places(node: Any) -> Iterator[str]:
    """Yield the registries of all images and hubs below a node."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "hub":
                yield str(value)
            elif key == "image" and isinstance(value, str):
                yield value.rpartition("/")[0]
            else:
                yield from places(value)
    elif isinstance(node, list):
        for each in node:
            yield from places(each)


def test_no_file_names_a_registry_that_ends() -> None:
    """Code, docs and examples name no such registry either, except where they say that it ends."""
    folders = [ROOT / "extcp_manifests", ROOT / "examples"]
    files = [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in (*files, ROOT / "README.md"):
        before, _, after = path.read_text("utf-8").partition("\n_ENDING = {\n")  # the table of what to write instead
        for line in (before + after.partition("\n}\n")[2]).splitlines():
            for ending in ("storage.googleapis.com", "gcr.io/istio-release", "registry.istio.io/release"):
                assert ending not in line, path
