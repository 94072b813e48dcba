"""What people ask and are answered, for a site that is to look like one in use."""

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Chat:
    """``turns`` are questions with their answers; ``feedback`` is given to the first answer."""

    title: str
    hours_ago: float
    turns: tuple[tuple[str, str], ...]
    pinned: bool = False
    folder: str | None = None
    feedback: dict[str, Any] = field(default_factory=dict)


IS_PRIME: Final = '''It is enough to try divisors up to the square root:

```python
def is_prime(n: int) -> bool:
    """Return True if n is a prime number."""
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True
```
'''
IS_PRIME_TESTS: Final = """Small numbers, a square and a large prime are the cases that go wrong:

```python
import pytest

from numbers_ import is_prime


@pytest.mark.parametrize(
    ("number", "expected"),
    [(-7, False), (0, False), (1, False), (2, True), (9, False), (97, True), (104_729, True)],
)
def test_is_prime(number: int, expected: bool) -> None:
    assert is_prime(number) is expected
```

The square `9` fails when the loop is written with `<` in place of `<=`.
"""
RETRY: Final = """Three things make a retry safe:

1. **Only what can be repeated** is retried: `GET`, or a `POST` with an idempotency key.
2. The wait grows and is *jittered*, or all clients come back in the same second.
3. A `Retry-After` from the server wins over one's own estimate.

```python
async def fetch(client: httpx.AsyncClient, url: str, tries: int = 5) -> httpx.Response:
    for attempt in range(tries):
        response = await client.get(url)
        if response.status_code not in (429, 502, 503):
            return response
        wait = float(response.headers.get("Retry-After", 2**attempt))
        await asyncio.sleep(wait * random.uniform(0.8, 1.2))
    return response
```

| status | meaning | retried |
|---|---|---|
| 429 | too many requests | yes |
| 503 | not ready | yes |
| 500 | a fault of the server | no |
"""
SQL: Final = """The partial index fits, because the query names the same condition:

```sql
CREATE INDEX CONCURRENTLY orders_open ON orders (created_at)
    WHERE status = 'open';

EXPLAIN ANALYZE
SELECT id, created_at FROM orders
WHERE status = 'open' AND created_at > now() - interval '7 days';
```

`CONCURRENTLY` takes longer but does not lock writers out.
"""
CHATS: Final = (
    Chat(
        "Write a Python function is_prime", 0.3,
        (("Write a Python function is_prime", IS_PRIME),),
        feedback={"rating": 1, "tags": ["correct"], "comment": None, "correction": None},
    ),
    Chat(
        "Test is_prime with pytest", 1,
        (("Write is_prime", IS_PRIME), ("Now write the tests for it, with pytest.", IS_PRIME_TESTS)),
    ),
    Chat("Retry an HTTP call without making things worse", 3, (("How do I retry an HTTP call well?", RETRY),)),
    Chat("Why does the orders query not use its index?", 6, (("Why is my index not used?", SQL),), pinned=True),
    Chat("Parse ISO 8601 durations", 27, (("Parse ISO 8601 durations in Python", IS_PRIME),), folder="Billing"),
    Chat("Review: invoice rounding", 30, (("Is this rounding right for invoices?", RETRY),), folder="Billing"),
    Chat("Migrate the settings to pydantic", 52, (("How do I move to pydantic-settings?", IS_PRIME_TESTS),)),
    Chat("A context manager that times a block", 75, (("Write a timer as context manager", IS_PRIME),)),
    Chat("Explain the borrow checker on this function", 200, (("Why does this not compile?", RETRY),)),
    Chat("Kubernetes probe for a slow start", 260, (("Which probe is for slow starts?", SQL),)),
    Chat("Regular expression for semantic versions", 700, (("A regex for semver, please", IS_PRIME),)),
)  # fmt: skip
PROMPTS: Final = (
    ("Review a diff", "Review this diff. Name bugs first, then style; quote the line each remark is about.\n\n"),
    ("Docstring in our style", "Write a docstring: one line what, then raises, then what is not covered.\n\n"),
    ("Explain a traceback", "Explain this traceback to somebody new to the code base, and what to look at first.\n\n"),
)
SOURCES: Final = {
    "billing": {
        "src/invoice.py": "from decimal import Decimal\n\n\ndef total(lines: list[Decimal]) -> Decimal:\n"
        '    """Sum of the lines, rounded half up to cents."""\n    return sum(lines, Decimal(0)).quantize('
        'Decimal("0.01"))\n',
        "src/tax.py": "RATES = {'DE': 19, 'FR': 20}\n\n\ndef rate(country: str) -> int:\n"
        '    """Percent of the country."""\n    return RATES[country]\n',
    },
    "shop-frontend": {
        "src/cart.ts": "export interface Line {\n  sku: string;\n  count: number;\n}\n\nexport function size(lines: "
        "Line[]): number {\n  return lines.reduce((sum, { count }) => sum + count, 0);\n}\n",
    },
}
