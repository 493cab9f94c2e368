"""The most memory that functions have had."""

from pathlib import Path

from tests.platform_driver import Platform

MIB = 1024**2


def peaks(platform: Platform, *functions: str) -> dict[str, int]:
    """Of each function in bytes, as the kernel keeps it."""
    return {each: max(_peak(pid) for pid in platform.pids(each)) for each in functions}


def grown(platform: Platform, before: dict[str, int]) -> dict[str, int]:
    """By how many MiB the peaks are higher now."""
    return {each: (after - before[each]) // MIB for each, after in peaks(platform, *before).items()}


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
