"""The pytest plugin, as projects of users have it."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import Plan, load, load_credentials, plan
from extcp_manifests.documents.kubernetes import Namespace, ObjectMeta
from extcp_manifests.testing import GoldenManifests, files_of, why_not_everywhere

ROOT = Path(__file__).parents[1]
TEST = """
from extcp_manifests import load, plan


def test_mesh(golden_manifests):
    golden_manifests(plan(load(__file__.replace("test_mesh.py", "mesh.yaml"))), "golden/mesh")
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one golden test and the guide's topology."""
    (tmp_path / "test_mesh.py").write_text(TEST)
    shutil.copy(ROOT / "examples/guide.yaml", tmp_path / "mesh.yaml")
    return tmp_path


def pytest_in(folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest as a user would, outside of CI."""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *words]
    return subprocess.run(
        command, cwd=folder, env={**environment, **variables}, capture_output=True, text=True, check=False
    )


def write_a_golden(project: Path) -> None:
    """Write the golden that an update of the project writes, in this process."""
    golden = GoldenManifests(project, project / "test_mesh.py", [])
    golden(plan(load(project / "mesh.yaml")), "golden/mesh")


def check_a_golden(project: Path, **variables: str) -> None:
    """Follow a golden from missing to written to matching; a changed topology is then reported by document and path."""
    missing = pytest_in(project, **variables)
    assert missing.returncode == 1
    assert "+ external/external-istiod.yaml" in missing.stdout
    assert not (project / "golden").exists()
    written = pytest_in(project, "--extcp-update-golden", **variables)
    assert written.returncode == 0, written.stdout
    assert "golden manifests: 21 files changed" in written.stdout
    assert "golden/mesh/external/external-istiod.yaml" in written.stdout
    assert pytest_in(project, **variables).returncode == 0
    topology = project / "mesh.yaml"
    topology.write_text(topology.read_text().replace("/dev/stdout", "/dev/stderr"))
    broken = pytest_in(project, **variables)
    assert broken.returncode == 1
    report = broken.stdout.split("golden/mesh is not what is written now (- stored, + now):\n")[1]
    assert report.startswith(
        "    external/external-istiod.yaml\n"
        "      IstioOperator external-istiod/external-istiod\n"
        '      ~ spec.meshConfig.accessLogFile: "/dev/stdout" -> "/dev/stderr"\n'
        "Run pytest --extcp-update-golden, and review the change.\n"
    )


def test_a_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A golden is written and compared with the wheel that users install."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    quick = {**os.environ, "PIP_NO_COMPILE": "1"}  # of what only builds the wheel, most is never imported
    done = subprocess.run(build, env=quick, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot build the wheel here: {done.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], env=quick, check=True)
    check_a_golden(project, PYTHONPATH=str(target))
    where = "import extcp_manifests.testing as t; print(t.__file__)"
    variables = {**os.environ, "PYTHONPATH": str(target)}
    command = [sys.executable, "-c", where]
    found = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(target)


def test_left_over_files(project: Path) -> None:
    """A file that is no longer written is an orphan; updating removes it, but never a file that begins with a dot."""
    write_a_golden(project)
    orphan, hidden = project / "golden/mesh/old/a.yaml", project / "golden/mesh/.gitignore"
    orphan.parent.mkdir()
    orphan.write_text("a: b")
    hidden.write_text("*.tmp")
    failed = pytest_in(project)
    assert "  - old/a.yaml\n" in failed.stdout
    updated = pytest_in(project, "--extcp-update-golden")
    assert "golden manifests: 1 files changed" in updated.stdout
    assert (orphan.exists(), hidden.exists()) == (False, True)


def test_ci_never_updates(project: Path) -> None:
    """Under CI nothing is rewritten, and the run fails."""
    refused = pytest_in(project, "--extcp-update-golden", CI="true")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--extcp-update-golden is refused under CI: update by hand, and review the change" in refused.stderr
    assert not (project / "golden").exists()


def test_documents_and_files(tmp_path: Path) -> None:
    """Documents become a file each, by kind, namespace and name; files are taken as they are, as text or bytes."""
    namespace = Namespace(metadata=ObjectMeta(name="a"))
    assert files_of(namespace.plain()) == files_of([namespace])
    same: list[Any] = [namespace, namespace, {"kind": "Gateway", "metadata": {"name": "g", "namespace": "../n"}}, {}]
    files = files_of(same)
    assert list(files) == ["namespace-a.yaml", "namespace-a-2.yaml", "gateway-..-n-g.yaml", "document.yaml"]
    assert files["namespace-a.yaml"] == b"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n"
    updated: list[str] = []
    one: dict[str, bytes | str] = {"x.txt": "text", "y": b"bytes"}
    other: dict[str, bytes | str] = {"x.txt": b"text", "y": "bytes"}
    GoldenManifests(tmp_path, tmp_path / "t/test_x.py", updated)(one, "g")
    assert [Path(path).name for path in updated] == ["x.txt", "y"]
    GoldenManifests(tmp_path, tmp_path / "t/test_x.py", None)(other, "g")


@pytest.mark.parametrize(
    ("manifests", "folder", "problem"),
    [
        ({"a": "b"}, ".", r"^\. holds the test itself: keep golden manifests in a folder of their own$"),
        ({"a": 5}, "g", r"^files must be bytes or text: give a plan, files by their paths, or a list of documents$"),
        (5, "g", r"^5 is nothing to compare: give a plan, files by their paths, or a list of documents$"),
        ({"kept.yaml": "new", "sub": "b"}, "s", r"/s/sub: is a folder where a file belongs: move it away$"),
        (["abc"], "g", r"^a document must be a mapping: give a plan, files by their paths, or a list of documents$"),
        ({"a": "b"}, "kept.yaml", r"^kept\.yaml is not a folder: choose another$"),
    ],
)
def test_what_is_refused(manifests: Any, folder: str, problem: str, tmp_path: Path) -> None:
    """Nothing outside of a golden folder is ever written or removed."""
    kept = tmp_path / "kept.yaml"
    kept.write_text("a: b")
    (tmp_path / "s/sub").mkdir(parents=True)
    with pytest.raises(pytest.fail.Exception, match=problem):
        GoldenManifests(tmp_path, tmp_path / "test_x.py", [])(manifests, folder)
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["sub"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["kept.yaml"]


NO_DOT = "use names with '/' between them, and no dot before them"
NO_SIGNS = 'leave out control characters and < > : " | ? * \\'


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("../../out", NO_DOT),
        ("/a", NO_DOT),
        ("a/.b", NO_DOT),
        ("a//b", NO_DOT),
        ("a\0b", NO_SIGNS),
        ("a\\b", NO_SIGNS),
        ("a:b.yaml", NO_SIGNS),
        ("\udcff", NO_SIGNS),
        ("\u00e4" * 150, "use names of at most 200 bytes"),
        ("a./b", "let no name end with a dot or a blank, which Windows drops"),
        ("a ", "let no name end with a dot or a blank, which Windows drops"),
        ("a/con.yaml", "Windows takes 'con.yaml' for a device, so choose another name"),
        ("aux", "Windows takes 'aux' for a device, so choose another name"),
        ("COM1 .tar.gz/a", "Windows takes 'COM1 .tar.gz' for a device, so choose another name"),
    ],
)
def test_names_that_some_system_cannot_hold(path: str, problem: str) -> None:
    """Names that some operating system cannot hold are refused, so that a golden folder can be checked out anywhere."""
    assert why_not_everywhere(["a", path]) == f"{path!r} is not a path for a golden file: {problem}"


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (["a", "a/b"], "'a' is a golden file and the folder of 'a/b': give one of them another name"),
        (
            ["A.yaml", "a.yaml"],
            "'a.yaml' and 'A.yaml' are one path on systems that ignore case: give one another name",
        ),
        (["X/a", "x/b"], "'x' and 'X' are one path on systems that ignore case: give one another name"),
        (
            ["\u00e4", "a\u0308"],
            "'\u00e4' and 'a\u0308' are one path on systems that ignore case: give one another name",
        ),
        (["a.yaml", "b/a.yaml", "console.yaml", "com.yaml", "b/com10"], None),
    ],
)
def test_names_that_exclude_each_other(paths: list[str], problem: str | None) -> None:
    """Paths that are the same on some system are refused, and so is a file that is also a folder."""
    assert why_not_everywhere(paths) == problem


def test_an_update_leaves_hidden_folders_alone(tmp_path: Path) -> None:
    """What lies in a folder that begins with a dot is neither compared nor removed."""
    golden = GoldenManifests(tmp_path, tmp_path / "t/test_x.py", [])
    golden({"a/x": "1"}, "g")
    (tmp_path / "g/a/.git/objects").mkdir(parents=True)
    (tmp_path / "g/a/.git/objects/1").write_text("mine")
    golden({"b": "2"}, "g")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["g/a/.git/objects/1", "g/b"]


def test_an_update_never_follows_links(tmp_path: Path) -> None:
    """An update does not follow a link out of the golden folder."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "g").mkdir()
    (tmp_path / "g/sub").symlink_to(tmp_path / "outside")
    with pytest.raises(pytest.fail.Exception, match=r"^sub is a link: golden files stand below folders, so remove it$"):
        GoldenManifests(tmp_path, tmp_path / "t/test_x.py", [])({"sub/a": "1"}, "g")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_an_update_that_fails_changes_nothing(project: Path) -> None:
    """Where a file cannot be written, as on a full disk, the folder stays as it is, and the test fails."""
    write_a_golden(project)
    before = {path: path.read_bytes() for path in (project / "golden").rglob("*") if path.is_file()}
    topology = project / "mesh.yaml"
    topology.write_text(topology.read_text().replace("myhost.example.com", "other.example.com"))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    (project / "conftest.py").write_text(limit)
    failed = pytest_in(project, "--extcp-update-golden", PYTHONDONTWRITEBYTECODE="1")
    assert failed.returncode == 1
    assert "File too large: correct this and run again; nothing was changed" in failed.stdout
    assert "golden manifests: 0 files changed" in failed.stdout
    assert {path: path.read_bytes() for path in (project / "golden").rglob("*") if path.is_file()} == before


def test_tokens_are_never_in_goldens(tmp_path: Path) -> None:
    """A plan with credentials is refused, since its files hold tokens; a report of Secrets shows nothing of them."""
    source = ROOT / "tests/topologies/hostile.yaml"
    the_plan: Plan = plan(load(source), credentials=load_credentials(source.with_suffix(".credentials.yaml")))
    golden = GoldenManifests(tmp_path, tmp_path / "t/test_x.py", None)
    with pytest.raises(pytest.fail.Exception, match=r"^a plan with credentials has tokens in its files: leave"):
        golden(the_plan, "g")
    (tmp_path / "g").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"g/{name}.yaml").write_text(f"kind: Secret\nmetadata: {{name: {name}}}\nstringData: {{t: hush}}\n")
    new = {f"{name}.yaml": f"kind: Secret\nmetadata: {{name: {name}}}\nstringData: {{t: other}}\n" for name in "ab"}
    with pytest.raises(pytest.fail.Exception) as caught:
        golden(new, "g")
    assert "hush" not in str(caught.value)
    assert "other" not in str(caught.value)


def test_every_option_has_our_prefix() -> None:
    """The option and the entry point of the plugin have our own prefix."""
    text = (ROOT / "extcp_manifests/testing.py").read_text()
    assert text.count("addoption(") == 2  # the hook, and one option
    assert 'OPTION = "--extcp-' in text
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert entry == {"extcp-manifests": "extcp_manifests.testing"}
