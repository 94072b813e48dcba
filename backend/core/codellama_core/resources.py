"""What this process may use: CPUs and memory from affinity and the cgroup, not from the machine's totals.

Source: Linux ``Documentation/admin-guide/cgroup-v2.rst`` (cpu.max, memory.max) and cgroup v1's cpu.cfs_quota_us.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Limits:
    """``cpus``: threads that can run at full speed. ``quota``: CPUs of cpu.max, None when unlimited.

    ``memory_bytes``: the lower of the machine's memory and memory.max.
    """

    cpus: int
    affinity: int
    quota: float | None
    memory_bytes: int


def limits(root: Path = CGROUP_ROOT, own: Path = Path("/proc/self/cgroup")) -> Limits:
    """The limits in force for this process. A quota below one CPU still gives one thread."""
    affinity = len(os.sched_getaffinity(0))
    groups = list(_ancestors(root, own))
    quotas = [quota for group in groups if (quota := _quota(group)) is not None]
    quota = min(quotas, default=None)
    cpus = affinity if quota is None else min(affinity, max(1, int(quota)))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = min([machine, *(limit for group in groups if (limit := _memory(group)) is not None)])
    return Limits(cpus=cpus, affinity=affinity, quota=quota, memory_bytes=memory)


def _ancestors(root: Path, own: Path) -> Iterator[Path]:
    """This process's cgroup and all above it: the tightest limit on the way up is the one in force."""
    yield root
    yield root / "cpu"
    yield root / "memory"
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        base = root / controllers if controllers else root
        for parent in (Path(path), *Path(path).parents):
            yield base / parent.relative_to("/")


def _quota(group: Path) -> float | None:
    fields = _read(group / "cpu.max").split()
    if not fields:
        fields = _read(group / "cpu.cfs_quota_us").split() + _read(group / "cpu.cfs_period_us").split()
    if len(fields) != 2 or fields[0] in ("max", "-1"):
        return None
    return int(fields[0]) / int(fields[1])


def _memory(group: Path) -> int | None:
    value = _read(group / "memory.max").strip() or _read(group / "memory.limit_in_bytes").strip()
    return int(value) if value.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
