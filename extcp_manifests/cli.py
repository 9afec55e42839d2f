"""The command line: every command is one call of the library."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click
from pydantic import ValidationError

from extcp_manifests import injection, yaml
from extcp_manifests.address import parse_address
from extcp_manifests.compose import compose_plain
from extcp_manifests.credentials import load_credentials
from extcp_manifests.errors import ExtcpError, InvalidInput, Problem
from extcp_manifests.exposure import exposure_of
from extcp_manifests.inputs import problems_of
from extcp_manifests.istio_operator import IstioOperator
from extcp_manifests.mesh import MeshConfigMerge, merge_mesh_config
from extcp_manifests.patch import apply_overlays, to_json6902
from extcp_manifests.plan import Plan, plan
from extcp_manifests.preview import preview
from extcp_manifests.release import CHANGES, RELEASES
from extcp_manifests.topology import load, schema
from extcp_manifests.validation import REPORTS, validate_text

_MOST_PATHS = 40


def main() -> None:
    """Run the command line; problems go to standard error, a line each, and the exit code is 1."""
    try:
        cli()
    except InvalidInput as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(1)
    except ExtcpError as error:
        click.echo(error, err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}" if error.filename else str(error), err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="extcp-manifests")
def cli() -> None:
    """Every manifest of an Istio external control plane, from one topology."""


_file = click.argument("file", metavar="FILE")
_release = click.option("--release", metavar="R", help="Istio minor to use instead of the file's, such as 1.24.")
_newest = click.option("--release", metavar="R", default=list(RELEASES)[-1], show_default=True, help="Istio minor.")
_credentials = click.option(
    "--credentials", metavar="FILE", help="Credentials of remote clusters; their Secrets then become files."
)


@cli.command()
@_file
@click.option("-o", "--output", metavar="DIR", help="Folder for the files; without it all go to standard output.")
@_release
@_credentials
def generate(file: str, output: str | None, release: str | None, credentials: str | None) -> None:
    """Write every manifest of the topology in FILE (- is standard input)."""
    if output == "":
        raise click.UsageError("-o is empty: name a folder, or leave it out for standard output.")
    if credentials is not None and output is None:
        raise click.UsageError("--credentials needs -o DIR, where files that hold tokens are readable by you alone.")
    the_plan = _plan(file, release, credentials)
    if output is None:
        _print(_stream(the_plan))
    else:
        _report(output, _write(the_plan, output))


@cli.command("plan")
@_file
@_release
@_credentials
def show_plan(file: str, release: str | None, credentials: str | None) -> None:
    """Print the runbook of the topology in FILE (- is standard input)."""
    _print(line.encode() for line in _plan(file, release, credentials).runbook_lines())


@cli.group()
def inject() -> None:
    """Encode and decode injection paths."""


@inject.command()
@click.option("--cluster", required=True, help="Name of the cluster.")
@click.option("--network", required=True, help="Name of its network.")
@click.option("--address", help="Address of istiod; the setting for a remote cluster is printed then.")
def encode(cluster: str, network: str, address: str | None) -> None:
    """Print the injection path of a cluster, or with --address its injectionURL or injectionPath."""
    if address is None:
        click.echo(injection.encode(cluster=cluster, network=network))
    else:
        parsed = parse_address(address)
        for key, value in exposure_of(parsed).istiod_remote(parsed, cluster, network).plain().items():
            click.echo(f"{key}: {value}")


@inject.command()
@click.argument("path", metavar="PATH|URL")
def decode(path: str) -> None:
    """Print what istiod derives from an injection path, or from an injectionURL."""
    variables = injection.decode_url(path) if path.startswith("https://") else injection.decode(path)
    for name, value in variables.items():
        click.echo(f"{name}={value}")


@cli.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of a topology file."""
    click.echo(json.dumps(schema(), indent=2))


@cli.command()
def releases() -> None:
    """Print what changes by Istio release."""
    changes = {since: list(group) for since, group in groupby(CHANGES, key=lambda change: change.since)}
    for release in RELEASES.values():
        click.echo(f"{release.name}  Kubernetes {release.kubernetes}")
        for change in changes.get(release.name, ()):
            click.echo(f"      - {change.what}")


@cli.command("merge-mesh")
@click.option("--shared", metavar="FILE", required=True, help="The config cluster's mesh config, or its ConfigMap.")
@click.option("--local", metavar="FILE", required=True, help="The mesh config of istiod's own file, or its ConfigMap.")
@_newest
@click.option("--defaults", is_flag=True, help="Show Istio's defaults too.")
@click.option("--emulate", is_flag=True, help="Do as a running istiod does with a source that it cannot decode.")
@click.option("--explain", is_flag=True, help="Show a table instead: each value, who set it, and what it beats.")
def merge_mesh(shared: str, local: str, release: str, defaults: bool, emulate: bool, explain: bool) -> None:
    """Print the mesh config that istiod runs with, of two sources of which the local one takes precedence."""
    merged = merge_mesh_config(
        shared=_text(shared), local=_text(local), release=release, defaults=defaults, emulate=emulate
    )
    if explain:
        _print_table(("PATH", "VALUE", "SET BY", "BEATS"), _explained(merged))
    else:
        click.echo(yaml.dump(merged.config), nl=False)
    for ignored in merged.ignored:
        click.echo(f"{ignored.source}.{ignored.path}: {ignored.message}", err=True)
    for warning in merged.warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in (*merged.broken, *merged.problems):
        click.echo(problem, err=True)
    sys.exit(1 if merged.broken or merged.problems else 0)


@cli.command("patch")
@click.option("--overlays", metavar="FILE", required=True, help="The IstioOperator whose overlays to apply.")
@click.option("--component", default="pilot", show_default=True, help="A key of components, or a gateway's name.")
@click.option("--namespace", help="The component's namespace; up to 1.23 objects elsewhere are not found.")
@_newest
@click.option("--json6902", is_flag=True, help="Print the same change as patches of a kustomization.")
@click.argument("objects", nargs=-1, required=True)
def patch_objects(
    overlays: str, component: str, namespace: str | None, release: str, json6902: bool, objects: tuple[str, ...]
) -> None:
    """Print rendered manifests with the overlays of an IstioOperator applied, as istioctl would."""
    operator = _operator(overlays)
    rendered = [each for file in objects for each in yaml.load_all(_text(file)) if each]
    if json6902:
        patches = to_json6902(operator, rendered, release=release, component=component, namespace=namespace)
        click.echo(yaml.dump({"patches": patches}), nl=False)
        return
    applied = apply_overlays(rendered, operator, release=release, component=component, namespace=namespace)
    click.echo(yaml.dump_all(applied.objects), nl=False)
    for problem in applied.problems:
        click.echo(problem, err=True)
    sys.exit(1 if applied.problems else 0)


@cli.command("compose")
@click.option("-f", "files", metavar="FILE", multiple=True, required=True, help="An IstioOperator; later ones win.")
@click.option("--set", "flags", metavar="PATH=VALUE", multiple=True, help="A value as for istioctl; flags beat files.")
@click.option("--preview", "show_preview", is_flag=True, help="Go on over the profile, to the values of the charts.")
@_newest
def compose_files(files: tuple[str, ...], flags: tuple[str, ...], show_preview: bool, release: str) -> None:
    """Print what files and --set flags come to, as istioctl merges them, before it lays them over a profile.

    With --preview the components and the values that the charts get, and who set each.
    """
    texts = [_text(file) for file in files]
    if not show_preview:
        click.echo(yaml.dump(compose_plain(*texts, set=flags, release=release)), nl=False)
        return
    shown = preview(*texts, set=flags, release=release)
    rows = ((each.name, "on" if each.enabled else "off", each.namespace) for each in shown.components)
    _print_table(("COMPONENT", "IS", "IN"), rows)
    click.echo()
    _print_table(("VALUE", "IS", "SET BY"), ((path, _shown(value), origin) for path, value, origin in shown.origins()))


@cli.command("validate")
@_newest
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def validate_files(release: str, form: str, files: tuple[str, ...]) -> None:
    """Validate IstioOperators, Gateways, VirtualServices, DestinationRules, mesh ConfigMaps and topologies.

    Documents of other kinds are passed over. The exit code is 1 where there are errors.
    """
    texts = {file: _text(file) for file in files}
    results = [result for file, text in texts.items() for result in validate_text(file, text, release=release)]
    click.echo(REPORTS[form](results), nl=False)
    sys.exit(1 if any(result.level == "error" for result in results) else 0)


def _plan(file: str, release: str | None, credentials: str | None) -> Plan:
    if file == credentials == "-":
        raise click.UsageError("FILE and --credentials cannot both be standard input.")
    topology = load(_source(file), release=release)
    if credentials is None:
        return plan(topology)
    try:
        given = load_credentials(_source(credentials))
    except InvalidInput as error:
        problems = error.problems
        raise InvalidInput(Problem(f"{credentials} {each.path}".strip(), each.message) for each in problems) from None
    return plan(topology, credentials=given)


def _source(file: str) -> Path | bytes:
    return _text(file) if file == "-" else Path(file)


def _text(file: str) -> bytes:
    """The content of a file, or of standard input."""
    if file == "-":
        return sys.stdin.buffer.read(yaml.MAX_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(yaml.MAX_BYTES + 1)


def _operator(file: str) -> IstioOperator:
    try:
        return IstioOperator.model_validate(yaml.load(_text(file)))
    except ValidationError as error:
        raise InvalidInput(problems_of(error, IstioOperator, from_file=True, start=file)) from None


def _explained(merged: MeshConfigMerge) -> Iterator[tuple[str, str, str, str]]:
    beaten = {each.path: each for each in merged.overridden}
    for path, value, source in merged.origins():
        beats = beaten.pop(path, None)
        yield path, _shown(value), source, "" if beats is None else _shown(beats.shared)
    for path, each in beaten.items():
        yield path, _shown(each.local), "local", _shown(each.shared)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _stream(the_plan: Plan) -> Iterator[bytes]:
    separator = b""
    for path, content in the_plan.files():
        yield separator + f"# {path}\n".encode() + content
        separator = b"---\n"


def _write(the_plan: Plan, folder: str) -> list[str]:
    files = sum(1 for step in the_plan.steps if step.path) + 1
    with click.progressbar(
        length=files, label="Writing", file=sys.stderr, hidden=not sys.stderr.isatty() or files <= _MOST_PATHS
    ) as bar:
        return the_plan.write(folder, on_file=lambda path: bar.update(1))


def _report(folder: str, paths: list[str]) -> None:
    for path in paths[:_MOST_PATHS]:
        click.echo(Path(folder, path))
    if len(paths) > _MOST_PATHS:
        click.echo(f"... and {len(paths) - _MOST_PATHS} more files")
    click.echo(f"\nNext: follow {Path(folder, 'RUNBOOK.md')}, with {folder} as the current folder.")


def _print(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
