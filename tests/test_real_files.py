"""What goes wrong in practice: small inputs after public reports and real files, and what the commands say."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from extcp_manifests import load, plan, yaml
from extcp_manifests.cli import cli
from extcp_manifests.errors import InvalidInput, OutputError
from extcp_manifests.istio.releases import RELEASES

ROOT = Path(__file__).parents[1]
CASES = sorted((ROOT / "tests/cases/real_files").glob("*.yaml"))


def run(words: list[str]) -> tuple[int, str, list[str]]:
    """Return the exit code, the output and the lines of standard error; problems are printed as by `main`."""
    done = CliRunner().invoke(cli, words, catch_exceptions=True)
    if isinstance(done.exception, InvalidInput | OutputError):
        return 1, done.stdout, [*done.stderr.splitlines(), *map(str, done.exception.problems)]
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_real_files(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of a case exits as it should, and says what it should and nothing else.

    `{newest}` in a line of standard error stands for the newest release.
    """
    case: Any = yaml.load(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    for name, text in case["files"].items():
        Path(name).write_text(text, "utf-8")
    if "generated" in case:
        plan(load(ROOT / "examples/guide.yaml", release=case["generated"])).write("out")
    for each in case["runs"]:
        code, output, errors = run(each["command"])
        assert code == each["exit"], (each["command"], output, errors)
        if "out" in each:
            assert output.splitlines() == each["out"], case["what"]
        if "err" in each:
            assert errors == [line.replace("{newest}", list(RELEASES)[-1]) for line in each["err"]], case["what"]
        for part in each.get("out_has", ()):
            assert part in output, case["what"]
        if "save" in each:
            Path(each["save"]).write_text(output, "utf-8")
