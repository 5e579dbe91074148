"""Runs a program as another user when we are root: PostgreSQL and Elasticsearch refuse to run as root."""

import os
import pwd
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from taskhub_local.errors import PartUnavailableError

UNPRIVILEGED_USER = "nobody"


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def as_unprivileged(command: Sequence[str]) -> list[str]:
    """Return the command, wrapped to run as an ordinary user if we are root.

    The wrapped program keeps one capability, to pass through folders that only root may enter (a clone under
    /root, pytest's private temporary folders): the alternative would be to open those folders to everybody.
    Raises PartUnavailableError if `setpriv` (util-linux) is missing.
    """
    if not is_root():
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PartUnavailableError(
            "setpriv (package util-linux) is needed to start this as root; or run as another user"
        )
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        # access(2) otherwise ignores the capability, and Java asks it before it opens a file.
        "--securebits=+no_setuid_fixup",
        "--",
        *command,
    ]


def give_to_unprivileged(paths: Iterable[Path]) -> None:
    """Make folders, and everything in them, belong to the user that `as_unprivileged` runs as."""
    if not is_root():
        return
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    for path in paths:
        for folder, folders, files in os.walk(path):
            for name in (".", *folders, *files):
                os.chown(Path(folder) / name, user.pw_uid, user.pw_gid, follow_symlinks=False)
