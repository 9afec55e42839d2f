"""The command that validates documents; a module of its own, since it runs on every commit and should load little."""

import sys
from pathlib import Path

import click

from extcp_manifests.cli.folders import read_all
from extcp_manifests.cli.reports import REPORTS, text_report_with_ids
from extcp_manifests.cli.shared import RELEASE_OF_RULES, print_line
from extcp_manifests.errors import InvalidInput, OutputError
from extcp_manifests.istio.accepted import baseline_of, without_commented, without_known
from extcp_manifests.istio.validation import Report, validate_texts
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("validate")
@RELEASE_OF_RULES
@click.option(
    "--format",
    "--output-format",
    "form",
    type=click.Choice(list(REPORTS)),
    default="text",
    show_default=True,
    help="How findings are written; github and gitlab are for their pipelines.",
)
@click.option("--ids", is_flag=True, help="Show the id of the rule in each line of text.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a document was skipped.")
@click.option("--baseline", metavar="FILE", help="Leave out the findings that are in FILE.")
@click.option("--write-baseline", metavar="FILE", help="Write the findings into FILE, and exit with 0.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR...")
def validate_files(
    release: str | None,
    form: str,
    ids: bool,
    strict: bool,
    baseline: str | None,
    write_baseline: str | None,
    files: tuple[str, ...],
) -> None:
    """Validate IstioOperators, Gateways, VirtualServices, DestinationRules, mesh ConfigMaps and topologies.

    In folders all YAML and JSON files are read, in lists all items. Documents of other kinds are skipped; the last line
    of standard error says how many, and by which release's rules the others were checked. The exit code is 1 if there
    are errors. A comment `# extcp-manifests: ignore[ID]` beside a line, or above it, accepts a finding there.
    """
    if ids and form != "text":
        raise click.UsageError("--ids is for text; the other formats have the ids anyway.")
    if baseline is not None and write_baseline is not None:
        raise click.UsageError("--write-baseline writes all findings: leave --baseline out.")
    texts = read_all(files)
    report = without_commented(validate_texts(texts, release=release, more=TOPOLOGY_CHECKS), texts)
    if write_baseline is not None:
        _write_baseline(Path(write_baseline), report)
        print_line(f"{write_baseline}: {len(report.results)} findings; name it with --baseline", err=True)
        return
    if baseline is not None:
        report = without_known(report, Path(baseline).read_bytes(), name=baseline)
    write = text_report_with_ids if ids else REPORTS[form]
    click.echo(write(report.results), nl=False)
    print_line(report.summary, err=True)
    is_wrong = any(result.level == "error" for result in report.results)
    sys.exit(1 if is_wrong or (strict and report.skipped) else 0)


def _write_baseline(file: Path, report: Report) -> None:
    """Write a baseline, in the place of another one alone."""
    if file.exists():
        try:
            without_known(report, file.read_bytes())
        except InvalidInput:
            raise OutputError(str(file), "already exists and is not a baseline: choose another file") from None
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_text(baseline_of(report.results), "utf-8")
    new.replace(file)
