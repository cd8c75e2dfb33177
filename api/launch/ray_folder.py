"""Where our own Ray keeps its sockets, logs and packages: below a folder that only we can enter.

Ray makes its folders writable for all users (mode 0777), also those from which its workers load code. It needs short
paths, since sockets lie in them, so the folder is in the system's temporary one and not in the data folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from api.launch.ray_token import RayError
from infra.processes.environment import folder_mark

LONGEST_TEMP = 20
"""Of the 107 bytes of a socket's path Ray's own names take about 80."""


def own_ray_folder(data_folder: Path) -> Path:
    """The folder for Ray's sessions on this data folder, made when it is missing; of older sessions the newest is kept
    for its logs.

    Raises:
        RayError: another user has made a folder of this name.
    """
    base = Path(tempfile.gettempdir())
    base = base if len(str(base)) <= LONGEST_TEMP else Path("/tmp")
    closed = base / f"eternal-{os.geteuid()}-{folder_mark(data_folder)[:8]}"
    with contextlib.suppress(FileExistsError):
        closed.mkdir(mode=0o700)
    found = closed.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise RayError(f"{closed} is in the way: it must be a folder of this user's; remove it or set TMPDIR.")
    closed.chmod(0o700)
    folder = closed / "ray"
    for session in sorted(folder.glob("session_2*"))[:-1]:
        shutil.rmtree(session, ignore_errors=True)
    return folder
