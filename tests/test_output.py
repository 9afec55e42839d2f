"""Writing a folder: all or nothing, and nothing that is not ours."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extcp_manifests import ClusterCredentials, Plan, load, load_credentials, plan
from extcp_manifests.errors import OutputError
from extcp_manifests.output import LISTING, Entry, write

ROOT = Path(__file__).parents[1]


def the_plan(release: str = "1.24", credentials: dict[str, ClusterCredentials] | None = None) -> Plan:
    return plan(load(ROOT / "examples/guide.yaml", release=release), credentials=credentials)


def content(folder: Path) -> dict[str, bytes | str]:
    """Every file and link below a folder, hidden ones too, with content or target, and every folder."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else ("folder" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


def test_files_runbook_and_listing(tmp_path: Path) -> None:
    """A plan's files, its runbook and the list of them are written, into a folder that did not exist."""
    target = tmp_path / "a/b"
    written = the_plan().write(target)
    files = {path: data for path, data in content(target).items() if data != "folder"}
    listing = files.pop(LISTING)
    assert files == {**the_plan().render(), "RUNBOOK.md": the_plan().runbook().encode()}
    assert sorted(files) == sorted(written)
    assert isinstance(listing, bytes)
    assert listing.decode().splitlines()[1:] == sorted(written)


def test_the_same_plan_again_changes_nothing(tmp_path: Path) -> None:
    """A second run of the same plan leaves the same folder."""
    the_plan().write(tmp_path)
    before = content(tmp_path)
    the_plan().write(tmp_path)
    assert content(tmp_path) == before


def test_files_that_no_longer_belong_are_removed(tmp_path: Path) -> None:
    """A run for another release takes away what only the earlier run wrote; a person's files stay."""
    the_plan("1.23").write(tmp_path)
    (tmp_path / "cluster1/notes.txt").write_text("mine")
    the_plan("1.24").write(tmp_path)
    assert not (tmp_path / "cluster1/sample/sleep.yaml").exists()
    assert (tmp_path / "cluster1/sample/curl.yaml").exists()
    assert (tmp_path / "cluster1/notes.txt").read_text() == "mine"


def test_folders_that_become_empty_go_too(tmp_path: Path) -> None:
    """A folder stays only while something is in it."""
    write(tmp_path, [Entry("a/b/c", (b"1",)), Entry("a/d", (b"2",))])
    write(tmp_path, [Entry("a/d", (b"2",))])
    assert set(content(tmp_path)) == {"a", "a/d", LISTING}
    write(tmp_path, [])
    assert set(content(tmp_path)) == {LISTING}


def test_a_foreign_file_stops_everything(tmp_path: Path) -> None:
    """A file in the way that this library did not write is not touched, and nothing else is written."""
    (tmp_path / "external").mkdir()
    (tmp_path / "external/namespace.yaml").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        the_plan().write(tmp_path)
    place = tmp_path / "external/namespace.yaml"
    assert str(caught.value) == (f"{place}: was not written by extcp-manifests: move it away or choose another folder")
    assert caught.value.path == str(place)
    assert content(tmp_path) == before


def test_files_of_a_killed_run_are_taken_over(tmp_path: Path) -> None:
    """A file that has the very content already is no obstacle, as after a run that was killed before its listing."""
    the_plan().write(tmp_path)
    before = content(tmp_path)
    (tmp_path / LISTING).unlink()
    the_plan().write(tmp_path)
    assert content(tmp_path) == before


class Stop(BaseException):
    """Stands for whatever may end a run: an interrupt, a full disk."""


def broken(count: int) -> Iterator[Entry]:
    for number in range(count):
        yield Entry(f"new/{number}", (b"new",))
    raise Stop


@pytest.mark.parametrize("existing", [False, True])
def test_a_failure_while_rendering_leaves_the_folder_as_it_was(tmp_path: Path, existing: bool) -> None:
    """If a file cannot be made, no file of the run appears; a folder that was made for it goes."""
    target = tmp_path / "out"
    if existing:
        write(target, [Entry("a", (b"old",)), Entry("new/0", (b"old",))])
    before = content(tmp_path)
    with pytest.raises(Stop):
        write(target, broken(3))
    assert content(tmp_path) == before


@pytest.mark.parametrize("fail_at", range(6))
def test_a_failure_while_renaming_leaves_the_folder_as_it_was(
    tmp_path: Path, fail_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever renaming fails, those before it are taken back."""
    write(tmp_path, [Entry("a", (b"old",)), Entry("b/c", (b"old",)), Entry("stale/d", (b"old",))])
    before = content(tmp_path)
    rename, done = Path.rename, iter(range(1000))

    def sometimes(self: Path, target: Path) -> Path:
        if next(done) == fail_at:
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", sometimes)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, [Entry("a", (b"new",)), Entry("b/c", (b"new",)), Entry("e/f/g", (b"new",))])
    assert content(tmp_path) == before


@pytest.mark.parametrize("fail_at", range(1, 6))
def test_what_cannot_be_put_back_is_kept(tmp_path: Path, fail_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """If taking back fails too, no file of before is lost: it is where the error says."""
    old = {"a": b"old a", "b/c": b"old c", "stale/d": b"old d"}
    write(tmp_path, [Entry(path, (data,)) for path, data in old.items()])
    rename, done = Path.rename, iter(range(1000))

    def broken_for_good(self: Path, target: Path) -> Path:
        if next(done) >= fail_at and ".kept" not in str(target):
            raise OSError(5, "Input/output error", str(target))
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", broken_for_good)
        with pytest.raises(OutputError, match="could not be put back after a failure; the files of before are in"):
            write(tmp_path, [Entry("a", (b"new",)), Entry("b/c", (b"new",)), Entry("e", (b"new",))])
    found = {data for data in content(tmp_path).values() if isinstance(data, bytes)}
    assert set(old.values()) <= found
    kept = {path: data for path, data in content(tmp_path).items() if ".kept" in path}
    write(tmp_path, [Entry("a", (b"newer",))])
    assert kept == {path: data for path, data in content(tmp_path).items() if ".kept" in path} != {}


KILLED = """
import os, pathlib, signal, sys
from extcp_manifests.output import Entry, write
rename, calls = pathlib.Path.rename, iter(range(100))
def killing(self, target):
    if next(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.rename = killing
write(sys.argv[1], [Entry("a", (b"new",)), Entry("b/c", (b"new",)), Entry("e/f", (b"new",))])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kill_at", range(6))
def test_a_killed_run_is_put_right_by_the_next(tmp_path: Path, kill_at: int) -> None:
    """Whenever a run is killed, another run, of whatever plan, finds its own files and leaves no remains."""
    write(tmp_path, [Entry("a", (b"old",)), Entry("b/c", (b"old",)), Entry("stale/d", (b"old",))])
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path, str(kill_at)], check=False)
    assert killed.returncode == -signal.SIGKILL
    write(tmp_path, [Entry("a", (b"third",)), Entry("g", (b"third",))])
    left = {path: data for path, data in content(tmp_path).items() if path != LISTING}
    assert left == {"a": b"third", "g": b"third"}


def test_a_listing_that_is_none(tmp_path: Path) -> None:
    """A listing that is no text, or no file, is told."""
    (tmp_path / LISTING).write_bytes(b"\xff")
    with pytest.raises(OutputError, match=r"\.extcp-manifests: is no list of files: remove it$"):
        the_plan().write(tmp_path)
    (tmp_path / LISTING).unlink()
    (tmp_path / LISTING).mkdir()
    with pytest.raises(OutputError, match=r"\.extcp-manifests: stands where a file of the output belongs"):
        the_plan().write(tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link where a folder or a file of the output belongs leads out, so the run stops."""
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    target.mkdir()
    (target / "external").symlink_to(outside)
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        the_plan().write(target)
    assert str(caught.value) == f"{target / 'external'}: stands where a folder of the output belongs: move it away"
    (target / "external").unlink()
    (target / "RUNBOOK.md").symlink_to(outside / "x")
    with pytest.raises(OutputError, match=r"RUNBOOK\.md: stands where a file of the output belongs: move it away$"):
        the_plan().write(target)
    (target / "RUNBOOK.md").unlink()
    assert before["outside"] == "folder"
    assert content(outside) == {}


@pytest.mark.parametrize(
    "line", ["../outside.txt", "/etc/passwd", "//etc/passwd", "a/../../outside.txt", "..\\outside.txt"]
)
def test_a_forged_listing_removes_nothing_outside(tmp_path: Path, line: str) -> None:
    """The list of an earlier run may have been changed; a path that leads out stops the run."""
    (tmp_path / "outside.txt").write_text("mine")
    target = tmp_path / "out"
    the_plan().write(target)
    (target / LISTING).write_text(f"{line}\n")
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        the_plan().write(target)
    assert str(caught.value) == f"{line}: leads out of the folder: remove it from {LISTING}"
    assert content(tmp_path) == before


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """An output folder that is a file is refused."""
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match=r"out: is no folder: choose another$"):
        the_plan().write(tmp_path / "out")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_files_with_tokens_are_private(tmp_path: Path) -> None:
    """Files that hold tokens have mode 0600 also over older ones, and no other file holds a token."""
    credentials = load_credentials(ROOT / "tests/topologies/hostile.credentials.yaml")
    hostile = plan(load(ROOT / "tests/topologies/hostile.yaml"), credentials=credentials)
    written = hostile.write(tmp_path)
    secret = [path for path in written if "/remote-secret-" in path]
    assert len(secret) == 2
    for path in secret:
        (tmp_path / path).chmod(0o644)
    hostile.write(tmp_path)
    for path in written:
        mode = stat.S_IMODE((tmp_path / path).stat().st_mode)
        assert (mode == 0o600) == (path in secret), path
        assert (b"not-a-token-1" in (tmp_path / path).read_bytes()) == (path == secret[0]), path


def test_every_file_is_announced(tmp_path: Path) -> None:
    """`on_file` hears of each path as it is written."""
    heard: list[str] = []
    assert the_plan().write(tmp_path, on_file=heard.append) == heard
