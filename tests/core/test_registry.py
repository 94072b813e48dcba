from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import plain_url, sync_engine
from codellama_core.models import ModelVersion, VersionState


@pytest.fixture
def session(fresh_database_url: str) -> Iterator[Session]:
    engine = sync_engine(fresh_database_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def add(session: Session, tmp_path: Path, name: str, state: VersionState = VersionState.AVAILABLE) -> ModelVersion:
    path = tmp_path / f"{name}.gguf"
    path.write_text(name)
    digest = registry.sha256_of(path)
    return registry.register(
        session, models_dir=tmp_path, path=path, name=name, sha256=digest, size_bytes=len(name), state=state
    )


def test_promotion_keeps_the_previous_champion_and_rollback_swaps_them(session: Session, tmp_path: Path) -> None:
    first, second = add(session, tmp_path, "first"), add(session, tmp_path, "second")
    registry.promote(session, first.id)
    assert registry.previous(session) is None
    registry.promote(session, second.id)
    assert (registry.champion(session), registry.previous(session)) == (second, first)
    assert registry.rollback(session) == first
    assert (registry.champion(session), registry.previous(session)) == (first, second)


def test_promoting_the_champion_again_keeps_previous(session: Session, tmp_path: Path) -> None:
    first, second = add(session, tmp_path, "first"), add(session, tmp_path, "second")
    registry.promote(session, first.id)
    registry.promote(session, second.id)
    registry.promote(session, second.id)
    assert registry.previous(session) == first


def test_a_rejected_version_is_never_promoted(session: Session, tmp_path: Path) -> None:
    rejected = add(session, tmp_path, "bad", VersionState.REJECTED)
    with pytest.raises(registry.UnknownVersionError):
        registry.promote(session, rejected.id)


def test_a_challenger_stands_beside_the_champion_until_it_wins_or_is_withdrawn(
    session: Session, tmp_path: Path
) -> None:
    first, second, third = (add(session, tmp_path, name) for name in ("first", "second", "third"))
    registry.promote(session, first.id)
    registry.challenge(session, second.id)
    registry.challenge(session, third.id)
    assert (registry.champion(session), registry.challenger(session)) == (first, third)
    registry.promote(session, second.id)
    assert registry.challenger(session) == third
    registry.promote(session, third.id)
    assert (registry.champion(session), registry.challenger(session)) == (third, None)
    registry.challenge(session, first.id)
    registry.end_challenge(session)
    assert registry.challenger(session) is None


def test_a_challenger_that_is_rolled_back_to_is_none_any_more(session: Session, tmp_path: Path) -> None:
    first, second = add(session, tmp_path, "first"), add(session, tmp_path, "second")
    registry.promote(session, first.id)
    registry.promote(session, second.id)
    registry.challenge(session, first.id)
    assert registry.rollback(session) == first
    assert registry.challenger(session) is None


def test_a_rejected_version_is_no_challenger(session: Session, tmp_path: Path) -> None:
    rejected = add(session, tmp_path, "bad", VersionState.REJECTED)
    with pytest.raises(registry.UnknownVersionError):
        registry.challenge(session, rejected.id)


def test_there_is_nothing_to_roll_back_to_at_first(session: Session, tmp_path: Path) -> None:
    registry.promote(session, add(session, tmp_path, "only").id)
    with pytest.raises(registry.NoPreviousVersionError):
        registry.rollback(session)


def test_the_same_file_is_one_version_wherever_it_lies(session: Session, tmp_path: Path) -> None:
    first = add(session, tmp_path, "model")
    moved = tmp_path / "elsewhere.gguf"
    (tmp_path / "model.gguf").rename(moved)
    again = registry.register(
        session, models_dir=tmp_path, path=moved, name="other", sha256=first.sha256, size_bytes=first.size_bytes
    )
    assert again is first
    assert registry.file_of(again, tmp_path) == moved


def test_a_name_in_use_is_made_distinct(session: Session, tmp_path: Path) -> None:
    first = add(session, tmp_path, "same")
    (tmp_path / "same.gguf").write_text("other content")
    digest = registry.sha256_of(tmp_path / "same.gguf")
    second = registry.register(
        session, models_dir=tmp_path, path=tmp_path / "same.gguf", name="same", sha256=digest, size_bytes=13
    )
    assert second.name == f"same-{digest[:8]}" != first.name


def test_promotion_notifies_when_it_commits(session: Session, tmp_path: Path, fresh_database_url: str) -> None:
    import psycopg

    with psycopg.connect(plain_url(fresh_database_url), autocommit=True) as listener:
        listener.execute(f"LISTEN {registry.MODEL_CHANGED}")
        registry.promote(session, add(session, tmp_path, "model").id)
        session.commit()
        assert [n.channel for n in listener.notifies(timeout=10, stop_after=1)] == [registry.MODEL_CHANGED]
