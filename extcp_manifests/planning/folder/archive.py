"""An output folder as a tar stream, for more files than a file system likes."""

import tarfile
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import IO

from extcp_manifests.planning.folder.writing import Entry


def write_tar(stream: IO[bytes], entries: Iterable[Entry]) -> None:
    """Write entries as a tar archive that can be piped; the same entries give the same bytes everywhere.

    Files have no owner and no time; those with tokens have mode 0600. Nothing is kept but the file that is written.
    """
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            # The size comes before the content, which may be a runbook of hundreds of megabytes.
            with SpooledTemporaryFile(max_size=_MOST_IN_MEMORY) as content:
                for piece in entry.pieces:
                    content.write(piece)  # writelines would only look at the size when all is in memory
                info = tarfile.TarInfo(entry.path)
                info.size = content.tell()
                info.mode = 0o600 if entry.secret else 0o644
                content.seek(0)
                archive.addfile(info, content)
            # tarfile keeps every member, which a stream never reads again.
            archive.members = []  # type: ignore[attr-defined]


_MOST_IN_MEMORY = 2**24
"""Bytes of a file; files that hold tokens are never that long, so that no token gets into a temporary file."""
