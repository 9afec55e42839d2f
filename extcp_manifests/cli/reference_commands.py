"""Commands to look things up: injection paths, the keys of files, and what changes by release."""

import json
import sys
from pathlib import Path

import click

from extcp_manifests import injection
from extcp_manifests.builders.address import parse_address
from extcp_manifests.builders.exposure import exposure_of
from extcp_manifests.cli.shared import FORMAT, print_json, print_line
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.schema.json_schema import EDITOR_SCHEMAS


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.group()
def inject() -> None:
    """Encode and decode injection paths."""


@inject.command()
@click.option("--cluster", required=True, help="Name of the cluster.")
@click.option("--network", required=True, help="Name of its network.")
@click.option("--address", help="Address of istiod; with it the setting of a remote cluster is printed.")
@FORMAT
def encode(cluster: str, network: str, address: str | None, form: str) -> None:
    """Print the injection path of a cluster, or with --address its injectionURL or injectionPath."""
    if address is None:
        values = {"injectionPath": injection.encode(cluster=cluster, network=network)}
    else:
        values = exposure_of(parse_address(address)).istiod_remote(cluster, network).plain()
    if form == "json":
        print_json(values)
    elif address is None:
        print_line(values["injectionPath"])
    else:
        for key, value in values.items():
            print_line(f"{key}: {value}")


@inject.command()
@click.argument("path", metavar="PATH|URL")
@FORMAT
def decode(path: str, form: str) -> None:
    """Print what istiod derives from an injection path, or from an injectionURL.

    What is wrong with the path goes to standard error; the exit code is 1 unless it has a cluster and a network.
    """
    variables = injection.decode_url(path) if injection.is_url(path) else injection.decode(path)
    if form == "json":
        print_json(dict(variables))
    else:
        for name, value in variables.items():
            print_line(f"{name}={value}")
    for problem in injection.doubts(path):
        print_line(problem, err=True)
    if not all(variables.get(name) for name in (injection.CLUSTER_ID, injection.NETWORK)):
        sys.exit(1)


_FLEET = "fleet"
"""The name of the JSON Schema of a file of several control planes."""


@commands.command("schema")
@click.option("--install", "in_folder", metavar="DIR", help="Write it into DIR instead, for editors.")
@click.argument("name", metavar="[NAME]", type=click.Choice([_FLEET, *EDITOR_SCHEMAS]), required=False)
@click.option("--release", metavar="R", help="Istio minor that the schema is for, such as 1.24.")
def show_schema(name: str | None, release: str | None, in_folder: str | None) -> None:
    """Print the JSON Schema of a topology file, or with NAME that of an Istio document in a release.

    NAME is fleet for a file of several control planes, or mesh-config, istio-operator, values, gateway,
    virtual-service or destination-rule. Their schemas are for editors: they refuse keys that the release refuses or
    ignores. With --install, a file that begins with the comment that is shown is completed and checked by editors with
    a YAML language server, such as VS Code.
    """
    from extcp_manifests.istio.schema.json_schema import editor_schema
    from extcp_manifests.schemas import install_schema
    from extcp_manifests.topology.fleet_file import fleet_schema
    from extcp_manifests.topology.topology_file import schema

    if in_folder is not None and name not in (None, _FLEET):
        raise click.UsageError("--install is for files of this library: leave NAME out, or write fleet.")
    if in_folder is not None:
        written = install_schema(Path(in_folder), fleet=name == _FLEET)
        print_line(written)
        click.echo()
        print_line(f"Next: begin your file with  # yaml-language-server: $schema=./{written.name}")
        return
    if name in (None, _FLEET):
        if release is not None:
            raise click.UsageError(f"--release needs NAME: {', '.join(EDITOR_SCHEMAS[:-1])} or {EDITOR_SCHEMAS[-1]}.")
        click.echo(json.dumps(schema() if name is None else fleet_schema(), indent=2))
        return
    if release is None:
        raise click.UsageError(f"{name} needs --release R: name the Istio minor, such as {list(RELEASES)[-1]}.")
    click.echo(json.dumps(editor_schema(name, release=release), indent=2))


@commands.command("explain")
@click.argument("path", metavar="[KEY]", default="")
def show_key(path: str) -> None:
    """Print what a key of a topology file does, such as spec.gateway.name, with the keys below it."""
    from extcp_manifests.topology.explain import explain

    click.echo(explain(path))
    if not path:
        print_line("Next: extcp-manifests explain spec", err=True)


@commands.command()
@FORMAT
def releases(form: str) -> None:
    """Print what changes by Istio release."""
    if form == "json":
        rows = [
            {
                "release": release.name,
                "kubernetes": release.kubernetes,
                "sailOperators": release.sail,
                "changes": [change.what for change in release.changes],
            }
            for release in RELEASES.values()
        ]
        print_json(rows)
        return
    for release in RELEASES.values():
        click.echo(f"{release.name}  Kubernetes {release.kubernetes or 'not known'}")
        for change in release.changes:
            click.echo(f"      - {change.what}")
