from pathlib import Path

import pytest

from codellama_core.resources import limits


def group(root: Path, path: str, **files: str) -> None:
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "self"
    path.write_text("0::/pod/container\n")
    return path


@pytest.fixture(autouse=True)
def sixteen_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))


@pytest.mark.parametrize(
    ("quota", "cpus"), [("max 100000", 16), ("400000 100000", 4), ("250000 100000", 2), ("50000 100000", 1)]
)
def test_threads_follow_the_quota(tmp_path: Path, own: Path, quota: str, cpus: int) -> None:
    group(tmp_path, "pod/container", cpu__max=quota)
    assert limits(tmp_path, own).cpus == cpus


def test_a_parents_tighter_quota_is_the_one_in_force(tmp_path: Path, own: Path) -> None:
    group(tmp_path, "pod", cpu__max="200000 100000", memory__max="1000")
    group(tmp_path, "pod/container", cpu__max="800000 100000", memory__max="max")
    found = limits(tmp_path, own)
    assert (found.cpus, found.quota, found.memory_bytes) == (2, 2.0, 1000)


def test_the_older_cgroup_layout_is_read(tmp_path: Path, own: Path) -> None:
    group(tmp_path, "cpu", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    group(tmp_path, "memory", memory__limit_in_bytes="4096")
    found = limits(tmp_path, own)
    assert (found.cpus, found.memory_bytes) == (3, 4096)


def test_no_cgroup_at_all_means_no_limit(tmp_path: Path) -> None:
    assert limits(tmp_path / "absent", tmp_path / "absent").cpus == 16
