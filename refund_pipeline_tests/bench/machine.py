"""The machine a benchmark ran on, and how much memory a process took at most."""

import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Describe cores, CPU, memory and versions."""
    return (
        f"{os.cpu_count()} cores ({_cpu()}), {_gigabytes():.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, dagster {version('dagster')}, "
        f"SQLAlchemy {version('SQLAlchemy')}"
    )


def peak_mb() -> float:
    """Return the most memory this process ever had resident, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _gigabytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
