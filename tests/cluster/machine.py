"""A machine within this machine: processes, mounts, network and host name of its own, by Linux namespaces.

What is started in it can change nothing outside, and all of it ends when its first process ends: also when the tests
are killed. Only its control groups are left to be removed.
"""

import os
import subprocess
from io import BufferedWriter
from pathlib import Path

from tests.platform_driver import wait_until

NETWORK = "172.31.77"
"""The first 24 bits of the addresses of the machines; this machine is .1."""
BRIDGE = "countermark0"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
CGROUPS = Path("/sys/fs/cgroup")

TUNED = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
"""What a kubelet sets for the whole kernel: it finds these values already, in files that lie over the real ones."""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/var/tmp"}

FIRST_PROCESS = r"""
set -e
mount --make-rshared /
cd {folder}
mkdir -p run etc work cgroup var/log var/tmp
cd /
mount --bind {folder}/var /var
mount --bind {folder}/run /run
mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/etc,workdir={folder}/work /etc
mount --rbind /sys/fs/cgroup {folder}/cgroup
mount -t sysfs sysfs /sys
mount --rbind {folder}/cgroup /sys/fs/cgroup
: > /etc/resolv.conf
hostname {name}
for file in {folder}/tuned/*; do mount --bind "$file" "/proc/sys/$(basename "$file" | tr : /)"; done
ip link set lo up
while ! ip link set eth0 up 2>/dev/null; do sleep 0.05; done
ip address add {address}/24 dev eth0
ip route add default via {gateway}
echo 1 > /proc/sys/net/ipv4/ip_forward
touch {folder}/ready
# What is left without a parent comes to this process, and nobody waits for it.
exec env --ignore-signal=CHLD sleep infinity
"""


class Machine:
    """One of several, which reach each other and are reached from here.

    Args:
        number: of its address, from 2.
        folder: for its files; on a file system that overlays may lie on.
    """

    def __init__(self, number: int, folder: Path) -> None:
        self.name = f"node-{number - 1}"
        self.number = number
        self.folder = folder
        self.address = f"{NETWORK}.{number}"
        self.logs = folder / "logs"
        self.cgroup = f"/countermark-{self.name}"
        self._outer: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def open(self) -> None:
        """Start it, empty."""
        self.logs.mkdir(parents=True)
        tuned = self.folder / "tuned"
        tuned.mkdir()
        for name, value in TUNED.items():
            (tuned / name.replace("/", ":")).write_text(f"{value}\n")
        self._make_cgroups()
        script = FIRST_PROCESS.format(folder=self.folder, name=self.name, address=self.address, gateway=f"{NETWORK}.1")
        kinds = ["--pid", "--mount-proc", "--mount", "--net", "--uts", "--ipc"]
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child", *kinds, "sh", "-c", script]
        with self._log("machine") as log:
            self._outer = subprocess.Popen(command, stderr=log, start_new_session=True)
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        wait_until(lambda: children.read_text().split())
        self._pid = int(children.read_text().split()[0])
        self._plug()
        wait_until((self.folder / "ready").exists)

    def close(self) -> None:
        """End everything that runs in it."""
        if self._outer:
            self._outer.kill()
            self._outer.wait()
            wait_until(lambda: not Path(f"/proc/{self._pid}").exists())
            for program in self._programs.values():
                program.wait()
        self._remove_cgroups()

    def start(self, name: str, *command: str | Path) -> None:
        """Start a program that stays; what it writes goes to ``logs/<name>.log``."""
        with self._log(name) as log:
            self._programs[name] = subprocess.Popen(
                self._inside(*command), env=ENVIRONMENT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def run(self, *command: str | Path) -> str:
        """Run a program to its end and return what it prints; a failure fails the test with what it said."""
        done = subprocess.run(self._inside(*command), env=ENVIRONMENT, capture_output=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    def write(self, path: str, text: str) -> Path:
        """A file of the machine, below /var; returns its path there."""
        outside = self.folder / path.lstrip("/")
        outside.parent.mkdir(parents=True, exist_ok=True)
        outside.write_text(text)
        return Path(path)

    def log_of(self, name: str) -> str:
        """What a program has written."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def _inside(self, *command: str | Path) -> list[str]:
        spaces = ["--mount", "--net", "--pid", "--uts", "--ipc"]
        return ["nsenter", "--target", str(self._pid), *spaces, "--", *map(str, command)]

    def _log(self, name: str) -> BufferedWriter:
        return (self.logs / f"{name}.log").open("ab")

    def _plug(self) -> None:
        """A cable from the machine to the bridge."""
        cable = f"{BRIDGE}-{self.number}"
        for command in (
            f"ip link add {cable} type veth peer name eth0 netns {self._pid}",
            f"ip link set {cable} master {BRIDGE} up",
        ):
            subprocess.run(command.split(), check=True)

    def _make_cgroups(self) -> None:
        for controller in CONTROLLERS:
            group = CGROUPS / controller / self.cgroup.lstrip("/")
            group.mkdir(exist_ok=True)
            if controller == "cpuset":
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (group / name).write_text((group.parent / name).read_text())

    def _remove_cgroups(self) -> None:
        for hierarchy in CGROUPS.iterdir():
            group = hierarchy / self.cgroup.lstrip("/")
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
            assert not group.exists()


def make_bridge() -> None:
    """What the machines are plugged into; one without cables was left by tests that were killed, and is made anew."""
    cables = Path("/sys/class/net") / BRIDGE / "brif"
    if cables.is_dir() and not any(cables.iterdir()):
        remove_bridge()
    for command in (
        f"ip link add {BRIDGE} type bridge",
        f"ip address add {NETWORK}.1/24 dev {BRIDGE}",
        f"ip link set {BRIDGE} up",
    ):
        subprocess.run(command.split(), check=True)


def remove_bridge() -> None:
    """Take it away."""
    subprocess.run(["ip", "link", "delete", BRIDGE], check=True)
