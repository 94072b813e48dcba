"""Stage 1, extract: from rows of the database to a snapshot of token rows on disk.

The snapshot is one Parquet file (``rows.parquet``), written with the datasets library; its fingerprint is the Merkle
root over the rows' hashes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, delete, insert

from codellama_core.models import Split, TrainingRow
from finetuning.base_model import BaseModel
from finetuning.config import ExtractSettings
from finetuning.context import Context
from finetuning.files import replacing
from finetuning.held_out import HeldOut, resembling
from finetuning.hygiene import NEAR_HELD_OUT, clean, merkle_root
from finetuning.items import Code, Item, Rejection, Source
from finetuning.library import replay_items
from finetuning.rows import Row, RowMaker
from finetuning.sources import read_items

SNAPSHOT = "rows.parquet"


def extract(context: Context) -> dict[str, Any]:
    """Write the snapshot and the run's ``training_rows``; returns counts, fingerprint and what is missing, if anything.

    The report's ``nothing_to_do`` is a sentence when there are too few rows to learn from or to judge by, else None.
    """
    settings, progress = context.settings.extract, context.progress
    rows, rejections = gather(context.engine, context.base, settings, context.environment.licenses, progress.report)
    _save(rows, context.folder / SNAPSHOT)
    _record(context, rows, rejections)
    return report_of(rows, rejections, settings.min_gate_rows)


def gather(
    engine: Engine,
    base: BaseModel,
    settings: ExtractSettings,
    licenses: Collection[str],
    report: Callable[..., None] = lambda fraction, **figures: None,
) -> tuple[list[Row], list[Rejection]]:
    """The rows as the database is now, with replayed code, and what is not learned from with the reason."""
    items, rejections = read_items(engine, licenses)
    report(0.2, items=len(items))
    items, foreign = _of_languages(items, settings.languages)
    kept, dirty = clean(items, settings.near_duplicate, settings.gate_share, settings.dev_share)
    report(0.5, kept=len(kept))
    maker = RowMaker(base, settings.max_tokens, settings.infills_per_1000_tokens)
    rows, too_long = _rows(maker, kept)
    rows, over = _limited(rows, settings.max_train_tokens)
    judging = HeldOut((item for item, split in kept if split is not Split.TRAIN), settings.near_duplicate)
    replayed, known = _replay(maker, _replayed_tokens(rows, settings.replay_share), settings.seed, judging)
    rows, alike = _without_held_out([*rows, *replayed], settings.near_duplicate)
    report(0.8, rows=len(rows))
    return rows, [*rejections, *foreign, *dirty, *too_long, *over, *known, *alike]


def read_rows(folder: Path, split: Split) -> list[Row]:
    """The rows of a run's snapshot that are in ``split``, in the order in which they were written."""
    import pyarrow.parquet  # type: ignore[import-untyped]

    table = pyarrow.parquet.read_table(folder / SNAPSHOT, filters=[("split", "=", split.value)])
    return [_row(values) for values in table.to_pylist()]


def within(rows: Iterable[Row], tokens: int) -> list[Row]:
    """Rows in an order fixed by their hashes, up to a number of tokens; at least one, if there is any."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda row: row.sha256):
        tokens -= len(row.ids)
        if kept and tokens < 0:
            break
        kept.append(row)
    return kept


def _of_languages(items: list[Item], languages: tuple[str, ...] | None) -> tuple[list[Item], list[Rejection]]:
    def wanted(item: Item) -> bool:
        return languages is None or not isinstance(item.content, Code) or item.content.language in languages

    return [i for i in items if wanted(i)], [Rejection.of(i, "language") for i in items if not wanted(i)]


def _rows(maker: RowMaker, kept: Iterable[tuple[Item, Split]]) -> tuple[list[Row], list[Rejection]]:
    rows: list[Row] = []
    too_long: list[Rejection] = []
    for item, split in kept:
        made = list(maker.rows(item, split))
        rows += made
        if not made:
            too_long.append(Rejection.of(item, "too_long"))
    return rows, too_long


def _without_held_out(rows: list[Row], threshold: float) -> tuple[list[Row], list[Rejection]]:
    """Two files may differ and yet share a piece: rows are compared once more, by their tokens."""
    gate = [row for row in rows if row.split is Split.GATE]
    alike = resembling([row for row in rows if row.split is Split.TRAIN], gate, threshold)
    gone = {id(row) for row in alike}
    return [row for row in rows if id(row) not in gone], [
        Rejection(row.source, row.source_id, row.sha256, NEAR_HELD_OUT) for row in alike
    ]


def _limited(rows: list[Row], max_train_tokens: int) -> tuple[list[Row], list[Rejection]]:
    """All held-out rows and what people said; of source code as much as the limit on training tokens allows."""
    code = [row for row in rows if row.split is Split.TRAIN and row.source is Source.DOCUMENT]
    others = [row for row in rows if not (row.split is Split.TRAIN and row.source is Source.DOCUMENT)]
    said = sum(len(row.ids) for row in others if row.split is Split.TRAIN)
    learned = within(code, max_train_tokens - said)
    kept = {row.sha256 for row in learned}
    over = [Rejection(r.source, r.source_id, r.sha256, "over_limit") for r in code if r.sha256 not in kept]
    return [*others, *learned], over


def _replayed_tokens(rows: list[Row], share: float) -> float:
    """So many that they are ``share`` of all training tokens."""
    return sum(len(row.ids) for row in rows if row.split is Split.TRAIN) * share / (1 - share)


def _replay(maker: RowMaker, tokens: float, seed: int, judging: HeldOut) -> tuple[list[Row], list[Rejection]]:
    """General code of about so many tokens, without what judges here."""
    rows: list[Row] = []
    known: list[Rejection] = []
    for item in replay_items(seed):
        if tokens <= 0:
            break
        if judging.resembles(item):
            known.append(Rejection.of(item, NEAR_HELD_OUT))
            continue
        for row in maker.rows(item, Split.TRAIN):
            if tokens > 0:
                rows.append(row)
                tokens -= len(row.ids)
    return rows, known


def _save(rows: list[Row], path: Path) -> None:
    from datasets import Dataset, Features, List, Value

    text = Value("string")
    features = Features(
        {
            **dict.fromkeys(("source", "source_id", "group", "kind", "split", "sha256"), text),
            "ids": List(Value("int32")),
            "first": Value("int32"),
        }
    )
    with replacing(path) as temporary:
        columns = {name: [values[name] for values in map(_values, rows)] for name in features}
        Dataset.from_dict(columns, features=features).to_parquet(str(temporary))


def _values(row: Row) -> dict[str, Any]:
    return {
        "source": row.source.value,
        "source_id": str(row.source_id),
        "group": row.group,
        "kind": row.kind,
        "split": row.split.value,
        "sha256": row.sha256,
        "ids": list(row.ids),
        "first": row.first,
    }


def _row(values: dict[str, Any]) -> Row:
    return Row(
        source=Source(values["source"]),
        source_id=UUID(values["source_id"]),
        group=values["group"],
        kind=values["kind"],
        split=Split(values["split"]),
        ids=tuple(values["ids"]),
        first=values["first"],
    )


def _record(context: Context, rows: list[Row], rejections: list[Rejection]) -> None:
    kept = [_record_values(context, row, split=row.split, kept=True, reason=None) for row in rows]
    refused = [_record_values(context, r, split=None, kept=False, reason=r.reason) for r in rejections]
    with context.engine.begin() as connection:
        connection.execute(delete(TrainingRow).where(TrainingRow.run_id == context.run_id))
        if kept or refused:
            connection.execute(insert(TrainingRow), [*kept, *refused])


def _record_values(context: Context, entry: Row | Rejection, **values: Any) -> dict[str, Any]:
    source = {"source_kind": entry.source.value, "source_id": entry.source_id, "sha256": entry.sha256}
    return {"run_id": context.run_id, **source, **values}


def report_of(rows: list[Row], rejections: list[Rejection], min_gate_rows: int) -> dict[str, Any]:
    """Counts, fingerprint, and in ``nothing_to_do`` what is missing for a run, if anything."""
    splits = Counter(row.split.value for row in rows)
    learned = [row for row in rows if row.split is Split.TRAIN and row.source is not Source.REPLAY]
    return {
        "rows": {split.value: splits[split.value] for split in Split},
        "sources": dict(Counter(row.source.value for row in rows)),
        "kinds": dict(Counter(row.kind for row in rows)),
        "train_tokens": sum(len(row.ids) for row in rows if row.split is Split.TRAIN),
        "rejected": dict(Counter(rejection.reason for rejection in rejections)),
        "fingerprint": merkle_root(row.sha256 for row in rows),
        "nothing_to_do": _missing(splits[Split.GATE.value], len(learned), min_gate_rows),
    }


def _missing(gate: int, learned: int, min_gate_rows: int) -> str | None:
    if gate < min_gate_rows:
        more = min_gate_rows - gate
        return (
            f"Nothing to do: {gate} gate rows, {more} more are needed. Rate or correct answers, or ingest source code."
        )
    if learned == 0:
        return "Nothing to do: no rows to train on. Rate or correct answers, or ingest source code."
    return None
