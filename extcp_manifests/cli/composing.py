"""Commands about what Istio makes of configuration: merging, composing, patching, validating."""

import sys
from collections.abc import Iterable, Iterator

import click
from pydantic import ValidationError

from extcp_manifests import yaml
from extcp_manifests.cli.folders import read_all
from extcp_manifests.cli.shared import json_text, print_changes, print_table, text
from extcp_manifests.compose import compose_plain
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.inputs import problems_of
from extcp_manifests.istio_operator import IstioOperator
from extcp_manifests.mesh import MeshConfigMerge, merge_mesh_config
from extcp_manifests.patch import apply_overlays, to_json6902
from extcp_manifests.preview import preview
from extcp_manifests.release import RELEASES
from extcp_manifests.reports import REPORTS
from extcp_manifests.text import visible
from extcp_manifests.told_release import told_of
from extcp_manifests.validation import validate_texts

TOLD_OR_NEWEST = click.option(
    "--release", metavar="R", help="Istio minor; without it what the documents tell, or else the newest."
)


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("merge-mesh")
@click.option("--shared", metavar="FILE", required=True, help="The config cluster's mesh config, or its ConfigMap.")
@click.option("--local", metavar="FILE", required=True, help="The mesh config of istiod's own file, or its ConfigMap.")
@TOLD_OR_NEWEST
@click.option("--defaults", is_flag=True, help="Show Istio's defaults too.")
@click.option("--emulate", is_flag=True, help="Do as a running istiod does with a source that it cannot decode.")
@click.option("--explain", is_flag=True, help="Show a table instead: each value, who set it, and what it beats.")
def merge_mesh(shared: str, local: str, release: str | None, defaults: bool, emulate: bool, explain: bool) -> None:
    """Print the mesh config that istiod runs with, of two sources of which the local one takes precedence."""
    sources = text(shared), text(local)
    merged = merge_mesh_config(
        shared=sources[0], local=sources[1], release=_release(release, sources), defaults=defaults, emulate=emulate
    )
    if explain:
        print_table(("PATH", "VALUE", "SET BY", "BEATS"), _explained(merged))
    else:
        click.echo(yaml.dump(merged.config), nl=False)
    for ignored in merged.ignored:
        click.echo(f"{ignored.source}.{ignored.path}: {ignored.message}", err=True)
    for warning in merged.warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in (*merged.broken, *merged.problems):
        click.echo(problem, err=True)
    sys.exit(1 if merged.broken or merged.problems else 0)


@commands.command("patch")
@click.option("--overlays", metavar="FILE", required=True, help="The IstioOperator whose overlays to apply.")
@click.option("--component", default="pilot", show_default=True, help="A key of components, or a gateway's name.")
@click.option("--namespace", help="The component's namespace; up to 1.23 objects elsewhere are not found.")
@TOLD_OR_NEWEST
@click.option("--json6902", is_flag=True, help="Print the same change as patches of a kustomization.")
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
    operators = text(overlays)
    texts = [text(file) for file in objects]
    operator = _operator(overlays, operators)
    rendered = [each for read in texts for each in yaml.load_all(read) if each]
    istio = _release(release, (operators, *texts))
    if json6902:
        patches = to_json6902(operator, rendered, release=istio, component=component, namespace=namespace)
        click.echo(yaml.dump({"patches": patches}), nl=False)
        return
    applied = apply_overlays(rendered, operator, release=istio, component=component, namespace=namespace)
    if show_diff:
        from extcp_manifests.difference import compare_documents

        print_changes(compare_documents(rendered, applied.objects))
    else:
        click.echo(yaml.dump_all(applied.objects), nl=False)
    for problem in applied.problems:
        click.echo(problem, err=True)
    sys.exit(1 if applied.problems else 0)


@commands.command("compose")
@click.option("-f", "files", metavar="FILE", multiple=True, required=True, help="An IstioOperator; later ones win.")
@click.option("--set", "flags", metavar="PATH=VALUE", multiple=True, help="A value as for istioctl; flags beat files.")
@click.option("--preview", "show_preview", is_flag=True, help="Go on over the profile, to the values of the charts.")
@TOLD_OR_NEWEST
def compose_files(files: tuple[str, ...], flags: tuple[str, ...], show_preview: bool, release: str | None) -> None:
    """Print what files and --set flags come to, as istioctl merges them, before it lays them over a profile.

    With --preview the components and the values that the charts get, and who set each.
    """
    texts = [text(file) for file in files]
    istio = _release(release, texts)
    if not show_preview:
        click.echo(yaml.dump(compose_plain(*texts, set=flags, release=istio)), nl=False)
        return
    shown = preview(*texts, set=flags, release=istio)
    rows = ((each.name, "on" if each.enabled else "off", each.namespace) for each in shown.components)
    print_table(("COMPONENT", "IS", "IN"), rows)
    click.echo()
    print_table(
        ("VALUE", "IS", "SET BY"), ((path, json_text(value), origin) for path, value, origin in shown.origins())
    )


@commands.command("validate")
@click.option("--release", metavar="R", help="Istio minor; without it what the documents tell, or else the newest.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Make the exit code 1 where a document was skipped.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR...")
def validate_files(release: str | None, form: str, strict: bool, files: tuple[str, ...]) -> None:
    """Validate IstioOperators, Gateways, VirtualServices, DestinationRules, mesh ConfigMaps and topologies.

    Of folders all YAML and JSON files are read, of lists the items. Documents of other kinds are skipped; the last line
    of standard error says how many, and by which release's rules the others were checked. The exit code is 1 where
    there are errors.
    """
    report = validate_texts(read_all(files), release=release)
    click.echo(REPORTS[form](report.results), nl=False)
    click.echo(visible(report.summary), err=True)
    is_wrong = any(result.level == "error" for result in report.results)
    sys.exit(1 if is_wrong or (strict and report.skipped) else 0)


def _release(asked: str | None, texts: Iterable[bytes]) -> str:
    """Return the release whose rules to use; without one that is asked for, standard error says which and why."""
    if asked is not None:
        return asked
    told = told_of(texts)
    if len(told) > 1:
        parts = ", ".join(f"{each.release} ({each.path})" for each in told)
        raise InvalidInput([Problem("", f"the documents tell different releases, {parts}: choose one with --release")])
    newest = list(RELEASES)[-1]
    reason = f"told by {told[0].path}" if told else "the newest, since no document tells one: use --release for another"
    release = told[0].release if told else newest
    click.echo(visible(f"By the rules of Istio {release}, {reason}"), err=True)
    return release


def _operator(file: str, content: bytes) -> IstioOperator:
    try:
        return IstioOperator.model_validate(yaml.load(content))
    except ValidationError as error:
        raise InvalidInput(problems_of(error, IstioOperator, from_file=True, start=file)) from None


def _explained(merged: MeshConfigMerge) -> Iterator[tuple[str, str, str, str]]:
    beaten = {each.path: each for each in merged.overridden}
    for path, value, source in merged.origins():
        beats = beaten.pop(path, None)
        yield path, json_text(value), source, "" if beats is None else json_text(beats.shared)
    for path, each in beaten.items():
        yield path, json_text(each.local), "local", json_text(each.shared)
