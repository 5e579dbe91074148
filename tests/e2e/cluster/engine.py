"""The Docker engine: the one that runs, or one that is started here and outlives this process."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.e2e.cluster.paths import HERE, cache
from tests.e2e.cluster.progress import say
from tests.e2e.cluster.shell import ClusterError, run, succeeds
from tests.e2e.cluster.store import locked
from tests.e2e.cluster.wait import until

_CAP_SYS_RESOURCE = 24
# Three nodes of systemd, containerd and kubelet watch more files than the usual limits allow.
_KERNEL_MINIMUMS = {
    "net/ipv4/ip_forward": 1,
    "fs/inotify/max_user_instances": 1024,
    "fs/inotify/max_user_watches": 524288,
}
_CONTAINERS_SHARES = Path("/sys/fs/cgroup/cpu/docker/cpu.shares")
_CONTAINERS_WEIGHT = 10 * 1024  # of ten processes
_ENGINE_NICENESS = -10  # about as much, for the session of dockerd and its proxies
_PACKAGES = ("docker.io", "iptables", "iproute2")


def docker(*arguments: str, log: Path | None = None, stdin: str | bytes | None = None, seconds: float = 900) -> str:
    """Run docker, with the builder that every engine has, and return what it says."""
    classic = {"DOCKER_BUILDKIT": "0", "DOCKER_CLI_HINTS": "false"}
    return run(["docker", *arguments], log=log, stdin=stdin, environment=classic, timeout_seconds=seconds)


def ensure_engine() -> None:
    """Make sure that a Docker engine answers.

    Starts one if none runs, and installs it first where this process may (root on Debian or Ubuntu). Raises
    ClusterError, with the way to get one, where it may not.
    """
    with locked("engine"):
        if not answers():
            if os.geteuid() != 0:
                raise ClusterError(
                    "no Docker engine answers. Start Docker (or `sudo systemctl start docker`), or install it from "
                    "https://docs.docker.com/engine/install/, and make sure that `docker info` works for you"
                )
            if _is_ours():
                until(answers, "the Docker engine that was started here answers", seconds=120)
            else:
                _install()
                _start()
    _raise_kernel_limits()


def stop() -> None:
    """End the engine that was started here, and with it whatever runs in it; another's is left alone."""
    if _is_ours():
        say("ending the Docker engine")
        os.kill(_pid(), signal.SIGTERM)
        until(lambda: not _is_ours(), "the Docker engine does not end", seconds=120)


def answers() -> bool:
    """Whether a Docker engine answers."""
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout_seconds=20)


def install_packages(*packages: str) -> None:
    """Install Debian packages; raises ClusterError where this process may not, or if that fails."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"please install {', '.join(packages)} with your system's package manager, then try again")
    say(f"installing {', '.join(packages)}")
    # RUNLEVEL=1: a service that a package brings does not start by itself.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    log = cache() / "logs" / "apt.log"
    with locked("apt"):
        run(["apt-get", "update"], log=log, environment=quiet)
        run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], log=log, environment=quiet)


def give_weight() -> None:
    """Let the containers of an engine that was started here weigh more than one process beside them.

    Under cgroup v1 all of them together have the weight of one process of the host: one busy program then halves the
    cluster, five make nodes miss their heartbeats. The engine has a session's share (sched(7)) and must weigh as much:
    every byte to a published port goes through a proxy of its own, which waited for seconds beside busy containers.
    Another's engine is left alone.
    """
    if not _is_ours():
        return
    if _CONTAINERS_SHARES.exists() and os.access(_CONTAINERS_SHARES, os.W_OK):
        shares = max(int(_CONTAINERS_SHARES.read_text()), _CONTAINERS_WEIGHT)
        _CONTAINERS_SHARES.write_text(f"{shares}\n")
    with suppress(OSError):  # a kernel without such shares, or whoever may not
        Path(f"/proc/{_pid()}/autogroup").write_text(f"{_ENGINE_NICENESS}\n")


def _is_ours() -> bool:
    try:
        return "dockerd" in Path(f"/proc/{_pid()}/comm").read_text()
    except (OSError, ValueError):
        return False  # it was never started here, or has ended


def _pid() -> int:
    return int((cache() / "engine" / "pid").read_text())


def _install() -> None:
    missing = [name for name, command in zip(_PACKAGES, ("dockerd", "iptables", "ip"), strict=True)
               if shutil.which(command) is None]  # fmt: skip
    if missing:
        install_packages(*missing)
    # Newer releases of Debian have the client in a package of its own.
    if shutil.which("docker") is None:
        install_packages("docker-cli")
    # Debian's runc is not on every PATH, and dockerd looks there.
    if shutil.which("runc") is None and not Path("/usr/sbin/runc").exists():
        install_packages("runc")


def _start() -> None:
    home = cache() / "engine"
    home.mkdir(parents=True, exist_ok=True)
    command = ["dockerd", "--data-root", str(home / "data")]
    if not _has_capability(_CAP_SYS_RESOURCE):
        runtime = home / "runc-here"
        shutil.copy(HERE / "sources" / "runc-here", runtime)
        command += ["--add-runtime", f"here={runtime}", "--default-runtime", "here"]
    log = cache() / "logs" / "dockerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say("starting a Docker engine (it stays: the cluster lives in it)")
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, cwd="/"
        )
    (home / "pid").write_text(f"{process.pid}\n")

    def is_up() -> bool:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
            raise ClusterError(f"the Docker engine ended at once (all of it: {log}):\n{tail}")
        return answers()

    until(is_up, f"the Docker engine does not answer; see {log}", seconds=90)


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return True


def _raise_kernel_limits() -> None:
    for name, minimum in _KERNEL_MINIMUMS.items():
        setting = Path("/proc/sys") / name
        if not setting.exists() or int(setting.read_text()) >= minimum:
            continue
        if os.access(setting, os.W_OK):
            setting.write_text(f"{minimum}\n")
        elif name.startswith("net"):
            raise ClusterError(f"please run: sudo sysctl -w {name.replace('/', '.')}={minimum}")
        else:
            say(f"if a node does not start: sudo sysctl -w {name.replace('/', '.')}={minimum}")
