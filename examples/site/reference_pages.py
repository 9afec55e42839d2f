"""The reference pages of the site, from what the package itself says: keys, commands, findings, releases, exports."""

import contextlib
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import click
from click.testing import CliRunner

import extcp_manifests
from extcp_manifests import yaml
from extcp_manifests.cli import EXAMPLES, cli
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.rules.rule_ids import RULES
from extcp_manifests.topology.explain import Explanation, explain

README = Path(__file__).parents[2] / "README.md"


def write_pages(folder: Path) -> None:
    """Write every reference page into a folder; pages that are already so stay as they are."""
    folder.mkdir(exist_ok=True)
    for name, lines in (
        ("keys", _keys()),
        ("commands", _commands()),
        ("findings", _findings()),
        ("releases", _releases()),
        ("python", _python()),
    ):
        page, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def _keys() -> Iterator[str]:
    yield "# Every key of a topology"
    yield ""
    yield "What `extcp-manifests explain KEY` says of each key. Lines that use them are in"
    yield "[what real installations need](../needs.md)."
    yield "Files of several control planes have `spec.defaults` and `spec.controlPlanes`, whose keys are these too."
    waiting = ["spec"]
    while waiting:
        path = waiting.pop(0)
        key = explain(path)
        yield ""
        yield f"## `{path}`"
        yield ""
        yield _sentence(key)
        yield ""
        if lines := _lines_with(path):
            yield "Lines that use it:"
            yield ""
            yield from (f"- `{line}`" for line in lines)
            yield ""
        for below in key.below:
            name = below.path.rpartition(".")[2]
            yield f"`{name}` ({below.type}{_note(below)})"
            yield f": {_escaped(below.description) or 'See below.'}"
            yield ""
            if explain(below.path).below:
                waiting.append(below.path)


def _lines_with(path: str) -> list[str]:
    """Return the lines of README's table of needs in which a key of a topology stands."""
    keys = path.split(".")[1:]
    return [line for line in _needs() if keys and _has(yaml.load(line), keys)][:3]


@cache
def _needs() -> list[str]:
    table = README.read_text("utf-8").partition("<!-- needs -->")[2].partition("<!-- end of needs -->")[0]
    return re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", table, re.MULTILINE)


def _has(data: object, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(data, Mapping) or key not in data:
            return False
        data = data[key]
    return True


def _sentence(key: Explanation) -> str:
    return _escaped(key.description) or f"A {key.type}."


def _note(key: Explanation) -> str:
    if key.required:
        return ", required"
    return "" if key.default in (None, {}, [], "") else f", {key.default} if left out"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")


def _commands(group: click.Group = cli, *above: str) -> Iterator[str]:
    if not above:
        yield "# Every command"
        yield ""
        yield "Exit codes: 0 means success, 1 a problem with the input or something found, 2 a wrong call, 141 that the"
        yield "reader of a pipe went away. Results go to standard output, everything else to standard error."
    context = click.Context(group, info_name=" ".join(("extcp-manifests", *above)))
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, *above, name)
            continue
        words = " ".join((*above, name))
        help_text = command.get_help(click.Context(command, info_name=name, parent=context, max_content_width=100))
        yield from ("", f"## {words}", "", "```text", help_text, "```")
        if output := _output(EXAMPLES[words]):
            yield from ("", "Its example prints:", "", "```text", output, "```")


_NOT_RUN = ("init", "krm", "plugin install", "plugin run", "patch")
"""Commands whose examples are not run: they read standard input, write into the home folder, or are shown elsewhere."""


def _output(example: str) -> str:
    """Return the first lines that an example prints, in a folder with a topology and what was made of it."""
    words = shlex.split(example)[1:]
    if " ".join(words).startswith(_NOT_RUN):
        return ""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        runner = CliRunner()
        for made in ("init --address istiod.example.com --cluster prod-eu", "generate mesh.yaml -o out"):
            runner.invoke(cli, made.split(), catch_exceptions=False)
        runner.invoke(cli, ["generate", "mesh.yaml", "-o", "new", "--release", "1.30"], catch_exceptions=False)
        for name in ("admin", "operator"):
            shutil.copy(README.parent / f"examples/mesh_config/{name}.yaml", f"{name}.yaml")
        shutil.copy("out/external/external-istiod.yaml", "istiod.yaml")
        lines = runner.invoke(cli, words, catch_exceptions=False).output.rstrip().splitlines()
    more = ["..."] if len(lines) > _MOST_LINES else []
    return "\n".join([*lines[:_MOST_LINES], *more])


_MOST_LINES = 16


def _findings() -> Iterator[str]:
    yield "# Every finding of `validate`"
    yield ""
    yield "`extcp-manifests validate --ids` shows the id of each finding; JSON, SARIF and the reports for GitHub and"
    yield "GitLab have it anyway. A comment `# extcp-manifests: ignore[ID]` beside a line, or above it, accepts one."
    group = ""
    for rule, about in RULES.items():
        if rule.partition("/")[0] != group:
            group = rule.partition("/")[0]
            yield from ("", f"## {group}")
        yield from ("", f"### {rule}", "", _escaped(about.short), "", f"What to do: {_escaped(about.help)}")


def _releases() -> Iterator[str]:
    yield "# What changes by release"
    yield ""
    yield "From the release table of the package; each row there names the file of Istio that it was taken from."
    for release in reversed(RELEASES.values()):
        yield from ("", f"## Istio {release.name}", "")
        yield f"Kubernetes {release.kubernetes or 'not known'}. Sail Operators: {release.sail or 'none known'}."
        yield ""
        yield from (f"- {_escaped(change.what)}" for change in release.changes)


def _python() -> Iterator[str]:
    yield "# The Python API"
    yield ""
    yield "These names stay; everything else may change from release to release."
    for module in ("extcp_manifests", "extcp_manifests.builders", "extcp_manifests.istio", "extcp_manifests.injection"):
        yield from ("", f"## {module}", "")
        yield from ("```{eval-rst}", f".. automodule:: {module}", "```")
        if module.endswith("injection"):
            yield from (
                "",
                "```{eval-rst}",
                ".. automodule:: extcp_manifests.injection",
                "   :members:",
                "   :no-index:",
                "```",
            )
            continue
        handed_on = extcp_manifests if module == "extcp_manifests" else __import__(module, fromlist=["x"])
        for name in handed_on.__all__:
            kind = "autoclass" if isinstance(getattr(handed_on, name), type) else "autofunction"
            yield from ("", "```{eval-rst}", f".. {kind}:: {module}.{name}")
            yield from ("   :members:", "   :no-index:", "```") if kind == "autoclass" else ("   :no-index:", "```")
