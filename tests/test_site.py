"""The site: every example in it is run as it stands, and it is built without a warning where Sphinx is installed."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path

import pytest
from command_line import run

SITE = Path(__file__).parents[1] / "examples/site"
PAGES = sorted(path for path in SITE.rglob("*.md") if path.parent.name != "reference")


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables by which a shell finds the program, wherever it is installed."""
    program = tmp_path / "bin/extcp-manifests"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from extcp_manifests.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(SITE.parents[1])}


def printed(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What a command prints; where it needs no shell it is run in this process, which takes a tenth of the time."""
    if re.fullmatch(r"extcp-manifests [-\w./= ]+", command):
        done = run(*shlex.split(command)[1:], cwd=folder)
    else:
        words = ["bash", "-c", command]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=lambda page: page.stem)
def test_commands_give_what_the_page_shows(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The commands of a page are run in one folder, and print what stands below them; `...` stands for any output."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            output = printed(command, folder, environment)
            if expected.strip() != "...":
                for line, wanted in zip_longest(output.rstrip().splitlines(), expected.rstrip().splitlines()):
                    assert line == wanted, command


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_examples_run(page: Path) -> None:
    """The examples of a page run one after the other."""
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)  # noqa: S102 - our own page


def test_the_site_is_built(tmp_path: Path) -> None:
    """Sphinx builds the site, and every warning is an error."""
    if find_spec("sphinx") is None or find_spec("myst_parser") is None or find_spec("furo") is None:
        pytest.skip("Sphinx is not installed: pip install 'extcp-manifests[site]'")
    words = ["-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(SITE), str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "reference/keys.html").is_file()
