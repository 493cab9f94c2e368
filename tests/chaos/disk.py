"""The forgetful file system: built, mounted, and told to lose what was not synced (forgetful.c says what that is)."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("forgetful.c")
PACKAGES = "fuse3 libfuse3-dev pkg-config gcc"
SECONDS_TO_CHANGE = 20


class Disk:
    """A folder with ``mount``, where programs work, and ``backing``, where the files really are."""

    def __init__(self, folder: Path) -> None:
        self.mount = folder / "mount"
        self._backing = folder / "backing"
        self._program = folder / "forgetful"
        self._process: subprocess.Popen[bytes] | None = None

    def build(self) -> None:
        """Compile the file system; a changed source is compiled again."""
        if self._program.exists() and self._program.stat().st_mtime > SOURCE.stat().st_mtime:
            return
        if missing := [program for program in ("gcc", "pkg-config", "fusermount3") if not shutil.which(program)]:
            raise RuntimeError(f"{', '.join(missing)} missing: apt-get install {PACKAGES}")
        self._program.parent.mkdir(parents=True, exist_ok=True)
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True
        ).stdout.split()
        command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", str(SOURCE), "-o", str(self._program), *flags]
        subprocess.run(command, check=True)

    def open(self) -> None:
        """Mount it."""
        self.build()
        for folder in (self.mount, self._backing):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        command = [str(self._program), str(self._backing), str(self.mount)]
        self._process = subprocess.Popen(command, start_new_session=True)  # Ctrl-C is for who uses it
        deadline = time.monotonic() + SECONDS_TO_CHANGE
        while not self.mount.is_mount():
            assert self._process.poll() is None, "the forgetful file system did not start"
            assert time.monotonic() < deadline, "the forgetful file system was not mounted"
            time.sleep(0.01)

    def close(self) -> None:
        """Unmount it; everything is kept, as when a machine is shut down in order."""
        if self._process is not None:
            self._unmount()

    def cut_power(self, seed: int = 0) -> None:
        """Lose what was not synced, and mount it again. Nobody may have a file of it open.

        Args:
            seed: 0 loses all of it, another number a part of it.
        """
        os.setxattr(self.mount, "user.forget", str(seed).encode())
        self._unmount()
        self.open()

    def set_full(self, folder: str, full: bool) -> None:
        """From now on no file in a folder of the mount can grow; or they can again."""
        os.setxattr(self.mount / folder, "user.full", b"1" if full else b"0")

    def abandon(self) -> None:
        """End it, whatever state it is in; its files are of no use any more."""
        if self._process is not None:
            subprocess.run(["umount", "--lazy", str(self.mount)], check=False, capture_output=True)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _unmount(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + SECONDS_TO_CHANGE
        while (result := subprocess.run(["umount", str(self.mount)], capture_output=True, text=True)).returncode:
            assert time.monotonic() < deadline, result.stderr  # a program that was just killed may still go away
            time.sleep(0.05)
        assert self._process.wait(SECONDS_TO_CHANGE) == 0, "the forgetful file system failed"
        self._process = None


def clean_up(folder: Path) -> None:
    """Unmount what an earlier run that was killed has left below a folder."""
    for line in Path("/proc/mounts").read_text().splitlines():
        device, mount, *_ = line.split()
        if device == "forgetful" and Path(mount).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", mount], check=False)


def freeze_and_kill(pids: list[int]) -> None:
    """End processes as if at one moment: none sees that another is gone."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
