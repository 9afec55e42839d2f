"""The command that writes a first topology file."""

import sys
from pathlib import Path

import click

from extcp_manifests import yaml
from extcp_manifests.cli.shared import QUIET, print_line
from extcp_manifests.errors import OutputError
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.planning.step import piped
from extcp_manifests.schemas import SCHEMA_FILE, install_schema
from extcp_manifests.topology.starting import FirstCluster, FirstTopology
from extcp_manifests.topology.topology_file import load

NEWEST = [release.name for release in RELEASES.values() if release.kubernetes is not None][-1]
"""The newest release of which all is known."""


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("init")
@click.option("-o", "--output", metavar="FILE", default="mesh.yaml", show_default=True, help="The file to write.")
@click.option("--address", metavar="A", help="Host name or IP address at which remote clusters reach istiod.")
@click.option(
    "--cluster",
    "clusters",
    metavar="NAME[=NETWORK]",
    multiple=True,
    help="A remote cluster, the config cluster first; its network is network1 if left out.",
)
@click.option("--release", metavar="R", default=NEWEST, show_default=True, help="Istio minor.")
@click.option(
    "--name", metavar="NAME", default="mesh1", show_default=True, help="Name of the whole, and the mesh's ID."
)
@click.option("--credential-name", metavar="NAME", default="istiod-certificate", show_default=True, help="TLS secret.")
@click.option("--install", type=click.Choice(["istioctl", "helm", "sail"]), default="istioctl", show_default=True)
@click.option("--revision", metavar="NAME", help="The control plane's revision, which sail needs.")
@click.option("--no-schema", is_flag=True, help="Write no JSON Schema beside the file.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@QUIET
def write_first_file(
    output: str,
    address: str | None,
    clusters: tuple[str, ...],
    release: str,
    name: str,
    credential_name: str,
    install: str,
    revision: str | None,
    no_schema: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Write a first topology file, with comments; what is not said by options is asked on a terminal.

    Beside it a JSON Schema is written, by which editors complete and check the file.
    """
    if not force and Path(output).exists():
        raise OutputError(output, "is there already: name another file, or overwrite it by --force")
    if sys.stdin.isatty():
        address = address or click.prompt("Host name or IP address of istiod", type=str)
        clusters = clusters or tuple(click.prompt("Remote clusters, the config cluster first", type=str).split())
    elif address is None or not clusters:
        raise click.UsageError("no terminal to ask on: give --address and --cluster.")
    first = FirstTopology(
        release=release,
        address=address,
        clusters=[_first_cluster(each) for each in clusters],
        name=name,
        credential_name=credential_name,
        install=install,
        revision=revision,
        schema=None if no_schema else f"./{SCHEMA_FILE}",
    )
    text = first.text()
    load(yaml.load(text))
    Path(output).write_text(text, "utf-8")
    schema = None if no_schema else install_schema(Path(output).parent)
    if quiet:
        return
    print_line(output)
    if schema is not None:
        print_line(schema)
    click.echo()
    print_line(f"Next: {piped(('extcp-manifests', 'generate', output, '-o', 'out'))}")


def _first_cluster(text: str) -> FirstCluster:
    name, sign, network = text.partition("=")
    return FirstCluster(name, network) if sign else FirstCluster(name)
