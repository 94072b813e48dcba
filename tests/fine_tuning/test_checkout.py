"""A git repository comes in like a folder, and nothing of what opens its address is seen again."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from codellama_core.models import Document
from finetuning.checkout import name_of, shown, source_folder
from finetuning.config import Settings, git_environment
from finetuning.errors import ConfigError, FinetuneError, UsageError
from tests.fine_tuning.world import Cli, settings

MakeCli = Callable[[Settings], Cli]

NOBODY = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *NOBODY, "-C", folder, *arguments], check=True, capture_output=True, text=True, env=git_environment()
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on main, the first of them tagged v1, and a work tree that has changed since."""
    folder = tmp_path / "widgets"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text, tag in (("x = 1\n", "v1"), ("x = 2\n", "v2")):
        (folder / "widget.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", tag)
        git(folder, "tag", tag)
    (folder / "widget.py").write_text("x = 'not committed'\n")
    return folder


@pytest.fixture
def bare(repository: Path) -> Path:
    target = repository.parent / "widgets.git"
    git(repository, "clone", "--quiet", "--bare", str(repository), str(target))
    return target


def content(source: str, ref: str | None = None) -> str:
    with source_folder(source, ref) as folder:
        return (folder / "widget.py").read_text()


def test_an_address_gives_the_newest_commit_and_a_folder_its_files_as_they_are(repository: Path, bare: Path) -> None:
    assert content(repository.as_uri()) == "x = 2\n"
    assert content(bare.as_uri()) == "x = 2\n"
    assert content(str(bare)) == "x = 2\n"
    assert content(str(repository)) == "x = 'not committed'\n"


def test_a_branch_tag_or_commit_can_be_chosen(repository: Path, bare: Path) -> None:
    first = git(repository, "rev-parse", "v1")
    assert content(bare.as_uri(), "v1") == content(bare.as_uri(), first) == content(str(repository), "v1") == "x = 1\n"
    assert content(bare.as_uri(), "main") == "x = 2\n"


def test_what_was_fetched_is_gone_afterwards(bare: Path) -> None:
    with source_folder(bare.as_uri(), None) as folder:
        assert git(folder, "rev-list", "--count", "HEAD") == "1", "without its history"
    assert not folder.exists()


def test_a_repository_that_cannot_be_fetched_is_named_in_a_sentence(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(FinetuneError, match=r"none\.git could not be fetched: .*not"):
        content(f"file://{tmp_path}/none.git")
    with pytest.raises(FinetuneError, match=r"could not be fetched: .*no-such-branch"):
        content(bare.as_uri(), "no-such-branch")
    with pytest.raises(FinetuneError, match="could not be fetched"):
        content(bare.as_uri(), "--upload-pack=false")
    with pytest.raises(UsageError, match="neither a folder"):
        content(str(tmp_path / "none"))


def test_without_git_a_sentence_says_what_to_do(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is not installed"):
        content(bare.as_uri())


def test_credentials_are_neither_shown_nor_part_of_the_name() -> None:
    address = "https://bot:glpat-12345@127.0.0.1:9/group/widgets.git?private_token=67890"
    assert shown(address) == "https://127.0.0.1:9/group/widgets.git"
    assert name_of(address) == "widgets"
    with pytest.raises(FinetuneError) as error:
        content(address)
    assert not any(secret in str(error.value) for secret in ("bot", "glpat", "67890"))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("git@git.example.org:group/widgets.git", "widgets"),
        ("ssh://git@git.example.org:2222/group/widgets/", "widgets"),
        ("/srv/git/widgets.git", "widgets"),
    ],
)
def test_a_repository_is_kept_under_the_last_part_of_its_address(source: str, name: str) -> None:
    assert name_of(source) == name


def test_documents_of_a_repository_come_under_its_name_and_are_brought_up_to_date(
    engine: Engine, run_cli: MakeCli, bare: Path
) -> None:
    cli = run_cli(settings())
    assert cli("ingest", bare.as_uri(), "--ref", "v1").stdout == "widgets: new: 1\n"
    assert cli("ingest", bare.as_uri()).stdout == "widgets: changed: 1\n"
    with Session(engine) as session:
        (document,) = session.scalars(select(Document))
    assert (document.repo, document.path, document.content) == ("widgets", "widget.py", "x = 2\n")


def test_a_license_that_is_not_allowed_is_refused_by_name(run_cli: MakeCli, repository: Path) -> None:
    cli = run_cli(settings())
    refused = cli("ingest", str(repository), "--license", "AGPL-3.0")
    assert refused.returncode == 64
    assert "AGPL-3.0" in refused.stderr
    cli.environment["TRAINING_LICENSES"] = "MIT, AGPL-3.0"
    assert cli("ingest", str(repository), "--license", "AGPL-3.0").stdout == "widgets: new: 1\n"
