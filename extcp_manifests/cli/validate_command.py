"""The command that validates documents; a module of its own, since it runs on every commit and should load little."""

import sys

import click

from extcp_manifests.cli.folders import read_all
from extcp_manifests.cli.reports import REPORTS
from extcp_manifests.cli.shared import RELEASE_OF_RULES, print_line
from extcp_manifests.istio.validation import validate_texts
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("validate")
@RELEASE_OF_RULES
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Exit with 1 if a document was skipped.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR...")
def validate_files(release: str | None, form: str, strict: bool, files: tuple[str, ...]) -> None:
    """Validate IstioOperators, Gateways, VirtualServices, DestinationRules, mesh ConfigMaps and topologies.

    In folders all YAML and JSON files are read, in lists all items. Documents of other kinds are skipped; the last line
    of standard error says how many, and by which release's rules the others were checked. The exit code is 1 if there
    are errors.
    """
    report = validate_texts(read_all(files), release=release, more=TOPOLOGY_CHECKS)
    click.echo(REPORTS[form](report.results), nl=False)
    print_line(report.summary, err=True)
    is_wrong = any(result.level == "error" for result in report.results)
    sys.exit(1 if is_wrong or (strict and report.skipped) else 0)
