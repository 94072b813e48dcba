"""What the client makes of a response's bytes."""

import json
from typing import Any

from tests.load.clients import Reply, read_events, read_reply

SENT = Reply(sent_at=10.0, headers_at=10.1, ended_at=12.0, status=200, headers={})


def event(**data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def text(piece: str, reason: str | None = None) -> bytes:
    return event(model="m", choices=[{"index": 0, "text": piece, "finish_reason": reason}])


def test_an_event_arrives_with_its_last_byte_however_it_is_cut_up() -> None:
    data = event(a=1) + b": a comment\n\n" + event(b=2)
    pieces = [(float(place), data[place : place + 1]) for place in range(len(data))]
    events = read_events(pieces)
    assert [json.loads(each.data) for each in events] == [{"a": 1}, {"b": 2}]
    assert [each.at for each in events] == [len(event(a=1)) - 1, len(data) - 1]


def test_several_events_in_one_piece_arrive_together() -> None:
    assert [each.at for each in read_events([(3.0, event(a=1) + event(b=2))])] == [3.0, 3.0]


def test_lines_may_end_as_windows_ends_them_and_data_may_have_no_space() -> None:
    assert [each.data for each in read_events([(0.0, b"data:{}\r\n\r\n")])] == ["{}"]


def test_an_event_that_was_cut_off_is_left_out() -> None:
    assert [each.data for each in read_events([(0.0, b"data: 1\n\ndata: 2")])] == ["1"]


def test_tokens_are_counted_by_the_usage_and_times_by_the_chunks_with_text() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}
    pieces = [
        (11.0, text("ab")),
        (11.0, text("")),
        (11.5, text("c")),
        (11.9, text("d", "length")),
        (12.0, event(choices=[], usage=usage, timings={"queued_s": 0.5}) + b"data: [DONE]\n\n"),
    ]
    reply = read_reply(SENT, pieces)
    assert (reply.text, reply.finish_reason, reply.model) == ("abcd", "length", "m")
    assert (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) == (7, 3, 5)
    assert reply.ttft == 1.0
    assert [round(gap, 3) for gap in reply.gaps] == [0.5, 0.4]
    assert round(reply.decode_rate, 3) == round(4 / 0.9, 3)
    assert reply.prefill_rate == 7.0
    assert reply.timings == {"queued_s": 0.5}


def test_a_chat_begins_with_its_first_text_not_with_its_role() -> None:
    pieces = [
        (11.0, event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])),
        (11.4, event(choices=[{"index": 0, "delta": {"content": "x"}, "finish_reason": None}])),
        (11.5, event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])),
    ]
    reply = read_reply(SENT, pieces)
    assert reply.arrivals == (11.4,)
    assert reply.finish_reason == "stop"


def test_a_refusal_keeps_what_was_said() -> None:
    refused = read_reply(Reply(0.0, 0.1, 0.2, 429, {"retry-after": "3"}), [(0.2, b'{"error": {"code": "queue_full"}}')])
    assert refused.arrivals == ()
    assert "queue_full" in (refused.error or "")


def test_an_error_in_the_stream_is_an_error_of_the_reply() -> None:
    reply = read_reply(SENT, [(11.0, text("a")), (11.1, event(error={"message": "the engine failed"}))])
    assert "the engine failed" in (reply.error or "")
    assert reply.finish_reason is None
