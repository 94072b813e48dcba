"""The demo model's tokenizer: SentencePiece BPE with byte fallback, shaped like CodeLlama's."""

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

VOCAB_SIZE = 4096
SPECIALS = ("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>")
SENTINEL = "\u263a"


def train_tokenizer(texts: Iterable[str], path: Path) -> None:
    """Train on the ASCII lines of texts and write a SentencePiece model to path.

    Lines are learned without the dummy prefix, so that indentation pieces have the widths that occur in the middle of a
    document; the prefix is switched on afterwards, as CodeLlama's tokenizer has it. Newline stays the byte <0x0A>.
    """
    lines = (line for text in texts for line in text.splitlines() if line.isascii())
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCAB_SIZE,
        character_coverage=1.0,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        add_dummy_prefix=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        control_symbols=list(SPECIALS),
        input_sentence_size=400_000,
        num_threads=2,
        minloglevel=1,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    proto.normalizer_spec.add_dummy_prefix = True
    path.write_bytes(proto.SerializeToString())


class Tokenizer:
    """Text to ids and back, with CodeLlama's two ways of encoding: with the implicit leading space, and without."""

    def __init__(self, path: Path) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.bos = int(self._processor.bos_id())
        self.eos = int(self._processor.eos_id())
        self.pre, self.suf, self.mid, self.eot = (int(self._processor.piece_to_id(piece)) for piece in SPECIALS)
        self._sentinel_length = len(self.encode(SENTINEL))

    def encode(self, text: str) -> list[int]:
        """Ids of text, with the implicit leading space, without BOS or EOS."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def encode_bare(self, text: str) -> list[int]:
        """Ids of text without the implicit leading space, as suffix and middle of an infilling prompt need."""
        return self.encode(SENTINEL + text)[self._sentinel_length :]

    def decode(self, ids: list[int]) -> str:
        """Text of ids; control tokens vanish."""
        text: str = self._processor.decode(ids)
        return text
