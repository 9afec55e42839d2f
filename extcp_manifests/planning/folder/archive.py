"""An output folder as a tar stream, for more files than a file system likes."""

import tarfile
from collections.abc import Iterable
from io import BytesIO
from typing import IO

from extcp_manifests.planning.folder.writing import Entry


def write_tar(stream: IO[bytes], entries: Iterable[Entry]) -> None:
    """Write entries as a tar archive that can be piped; the same entries give the same bytes everywhere.

    Files have no owner and no time; those with tokens have mode 0600. Nothing is kept but the file that is written.
    """
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            content = b"".join(entry.pieces)
            info = tarfile.TarInfo(entry.path)
            info.size = len(content)
            info.mode = 0o600 if entry.secret else 0o644
            archive.addfile(info, BytesIO(content))
