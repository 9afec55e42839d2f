"""Changing all files of a folder at once: they are old or new, however the process ends."""

import errno
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from folders import at_change, changes_of, content, in_child, kill_this_process, needs_fork, start_child

from extcp_manifests.cli import cli
from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder import exchange
from extcp_manifests.planning.folder.exchange import prepare, recover, recover_below, write_file

Files = Mapping[str, str]


@pytest.fixture
def tmp_path(memory: Path) -> Path:
    """Return a folder in memory, since these tests make and remove thousands of files."""
    return memory


OLD = {"a": "old", "b/c": "old", "b/same": "same", "stale/d": "old", "turn": "old", "to/file": "old"}
NEW = {"a": "new", "b/c": "new", "b/same": "same", "e/f/g": "new", "turn/x": "new", "to": "new"}
FOREIGN = {"notes": "mine", "b/notes": "mine", "e/empty/.keep": "mine", ".extcp-manifests-notes/x": "mine"}


def put(root: Path, files: Files) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def turn(root: Path, old: Files = OLD, new: Files = NEW) -> None:
    """Replace the old files of a folder by the new ones."""
    with prepare(root) as stage:
        for path, text in new.items():
            if old.get(path) != text:
                stage.add(path, [text.encode()])
        stage.commit(old.keys(), new.keys())


def without_swap(root: Path, old: Files = OLD, new: Files = NEW) -> None:
    """Do the same as on a file system that cannot exchange two names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "swap", lambda *_: False)
        turn(root, old, new)


def folder_with(base: Path, *parts: Files) -> dict[str, bytes | str]:
    """Return the content of a folder that is made of these files, with the folder itself as an entry."""
    out = base / "out"
    out.mkdir(parents=True)
    for part in parts:
        put(out, part)
    return content(base)


def endings(base: Path, action: Callable[[Path], None], happens: Callable[[int], None]) -> Iterator[int]:
    """Do something with base/now, a copy of base/old, as often as it makes changes; yield how each process ended.

    What happens is told the number of the change before which it shall happen; base/now stays until the next.
    """
    now = base / "now"
    shutil.copytree(base / "old", now)
    total = changes_of(partial(action, now / "out"))
    for number in range(1, total + 1):
        shutil.rmtree(now)
        shutil.copytree(base / "old", now)

        def run(number: int = number) -> None:
            happens(number)
            action(now / "out")

        yield in_child(run)


def kill(number: int) -> None:
    at_change(number, kill_this_process)


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail(number: int) -> None:
    at_change(number, fill_disk)


def fail_from(number: int) -> None:
    at_change(number, fill_disk, only_once=False)


SCENES = {
    "ours alone": ({}, turn, False),
    "with foreign files": (FOREIGN, turn, True),
    "ours alone, without an exchange of names": ({}, without_swap, True),
    "with foreign files, without an exchange of names": (FOREIGN, without_swap, True),
}


@needs_fork
@pytest.mark.parametrize(("foreign", "action", "journal"), SCENES.values(), ids=SCENES)
def test_a_process_killed_at_any_change(
    tmp_path: Path, foreign: Files, action: Callable[[Path], None], journal: bool
) -> None:
    """Wherever the process is killed, the folder is old or new, at once or, where a journal is left, after recovery."""
    old, new = (folder_with(tmp_path / name, files, foreign) for name, files in (("old", OLD), ("new", NEW)))
    journals, seen = 0, []
    for status in endings(tmp_path, action, kill):
        assert status == -signal.SIGKILL
        left = list((tmp_path / "now").rglob("journal"))
        journals += len(left)
        if not left:
            assert without_remains(tmp_path / "now") in (old, new)
        recover(tmp_path / "now/out")
        assert content(tmp_path / "now") in (old, new)
        seen.append(content(tmp_path / "now") == new)
    assert seen == sorted(seen)
    assert set(seen) == {False, True}
    assert (journals > 0) == journal


def without_remains(base: Path) -> dict[str, bytes | str]:
    """Return the content of a folder without lock and stage, beside it or inside."""
    return {path: data for path, data in content(base).items() if "extcp-manifests." not in path}


GUIDE = (Path(__file__).parents[3] / "examples/guide.yaml").read_text()


def manifests(version: str) -> Files:
    """Make a folder that every command can read, with a value in each file that shows its version."""
    head = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: a}\n"
    operator = f"{head}spec: {{hub: {version}, components: {{pilot: {{}}}}}}\n"
    return {
        "a.yaml": operator,
        "b/c.yaml": operator,
        "b/mesh.yaml": f"trustDomain: {version}\n",
        "b/topology.yaml": GUIDE.replace("name: mesh1", f"name: {version}"),
        "z/service.yaml": f"apiVersion: v1\nkind: Service\nmetadata: {{name: {version}}}\n",
        f"z/{version}.yaml": operator.replace("hub", "hubb"),
    }


READERS = (
    "validate out",
    "validate .",
    "validate out/b out/z",
    "validate out/a.yaml out/b/c.yaml",
    "validate link",
    "validate links",
    "compose -f out/a.yaml",
    "compose -f out/a.yaml -f out/b/c.yaml",
    "compose -f a.yaml",
    "merge-mesh --shared out/b/mesh.yaml --local link/b/mesh.yaml",
    "patch --overlays out/a.yaml out/z/service.yaml",
    "diff out other",
    "diff other out",
    "diff out/z other/z",
    "diff other/a.yaml out/a.yaml",
    "diff . other",
    "plan out/b/topology.yaml",
    "generate out/b/topology.yaml",
    "generate topology.yaml -o out --check",
    "generate topology.yaml -o out/b/below --check",
    "generate topology.yaml -o out/b/below",
    "kustomize topology.yaml -o link/z/below",
)


@needs_fork
def test_every_command_after_a_kill(tmp_path: Path) -> None:
    """Whether a command reads a folder, one in it, a file or a link, it finds old or new content as a whole."""
    before, after = manifests("old"), manifests("new")
    foreign = {"notes": "mine", "b/notes": "mine", "z/notes": "mine"}
    old, new = (folder_with(tmp_path / name, files, foreign) for name, files in (("old", before), ("new", after)))
    halves = 0
    for number in endings(tmp_path, partial(turn, old=before, new=after), kill):
        assert number == -signal.SIGKILL
        if without_remains(tmp_path / "now") in (old, new):
            continue
        halves += 1
        for words in READERS[halves % 6 :: 6]:  # each at every sixth change
            place = tmp_path / "read"
            shutil.copytree(tmp_path / "now", place / "now")
            first = told(place, words)
            found = {path: data for path, data in content(place / "now").items() if "below" not in path}
            assert found in (old, new), words
            if "below" not in words or "--check" in words:
                assert told(place, words) == first
            shutil.rmtree(place)
    assert halves > 12


def told(place: Path, words: str) -> tuple[int, str]:
    """Return the exit code and the output of a command about place/now, with links beside it."""
    if not (place / "links").exists():
        put(place, {"topology.yaml": GUIDE, "links/.keep": ""})
        put(place / "other", manifests("other"))
        (place / "link").symlink_to("now/out")
        (place / "out").symlink_to("now/out")
        (place / "links/out").symlink_to("../now/out")
        (place / "a.yaml").symlink_to("now/out/a.yaml")
    with chdir(place):
        done = CliRunner().invoke(cli, words.split())
    assert isinstance(done.exception, SystemExit | None), words
    return done.exit_code, done.output


@needs_fork
@pytest.mark.parametrize(
    ("foreign", "action"), [({}, turn), (FOREIGN, without_swap)], ids=["in one step", "with a journal"]
)
def test_a_change_that_fails(tmp_path: Path, foreign: Files, action: Callable[[Path], None]) -> None:
    """Whichever change fails, the folder is the old one, nothing is left over, and the error is reported."""
    old, new = (folder_with(tmp_path / name, files, foreign) for name, files in (("old", OLD), ("new", NEW)))
    failed = 0
    for status in endings(tmp_path, action, fail):
        failed += status == 3
        assert without_remains(tmp_path / "now") == (old if status else new)
        recover(tmp_path / "now/out")
        assert content(tmp_path / "now") == (old if status else new)
    assert failed


@needs_fork
def test_a_disk_that_stays_full(tmp_path: Path) -> None:
    """What can be neither written nor undone is finished by recovery."""
    old, new = (folder_with(tmp_path / name, files, FOREIGN) for name, files in (("old", OLD), ("new", NEW)))
    finished = 0
    for _ in endings(tmp_path, turn, fail_from):
        finished += without_remains(tmp_path / "now") not in (old, new)
        recover(tmp_path / "now/out")
        assert content(tmp_path / "now") in (old, new)
    assert finished


@needs_fork
def test_a_new_folder_is_killed(tmp_path: Path) -> None:
    """A new folder appears as a whole or not at all."""
    (tmp_path / "old").mkdir()
    new = folder_with(tmp_path / "new", NEW)
    seen = []
    for _ in endings(tmp_path, partial(turn, old={}), kill):
        recover(tmp_path / "now/out")
        assert content(tmp_path / "now") in ({}, new)
        seen.append(content(tmp_path / "now") == new)
    assert set(seen) == {False, True}


def test_files_that_stay_are_not_written(tmp_path: Path) -> None:
    """Unchanged files keep their time and mode; where nothing changes, the folder itself stays."""
    put(tmp_path / "out", OLD)
    (tmp_path / "out/b/same").chmod(0o640)
    before = (tmp_path / "out/b/same").stat()
    turn(tmp_path / "out")
    after = (tmp_path / "out/b/same").stat()
    assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode)
    folder = (tmp_path / "out").stat()
    turn(tmp_path / "out", NEW, NEW)
    assert (tmp_path / "out").stat() == folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_folders_keep_their_modes(tmp_path: Path) -> None:
    """A folder that replaces another one has its mode, at every depth."""
    put(tmp_path / "out", OLD)
    (tmp_path / "out").chmod(0o2750)
    (tmp_path / "out/b").chmod(0o700)
    turn(tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o2750
    assert stat.S_IMODE((tmp_path / "out/b").stat().st_mode) == 0o700


def test_the_current_folder_stays_the_same(tmp_path: Path) -> None:
    """A process whose current folder is the written one, or below it, is still in it afterwards."""
    out = tmp_path / "out"
    put(out, OLD)
    for place in (out, out / "b"):
        before = place.stat().st_ino
        with chdir(place):
            turn(out)
            assert Path.cwd() == place
        assert place.stat().st_ino == before
        turn(out, NEW, OLD)
    assert content(out) == {path: data for path, data in content(out).items() if "extcp" not in path}


def test_a_folder_that_is_a_link(tmp_path: Path) -> None:
    """The folder that a link leads to is written, and the link stays."""
    put(tmp_path / "target", OLD)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    turn(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target/turn/x").read_text() == "new"


@needs_fork
def test_a_folder_beside_which_nobody_may_write(tmp_path: Path) -> None:
    """Where nobody may write beside the folder, lock and stage are inside, and the parts move one by one."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    put(tmp_path / "parent/out", OLD)
    (tmp_path / "parent").chmod(0o500)
    try:
        turn(tmp_path / "parent/out")
    finally:
        (tmp_path / "parent").chmod(0o700)
    assert content(tmp_path / "parent") == folder_with(tmp_path / "new", NEW)


def test_a_name_that_leaves_no_room(tmp_path: Path) -> None:
    """A folder with a name of 255 letters has its stage inside, since the stage's name would be longer."""
    out = tmp_path / ("o" * 255)
    put(out, OLD)
    turn(out)
    assert list(tmp_path.iterdir()) == [out]
    put(tmp_path / "new", NEW)
    assert content(out) == content(tmp_path / "new")


@needs_fork
def test_two_at_once(tmp_path: Path) -> None:
    """A second process is refused at once with the first one's ID; a dead process blocks nobody."""
    out = tmp_path / "out"
    put(out, OLD)
    reader, writer = os.pipe()

    def hold() -> None:
        with prepare(out) as stage:
            stage.add("a", [b"held"])
            os.write(writer, b"!")
            os.read(os.pipe()[0], 1)  # for ever

    child = start_child(hold)
    try:
        os.read(reader, 1)
        with pytest.raises(OutputError) as caught:
            turn(out)
        place, message = str(caught.value).split(": ", 1)
        assert place == str(out)
        assert message.startswith(f"is being written by process {child} on {socket.gethostname()} since 2")
        assert message.endswith("Z: wait for it, or stop it")
        with pytest.raises(OutputError) as caught:
            turn(out / "b/below", old={})
        assert str(caught.value).startswith(f"{out}: is being written by process {child} on ")
        recover(out)  # has nothing to finish
        assert (tmp_path / ".out.extcp-manifests.stage/new/a").read_text() == "held"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
    turn(out)
    assert content(tmp_path / "out")["turn/x"] == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@needs_fork
def test_a_folder_that_is_being_renamed(tmp_path: Path) -> None:
    """While a process finishes a journal, others neither read the folder nor finish the journal."""
    out = tmp_path / "out"
    put(out, OLD)
    reader, writer = os.pipe()

    def hold() -> None:
        with prepare(out) as stage:
            stage.add("a", [b"held"])
            (tmp_path / ".out.extcp-manifests.stage/journal").write_text("[]")
            os.write(writer, b"!")
            os.read(os.pipe()[0], 1)  # for ever

    child = start_child(hold)
    try:
        os.read(reader, 1)
        for path in (out, out / "a", out / "b/c/d"):
            with pytest.raises(OutputError) as caught:
                recover(path)
            assert str(caught.value).startswith(f"{out}: is being written by process {child} on ")
            assert str(caught.value).endswith("Z: wait for it, or stop it")
        with pytest.raises(OutputError):
            recover_below(tmp_path)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
    recover(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@needs_fork
def test_many_pairs_at_once(tmp_path: Path) -> None:
    """Of two processes that start together one may be refused; the files are those of one that was not."""
    for number in range(20):
        out = tmp_path / str(number) / "out"
        put(out, {str(each): "old" for each in range(10)})
        old = {str(each): "old" for each in range(10)}
        versions = [{str(each): version for each in range(10)} for version in ("one", "two")]
        children = [start_child(partial(turn, out, old, version)) for version in versions]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        done = [version for version, code in zip(versions, codes, strict=True) if code == 0]
        assert done
        assert {path: data.decode() for path, data in content(out).items() if isinstance(data, bytes)} in done
        assert list(out.parent.iterdir()) == [out]


@needs_fork
def test_a_reader_who_may_not_write(tmp_path: Path) -> None:
    """A process that cannot finish a run reads on if no part has moved, and is refused if one may have."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    out, stage = tmp_path / "parent/out", tmp_path / "parent/.out.extcp-manifests.stage"
    put(out, OLD)
    put(stage, {"new/a": "new"})
    (tmp_path / "parent").chmod(0o500)
    try:
        recover(out / "a")
        recover_below(out.parent)
        (stage / "journal").write_text("[]")
        for mode in (0o700, 0):  # not even the names in another user's stage can be read
            stage.chmod(mode)
            with pytest.raises(OutputError) as caught:
                recover(out / "a")
            assert str(caught.value) == (
                f"{out}: Permission denied: make it writable for you, or choose another folder; "
                "until then the folder may be a mixture, since a run ended early"
            )
    finally:
        (tmp_path / "parent").chmod(0o700)
        stage.chmod(0o700)
    recover(out / "a")
    assert not stage.exists()


def test_what_stands_in_the_place_of_a_stage(tmp_path: Path) -> None:
    """A folder with the stage's name that no run made is not removed."""
    put(tmp_path / "out", OLD)
    put(tmp_path / ".out.extcp-manifests.stage", {"mine": "mine"})
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        turn(tmp_path / "out")
    place = tmp_path / ".out.extcp-manifests.stage"
    assert str(caught.value) == f"{place}: is where the new files would wait: move it away"
    assert {path: data for path, data in content(tmp_path).items() if not path.endswith(".lock")} == before


@pytest.mark.parametrize("path", ["../x", "/x", "link/x", "a/../../x", "\\\\x"])
@pytest.mark.parametrize("text", ['[{"path": %s, "old": false, "new": true}]', '[{"path": %s}]', "{", "5"])
def test_a_forged_journal(tmp_path: Path, path: str, text: str) -> None:
    """A journal with paths outside of the folder, or with anything else in it, is not followed."""
    put(tmp_path / "out", OLD)
    put(tmp_path / ".out.extcp-manifests.stage/new", {"x": "evil"})
    (tmp_path / "out/link").symlink_to(tmp_path)
    journal = tmp_path / ".out.extcp-manifests.stage/journal"
    journal.write_text(text.replace("%s", f'"{path}"'))
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        recover(tmp_path / "out")
    assert str(caught.value) == f"{journal}: is not what a run wrote: restore the folder, and remove the stage"
    assert content(tmp_path) == before


@needs_fork
def test_a_journal_of_another_user(tmp_path: Path) -> None:
    """Where everybody may write beside a folder, only a journal of its owner is followed."""
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    put(tmp_path / "out", OLD)
    put(tmp_path / ".out.extcp-manifests.stage", {"new/x": "evil", "journal": '[{"path":"x","old":false,"new":true}]'})
    journal = tmp_path / ".out.extcp-manifests.stage/journal"
    os.chown(journal, 65534, -1)
    before = content(tmp_path)
    for action in (recover, turn):
        with pytest.raises(OutputError) as caught:
            action(tmp_path / "out")
        assert str(caught.value) == (
            f"{journal}: belongs neither to you nor to the folder's owner: "
            "have that user run again, or restore the folder, and remove the stage"
        )
    assert content(tmp_path) == before
    os.chown(tmp_path / "out", 65534, -1)
    recover(tmp_path / "out")
    assert (tmp_path / "out/x").exists()


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("file/x/out", "Not a directory: choose a folder that does not lie below a file; nothing was changed"),
        ("n" * 300, "File name too long: choose shorter names; nothing was changed"),
        ("file", "is not a folder: choose another"),
    ],
)
def test_what_the_file_system_refuses(tmp_path: Path, folder: str, problem: str) -> None:
    """The message has the user's folder, the reason and what to do."""
    (tmp_path / "file").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        turn(tmp_path / folder, old={})
    assert str(caught.value) == f"{tmp_path / folder}: {problem}"
    assert content(tmp_path) == before


@needs_fork
def test_a_file_that_does_not_fit(tmp_path: Path) -> None:
    """A file that cannot be written as a whole is named as the user knows it, and leaves what was there."""
    import resource

    put(tmp_path, {"program": "old"})

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        reason = "File too large: correct this and run again; nothing was changed"
        with pytest.raises(OutputError) as caught:
            write_file(tmp_path / "program", b"x" * 2000)
        assert str(caught.value) == f"{tmp_path / 'program'}: {reason}"
        with pytest.raises(OutputError) as caught, prepare(tmp_path / "out") as stage:
            stage.add("a/b", [b"x" * 2000])
        assert str(caught.value) == f"{tmp_path / 'out/a/b'}: {reason}"

    assert in_child(run) == 0
    assert content(tmp_path) == {"program": b"old"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_modes_of_files(tmp_path: Path) -> None:
    """A file with a token is readable by its owner alone; a program can be run."""
    with prepare(tmp_path / "out") as stage:
        stage.add("token", [b"t"], secret=True)
        stage.commit((), ("token",))
    assert stat.S_IMODE((tmp_path / "out/token").stat().st_mode) == 0o600
    write_file(tmp_path / "program", b"#!/bin/sh\n", mode=0o755)
    assert os.access(tmp_path / "program", os.X_OK)
