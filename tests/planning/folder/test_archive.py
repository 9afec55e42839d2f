"""The output as a tar stream."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from command_line import run

from extcp_manifests import load, load_credentials, plan

ROOT = Path(__file__).parents[3]
HOSTILE = ROOT / "tests/topologies/hostile.yaml"
CREDENTIALS = ROOT / "tests/topologies/hostile.credentials.yaml"


def archived(stream: bytes) -> dict[str, bytes]:
    """The files of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_the_archive_has_the_files_of_a_folder(tmp_path: Path) -> None:
    """What the stream holds is what a folder holds, but for the list of files, with tokens for the owner alone."""
    the_plan = plan(load(HOSTILE), credentials=load_credentials(CREDENTIALS))
    the_plan.write(tmp_path / "out")
    stream = io.BytesIO()
    the_plan.write_tar(stream)
    paths = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != ".extcp-manifests"]
    written = {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in paths}
    assert archived(stream.getvalue()) == written
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as archive:
        assert {member.mode for member in archive if "remote-secret" in member.name} == {0o600}
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in archive} == {(0, 0, 0, "")}


def test_the_command_writes_it() -> None:
    """`generate -o -` writes the archive and nothing else, the same in every run."""
    words = ["generate", str(HOSTILE), "-o", "-"]
    first = subprocess.run([sys.executable, "-m", "extcp_manifests", *words], capture_output=True, check=True)
    second = run(*words)  # in this process, where sets have another order
    assert "RUNBOOK.md" in archived(first.stdout)
    assert (first.stdout, first.stderr) == (second.stdout.encode(), b"")
    assert (second.returncode, second.stderr) == (0, "")


def test_tokens_stay_out_of_streams() -> None:
    """A stream may end in a file that others can read, so files with tokens need a folder."""
    done = run("generate", HOSTILE, "-o", "-", "--credentials", CREDENTIALS)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--credentials needs -o DIR, where files that hold tokens are readable by you alone." in done.stderr


def test_what_needs_a_folder_is_refused() -> None:
    """A stream cannot be compared with what is there."""
    done = run("generate", HOSTILE, "-o", "-", "--check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--check, --diff and --force compare folders: name one after -o, or leave them out." in done.stderr
