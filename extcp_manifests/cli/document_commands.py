"""Commands about what Istio makes of configuration: merging, composing, patching, validating."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from extcp_manifests import yaml
from extcp_manifests.cli.shared import (
    RELEASE_OF_RULES,
    explained,
    json_text,
    name_of,
    print_differences,
    print_line,
    print_table,
    text,
)
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.errors import InvalidInput, Path, Problem
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.mesh.sources import Source
from extcp_manifests.istio.operator.compose import Composition, compose_files
from extcp_manifests.istio.operator.overlays import apply_overlays, to_json6902
from extcp_manifests.istio.operator.preview import Preview, preview
from extcp_manifests.istio.release_of_documents import releases_named_by
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.records import Record


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("merge-mesh")
@click.option("--shared", metavar="FILE", required=True, help="The config cluster's mesh config.")
@click.option("--local", metavar="FILE", required=True, help="The mesh config of istiod's own file.")
@RELEASE_OF_RULES
@click.option("--defaults", is_flag=True, help="Show Istio's defaults too.")
@click.option("--emulate", is_flag=True, help="Treat a source that cannot be decoded as a running istiod does.")
@click.option("--explain", is_flag=True, help="Show a table instead: each value, who set it, and what it overrides.")
def merge_mesh(shared: str, local: str, release: str | None, defaults: bool, emulate: bool, explain: bool) -> None:
    """Print the mesh config that istiod runs with, merged from two sources; the local one takes precedence.

    A FILE is a mesh config, or a document with one: a ConfigMap, an IstioOperator, or an Istio of the Sail operator.
    """
    names: dict[Source, str] = {"shared": name_of(shared), "local": name_of(local)}
    sources = text(shared), text(local)
    merged = merge_mesh_config(
        shared=sources[0],
        local=sources[1],
        release=_release(release, sources),
        defaults=defaults,
        emulate=emulate,
        names=names,
    )
    if explain:
        print_table(("PATH", "VALUE", "SET BY", "BEATS"), explained(merged))
    else:
        click.echo(yaml.dump(merged.config), nl=False)
    for ignored in merged.ignored:
        print_line(Problem(ignored.place, ignored.message, names[ignored.source], ignored.line), err=True)
    for dropped in merged.dropped:
        print_line(dropped, err=True)
    for warning in merged.warnings:
        print_line(f"warning: {merged.located(warning)}", err=True)
    for problem in (*merged.broken, *map(merged.located, merged.problems)):
        print_line(problem, err=True)
    sys.exit(1 if merged.broken or merged.problems else 0)


@commands.command("patch")
@click.option("--overlays", metavar="FILE", required=True, help="The IstioOperator whose overlays to apply.")
@click.option("--component", default="pilot", show_default=True, help="A key of components, or a gateway's name.")
@click.option("--namespace", help="The component's namespace; up to 1.23 only objects in it are found.")
@RELEASE_OF_RULES
@click.option("--json6902", is_flag=True, help="Print the changes as patches for a kustomization.")
@click.option("--diff", "show_diff", is_flag=True, help="Print what changes, by object and path.")
@click.argument("objects", nargs=-1, required=True)
def patch_objects(
    overlays: str,
    component: str,
    namespace: str | None,
    release: str | None,
    json6902: bool,
    show_diff: bool,
    objects: tuple[str, ...],
) -> None:
    """Print rendered manifests with the overlays of an IstioOperator applied, as istioctl would."""
    content = text(overlays)
    texts = {name_of(file): text(file) for file in objects}
    operator = _operator(content, name_of(overlays))
    rendered = _objects(texts)
    istio = _release(release, (content, *texts.values()))
    in_file = _OverlaysFile(name_of(overlays), content, operator, component)
    if json6902:
        try:
            patches = to_json6902(operator, rendered, release=istio, component=component, namespace=namespace)
        except InvalidInput as error:
            raise InvalidInput(map(in_file.located, error.problems)) from None
        click.echo(yaml.dump({"patches": patches}), nl=False)
        return
    try:
        applied = apply_overlays(rendered, operator, release=istio, component=component, namespace=namespace)
    except InvalidInput as error:
        raise InvalidInput(map(in_file.located, error.problems)) from None
    if show_diff:
        from extcp_manifests.documents.compare import compare_documents

        print_differences(compare_documents(rendered, applied.objects))
    else:
        click.echo(yaml.dump_all(applied.objects), nl=False)
    for problem in applied.problems:
        print_line(in_file.located(problem), err=True)
    sys.exit(1 if applied.problems else 0)


def _operator(content: bytes, name: str) -> IstioOperator:
    try:
        data = yaml.load(content)
    except InvalidInput as error:
        raise InvalidInput(each.with_(file=name) for each in error.problems) from None
    try:
        return IstioOperator.from_plain(data)
    except InvalidInput as error:
        lines = yaml.Lines(content)
        raise InvalidInput(each.with_(file=name, line=lines.line(each.place)) for each in error.problems) from None


def _objects(texts: Mapping[str, bytes]) -> list[Mapping[str, Any]]:
    """Return every document of rendered manifests. Raises InvalidInput with the problems of all files."""
    rendered: list[Mapping[str, Any]] = []
    problems: list[Problem] = []
    for name, content in texts.items():
        try:
            documents = yaml.load_all(content)
        except InvalidInput as error:
            problems += [each.with_(file=name) for each in error.problems]
            continue
        for number, document in enumerate(documents, start=1):
            if isinstance(document, Mapping):
                if document:
                    rendered.append(document)
            elif document is not None:
                problem = f"document {number} is not a mapping, so it is not a manifest: leave it out"
                problems.append(Problem((), problem, name))
    if problems:
        raise InvalidInput(problems)
    return rendered


class _OverlaysFile(Record):
    """The file whose overlays are applied."""

    name: str
    content: bytes
    operator: IstioOperator
    component: str

    def located(self, problem: Problem) -> Problem:
        """Return a problem of a patch with the file, the line and the whole path."""
        if problem.place[:1] != ("overlays",):
            return problem.with_(file=self.name)
        placed = problem.under("spec", "components", *self._key, "k8s")
        return placed.with_(file=self.name, line=yaml.Lines(self.content).line(placed.place))

    @property
    def _key(self) -> Path:
        """The component below `components`, of which gateways go by their names."""
        components = self.operator.spec.components
        lists = {
            "egressGateways": (components and components.egressGateways) or (),
            "ingressGateways": (components and components.ingressGateways) or (),
        }
        for key, gateways in lists.items():
            for index, gateway in enumerate(gateways):
                if gateway.name == self.component:
                    return (key, index)
        return (self.component,)


@commands.command("compose")
@click.option("-f", "files", metavar="FILE", multiple=True, required=True, help="An IstioOperator; later ones win.")
@click.option("--set", "flags", metavar="PATH=VALUE", multiple=True, help="A value, as for istioctl; flags beat files.")
@click.option(
    "--preview",
    "show_preview",
    is_flag=True,
    help="Merge the profile too; show what the charts get.",
)
@click.option("--explain", is_flag=True, help="Show a table instead: each value, and who set it.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a file or flag drops what an earlier one set.")
@RELEASE_OF_RULES
def compose_and_print(
    files: tuple[str, ...],
    flags: tuple[str, ...],
    show_preview: bool,
    explain: bool,
    strict: bool,
    release: str | None,
) -> None:
    """Print the IstioOperator that istioctl makes of files and --set flags, before it merges it with a profile.

    What a later file drops by replacing a list or a mapping is reported on standard error. With --preview, print the
    components and the values that the charts get, and who set each.
    """
    if show_preview and explain:
        raise click.UsageError("--preview shows who set each value anyway: leave --explain out.")
    texts = [text(file) for file in files]
    istio = _release(release, texts)
    names = [name_of(file) for file in files]
    if show_preview:
        shown = preview(*texts, names=names, set=flags, release=istio)
        _print_preview(shown, flags)
        dropped = shown.dropped
    else:
        composition = compose_files(*texts, names=names, set=flags, release=istio)
        _print_composition(composition, flags, explain)
        dropped = composition.dropped
    for each in dropped:
        by, of = _shown_origin(each.by, flags), tuple(_shown_origin(origin, flags) for origin in each.of)
        print_line(each.with_(by=by, of=of), err=True)
    sys.exit(1 if strict and dropped else 0)


def _print_composition(composition: Composition, flags: tuple[str, ...], explain: bool) -> None:
    if not explain:
        click.echo(yaml.dump(composition.plain), nl=False)
        return
    rows = ((path, json_text(value), _shown_origin(origin, flags)) for path, value, origin in composition.origins())
    print_table(("PATH", "VALUE", "SET BY"), rows)


def _print_preview(shown: Preview, flags: tuple[str, ...]) -> None:
    rows = ((each.name, "on" if each.enabled else "off", each.namespace) for each in shown.components)
    print_table(("COMPONENT", "IS", "IN"), rows)
    click.echo()
    values = ((path, json_text(value), _shown_origin(origin, flags)) for path, value, origin in shown.origins())
    print_table(("VALUE", "IS", "SET BY"), values)


def _shown_origin(origin: str, flags: tuple[str, ...]) -> str:
    """Return what set a value as it is on the command line: a flag with `--set`, a file or a profile by its name."""
    for index, flag in enumerate(flags):
        if origin == f"set[{index}]":
            return f"--set {flag}"
    return origin


def _release(asked: str | None, texts: Iterable[bytes]) -> str:
    """Return the release whose rules to use; without one that is asked for, standard error says which and why."""
    if asked is not None:
        return asked
    named = releases_named_by(texts)
    if len(named) > 1:
        parts = ", ".join(f"{each.release} ({each.path})" for each in named)
        raise InvalidInput([Problem((), f"the documents name different releases, {parts}: choose one with --release")])
    newest = list(RELEASES)[-1]
    reason = "the newest, since no document names one: use --release for another"
    if named:
        reason = f"named by {named[0].path}"
    release = named[0].release if named else newest
    print_line(f"By the rules of Istio {release}, {reason}", err=True)
    return release
