import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.services.generators.assembler import TextAssembler


def assemble(pieces: list[bytes], stop: tuple[str, ...] = (), *, strip: bool = False) -> tuple[list[str], bool]:
    assembler = TextAssembler(stop, strip=strip)
    texts = [assembler.push(piece) for piece in pieces]
    return [*texts, assembler.finish()], assembler.stopped


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 4))
def test_bytes_cut_anywhere_give_the_same_text(text: str, size: int) -> None:
    data = text.encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    texts, _ = assemble(pieces)
    assert "".join(texts) == text


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.integers(1, 3))
def test_nothing_at_or_after_a_stop_string_is_shown(text: str, stops: list[str], size: int) -> None:
    pieces = [text[start : start + size].encode() for start in range(0, len(text), size)]
    shown = "".join(assemble(pieces, tuple(stops))[0])
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if not any(stop in text for stop in stops):
        assert shown == text


def test_a_stop_string_across_tokens_is_never_shown_in_part() -> None:
    texts, stopped = assemble([b"one \n", b"\n", b"\ntwo"], ("\n\n\n",))
    assert (texts, stopped) == (["one ", "", "", ""], True)


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert "".join(assemble([b"\xff", b"a\0b", b"\xe2\x82"])[0]) == "\ufffda\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("pieces", "text"), [([b" ", b"\n", b" hi ", b"you \n "], "hi you"), ([b" a", b"  ", b"b "], "a  b"), ([b" "], "")]
)
def test_stripping_drops_white_space_at_both_ends_only(pieces: list[bytes], text: str) -> None:
    assert "".join(assemble(pieces, strip=True)[0]) == text


def test_an_answer_that_goes_on_keeps_the_white_space_it_begins_with() -> None:
    assembler = TextAssembler(strip=True, begun=True)
    assert "".join([assembler.push(b"\n"), assembler.push(b"  go on \n"), assembler.finish()]) == "\n  go on"


@pytest.mark.parametrize("stop", ["©", "\x80", "Ã"])
def test_a_stop_string_that_is_one_byte_of_a_character_does_not_stop_it(stop: str) -> None:
    pieces = [bytes([byte]) for byte in "é€".encode()]
    assert b"\xa9" in pieces
    assert assemble(pieces, (stop,)) == (["", "é", "", "", "€", ""], False)


@given(st.text("ab é", max_size=20), st.sampled_from([(), ("ab",), ("é",)]), st.booleans())
def test_settled_characters_are_those_shown_or_dropped_for_good(text: str, stop: tuple[str, ...], strip: bool) -> None:
    assembler, shown = TextAssembler(stop, strip=strip), ""
    for piece in [bytes([byte]) for byte in text.encode()]:
        shown += assembler.push(piece)
        assert assembler.settled <= assembler.received
        assert text[: assembler.settled].strip() == shown.strip()
    shown += assembler.finish()
    assert text[: assembler.settled].strip() == shown.strip()
    assert assembler.stopped or assembler.settled == assembler.received == len(text)
