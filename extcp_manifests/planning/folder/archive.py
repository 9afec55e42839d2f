"""An output folder as a tar stream, for more files than a file system likes."""

import tarfile
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import IO

from extcp_manifests.planning.folder.writing import Entry


def write_tar(stream: IO[bytes], entries: Iterable[Entry]) -> None:
    """Write entries as a tar archive that can be piped; the same entries give the same bytes everywhere.

    Files have no owner and no time; those with tokens have mode 0600 in the archive, and the stream itself
    is for the caller to protect.
    """
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            # The size comes before the content, which may be a runbook of hundreds of megabytes. What holds a token
            # stays in memory, and never gets into a temporary file.
            most_in_memory = _NO_LIMIT if entry.secret else _MOST_IN_MEMORY
            with SpooledTemporaryFile(max_size=most_in_memory) as content:
                for piece in entry.pieces:
                    content.write(piece)  # writelines would only look at the size when all is in memory
                info = tarfile.TarInfo(entry.path)
                info.size = content.tell()
                info.mode = 0o600 if entry.secret else 0o644
                content.seek(0)
                archive.addfile(info, content)
            # tarfile keeps every member, which a stream never reads again.
            archive.members = []  # type: ignore[attr-defined]


_MOST_IN_MEMORY = 2**24  # bytes of a file
_NO_LIMIT = 0
