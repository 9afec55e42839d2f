"""Commands for pipelines: kustomize, GitOps, and comparing what they keep."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from extcp_manifests import yaml
from extcp_manifests.cli.plans import (
    CHECK,
    CREDENTIALS,
    DIFF,
    FORCE,
    RELEASE,
    Mode,
    plan_of,
    print_file_changes,
    report_files,
    write_files,
)
from extcp_manifests.cli.shared import (
    FILE,
    FORMAT,
    QUIET,
    differences_of,
    not_empty,
    print_differences,
    print_json,
    print_line,
    print_problem,
    text,
)
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.pipelines import argocd, exec_plugin, flux, krm
from extcp_manifests.pipelines.notes import NOTES
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.planning.fleet import FleetPlan
from extcp_manifests.planning.folder.exchange import recover, recover_below
from extcp_manifests.planning.folder.listing import LISTING, Kind
from extcp_manifests.planning.folder.writing import Entry, changes, owner_of, write
from extcp_manifests.planning.kustomize import OVERLAYS, KustomizeTree
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.step import piped


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("kustomize")
@FILE
@click.option("-o", "--output", metavar="DIR", required=True, callback=not_empty, help="Folder for the bases.")
@click.option(
    "--overlay", "overlays", metavar="NAME", multiple=True, help="Add a skeleton over every base to patch, and use it."
)
@RELEASE
@CREDENTIALS
@CHECK
@DIFF
@FORCE
@QUIET
def write_bases(
    file: str,
    output: str,
    overlays: tuple[str, ...],
    release: str | None,
    credentials: str | None,
    check: bool,
    diff: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Write the manifests of the topology in FILE (- is standard input) as bases for kustomize.

    With --overlay the runbook's commands read the overlay; overlays that are there already stay as they are.
    """
    mode = Mode(check=check, diff=diff, force=force)
    the_plan = plan_of(file, release, credentials)
    tree = the_plan.kustomize(overlays=overlays)
    if mode.writes_nothing:
        print_file_changes(output, tree.changes(output), mode)
    paths = write_files(tree.write, the_plan, output, mode)
    if isinstance(tree, KustomizeTree):
        _warn_of_overlays(tree, output)
        if not quiet:
            report_files(output, paths, next(tree.runbooks())[0])
        return
    for folder, each in tree.trees():
        _warn_of_overlays(each, f"{output}/{folder}")
    if not quiet:
        report_files(output, paths)


def _warn_of_overlays(tree: KustomizeTree, folder: str) -> None:
    """Print warnings for overlays that the runbook does not read, and for those whose bases are gone."""
    for name in tree.unread_overlays(folder):
        problem = f"is not read by any command of the runbook: add --overlay {name}"
        print_problem("warning", Problem((), problem, f"{folder}/{OVERLAYS}/{name}"))
    for place in tree.left_over(folder):
        problem = f"is an overlay of a base that is gone: remove it with `{piped(('rm', '-r', f'{folder}/{place}'))}`"
        print_problem("warning", Problem((), problem, f"{folder}/{place}"))


@commands.command("argocd")
@FILE
@click.option("-o", "--output", metavar="DIR", required=True, callback=not_empty, help="Folder for the Applications.")
@click.option("--repo", required=True, metavar="URL", help="The Git repository that has the kustomize tree.")
@click.option("--revision", default="main", show_default=True, help="Branch, tag or commit.")
@click.option("--path", default=".", show_default=True, help="Folder of the kustomize tree in the repository.")
@click.option("--overlay", metavar="NAME", help="The overlay of the tree to apply, instead of its bases.")
@click.option("--namespace", default="argocd", show_default=True, help="Namespace of Argo CD.")
@click.option("--project", default="default", show_default=True, help="Project of the Applications.")
@RELEASE
@CHECK
@DIFF
@FORCE
@QUIET
def write_applications(
    file: str,
    output: str,
    repo: str,
    revision: str,
    path: str,
    overlay: str | None,
    namespace: str,
    project: str,
    release: str | None,
    check: bool,
    diff: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Write Argo CD Applications for the kustomize tree of the topology in FILE (- is standard input)."""
    mode = Mode(check=check, diff=diff, force=force)
    repository = Repository(url=repo, revision=revision, path=path, overlay=overlay)
    the_plan = plan_of(file, release, None)
    entries = argocd.argocd(the_plan, repository, namespace=namespace, project=project)
    _write_entries(output, entries, the_plan, "argocd", mode, quiet=quiet)


@commands.command("flux")
@FILE
@click.option("-o", "--output", metavar="DIR", required=True, callback=not_empty, help="Folder for the Kustomizations.")
@click.option("--source", default="flux-system", show_default=True, help="Flux's GitRepository of the kustomize tree.")
@click.option("--path", default=".", show_default=True, help="Folder of the kustomize tree in the repository.")
@click.option("--overlay", metavar="NAME", help="The overlay of the tree to apply, instead of its bases.")
@click.option("--namespace", default="flux-system", show_default=True, help="Namespace of Flux.")
@click.option("--here", metavar="CLUSTER", help="The cluster that Flux runs in.")
@RELEASE
@CHECK
@DIFF
@FORCE
@QUIET
def write_kustomizations(
    file: str,
    output: str,
    source: str,
    path: str,
    overlay: str | None,
    namespace: str,
    here: str | None,
    release: str | None,
    check: bool,
    diff: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Write Flux Kustomizations for the kustomize tree of the topology in FILE (- is standard input)."""
    mode = Mode(check=check, diff=diff, force=force)
    repository = Repository(path=path, overlay=overlay)
    the_plan = plan_of(file, release, None)
    entries = flux.flux(the_plan, repository, source=source, namespace=namespace, here=here)
    _write_entries(output, entries, the_plan, "flux", mode, quiet=quiet)


def _write_entries(
    folder: str, entries: Iterator[Entry], the_plan: Plan | FleetPlan, kind: Kind, mode: Mode, *, quiet: bool
) -> None:
    owner = owner_of(the_plan.topology, kind) if isinstance(the_plan, Plan) else the_plan.owner(kind)
    if mode.writes_nothing:
        print_file_changes(folder, changes(folder, entries, owner=owner), mode)
    paths = write(folder, entries, owner=owner, force=mode.force)
    if not quiet:
        report_files(folder, paths, NOTES, place="the top of the repository")


@commands.command("krm")
def run_function() -> None:
    """Answer the KRM ResourceList on standard input, whose functionConfig is a topology, on standard output.

    The exit code is 1 if a result is an error.
    """
    answer = krm.run(text("-"))
    click.echo(answer.text, nl=False)
    for message in answer.errors:
        print_line(message, err=True)
    sys.exit(1 if answer.failed else 0)


@commands.group("plugin")
def plugin() -> None:
    """Use topologies as generators of kustomize (`kubectl kustomize --enable-alpha-plugins`)."""


@plugin.command("install")
@click.option(
    "--home", metavar="DIR", callback=not_empty, help="Folder of plugins, instead of the one where kubectl looks."
)
def install_plugin(home: str | None) -> None:
    """Write the small program that kustomize runs to call this one."""
    if home is not None:
        recover(home)
    print_line(exec_plugin.install(home))


@plugin.command("run")
@click.argument("config", metavar="FILE")
def run_plugin(config: str) -> None:
    """Print the documents that the topology in FILE emits, for kustomize and Argo CD."""
    click.echo(yaml.dump_all(krm.generate(text(config))), nl=False)


@commands.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@FORMAT
def show_difference(old: str, new: str, form: str) -> None:
    """Print the differences between two folders or files, by document and path.

    The exit code is 1 if there are any. The contents of Secrets are not shown.
    """
    old_files, new_files = _contents(old, new), _contents(new, old)
    if form == "json":
        rows = list(differences_of(old_files, new_files))
        print_json(rows)
        sys.exit(1 if rows else 0)
    from extcp_manifests.documents.compare import compare_files

    is_different = print_differences(compare_files(old_files, new_files))
    sys.exit(1 if is_different else 0)


def _contents(place: str, other: str) -> dict[str, bytes]:
    """Return the files of a folder by their paths, without Git's and our own list; or a file, by the name for both."""
    path = Path(place)
    recover_below(path)
    if path.is_dir() != Path(other).is_dir():
        kind = "folder" if path.is_dir() else "file"
        raise InvalidInput([Problem((), f"is a {kind}, unlike {other}: compare two folders or two files", place)])
    if not path.is_dir():
        return {max(path.name, Path(other).name): path.read_bytes()}
    contents = {}
    for each in path.rglob("*"):
        if each.is_symlink():
            recover(each)
        inside = each.relative_to(path)
        ours = f"{inside.parts[0]}.".startswith(f"{LISTING}.")
        if each.is_file() and ".git" not in inside.parts and not ours:
            contents[inside.as_posix()] = each.read_bytes()
    return contents
