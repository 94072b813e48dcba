"""Wiring: what becomes of a process whose parts fail."""

import asyncio

from assistant.main import EX_SOFTWARE, watched


def test_a_task_that_fails_in_a_way_nobody_foresaw_ends_the_process_with_its_reason() -> None:
    ended: list[tuple[int, str]] = []

    async def job() -> None:
        raise AttributeError("no such thing")

    asyncio.run(watched(job(), lambda code, message: ended.append((code, message))))
    [(code, message)] = ended
    assert code == EX_SOFTWARE
    assert "no such thing" in message
