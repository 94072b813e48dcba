"""A SentencePiece vocabulary as GGUF wants it: pieces, scores, types and the ids of its control tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import sentencepiece
from gguf import TokenType

from codellama_core.prompt import FIM_PIECES, SpecialTokens
from finetuning.errors import DataError


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """``pieces``, ``scores`` and ``types`` have one entry per row of the embedding; ``unk`` is an id."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    special: SpecialTokens
    unk: int
    processor: sentencepiece.SentencePieceProcessor

    @classmethod
    def load(cls, path: Path, rows: int) -> "Vocabulary":
        """Read ``tokenizer.model``; padded with unused pieces to ``rows``, the embedding's size.

        Raises DataError when the file is missing or damaged, or has more pieces than the embedding has rows.
        """
        processor = _processor(path)
        size = processor.get_piece_size()
        if size > rows:
            raise DataError(f"{path} has {size} pieces, but the model's embedding only {rows} rows.")
        padding = range(size, rows)
        return cls(
            pieces=(*map(processor.id_to_piece, range(size)), *(f"[PAD{i}]" for i in padding)),
            scores=(*map(processor.get_score, range(size)), *(-1000.0 for _ in padding)),
            types=(*(_type(processor, i) for i in range(size)), *(TokenType.UNUSED for _ in padding)),
            special=_special(processor, path),
            unk=processor.unk_id(),
            processor=processor,
        )

    def tokenize(self, text: str) -> Sequence[int]:
        """Ids of plain text, with the vocabulary's leading space and without control tokens."""
        return cast(list[int], self.processor.encode(text))


def _processor(path: Path) -> sentencepiece.SentencePieceProcessor:
    if not path.exists():
        raise DataError(f"{path} is missing: the exporter needs the SentencePiece model, tokenizer.json is not enough.")
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(path.read_bytes())
    except RuntimeError as error:
        raise DataError(f"{path} is not a SentencePiece model.") from error
    return processor


def _special(processor: sentencepiece.SentencePieceProcessor, path: Path) -> SpecialTokens:
    if processor.bos_id() < 0 or processor.eos_id() < 0:
        raise DataError(f"{path} has no begin or end token.")
    ids = [processor.piece_to_id(piece) for piece in FIM_PIECES]
    fim = [None if i == processor.unk_id() else int(i) for i in ids]
    return SpecialTokens(processor.bos_id(), processor.eos_id(), *fim)


def _type(processor: sentencepiece.SentencePieceProcessor, token: int) -> int:
    kinds = {
        TokenType.UNKNOWN: processor.is_unknown(token),
        TokenType.CONTROL: processor.is_control(token) or processor.id_to_piece(token) in FIM_PIECES,
        TokenType.UNUSED: processor.is_unused(token),
        TokenType.BYTE: processor.is_byte(token),
    }
    return int(next((kind for kind, holds in kinds.items() if holds), TokenType.NORMAL))
