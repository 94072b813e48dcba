"""Check that a running server does what clients need, whatever its engine: python tests/load/check.py --url URL

One line a check; the exit code is 1 if one fails. Asks for a few tokens only, so a slow 7B is done in a minute.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

TIMEOUT_S = 300.0
SHORT = {"max_tokens": 4, "temperature": 0}


class WrongAnswerError(Exception):
    """A server answered, and not as it should."""


@dataclass(frozen=True, slots=True)
class Checks:
    """Every check is a method that returns what it saw, in words. Raises WrongAnswerError or an error of httpx."""

    http: httpx.Client

    def all(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "ready", self.ready
        yield "models", self.models
        yield "chat", self.chat
        yield "chat as a stream", self.chat_stream
        yield "completion", self.completion
        yield "infill", self.infill
        yield "a model that is not there", self.unknown_model
        yield "a wrong parameter", self.wrong_parameter
        yield "a wrong key", self.wrong_key

    def ready(self) -> str:
        state = self._json(self.http.get("/ready"))
        return f"{state['model']} by {state['engine']}, database {state['database']}"

    def models(self) -> str:
        names = [model["id"] for model in self._json(self.http.get("/v1/models"))["data"]]
        _require(bool(names), "no model is offered")
        return ", ".join(names)

    def chat(self) -> str:
        body = {"messages": [{"role": "user", "content": "Say hello."}], **SHORT}
        answer = self._json(self.http.post("/v1/chat/completions", json=body))
        _require(answer["choices"][0]["message"]["role"] == "assistant", "the answer is not the assistant's")
        _require(answer["usage"]["completion_tokens"] > 0, "no token was written")
        return f"{answer['usage']['completion_tokens']} tokens by {answer['model']}"

    def chat_stream(self) -> str:
        body = {"messages": [{"role": "user", "content": "Say hello."}], "stream": True, **SHORT}
        chunks, began = [], time.monotonic()
        with self.http.stream("POST", "/v1/chat/completions", json=body) as response:
            _require(response.status_code == httpx.codes.OK, f"status {response.status_code}")
            for line in response.iter_lines():
                if line.startswith("data: "):
                    chunks.append((time.monotonic() - began, line.removeprefix("data: ")))
        _require(chunks[-1][1] == "[DONE]", "the stream does not end with [DONE]")
        reasons = [choice["finish_reason"] for _, data in chunks[:-1] for choice in json.loads(data)["choices"]]
        _require(reasons[-1] in ("stop", "length"), f"it ended with {reasons[-1]}")
        return f"{len(chunks) - 1} chunks, the first after {chunks[0][0]:.2f} s"

    def completion(self) -> str:
        answer = self._json(self.http.post("/v1/completions", json={"prompt": "def add(a, b):\n", **SHORT}))
        return f"{answer['choices'][0]['text']!r}"

    def infill(self) -> str:
        body = {"input_prefix": "def add(a, b):\n    return ", "input_suffix": "\n", "n_predict": 4}
        return f"{self._json(self.http.post('/infill', json=body))['content']!r}"

    def unknown_model(self) -> str:
        return self._refused(self.http.post("/v1/completions", json={"prompt": "x", "model": "no such model"}), 404)

    def wrong_parameter(self) -> str:
        return self._refused(self.http.post("/v1/completions", json={"prompt": "x", "temperature": "warm"}), 400, 422)

    def wrong_key(self) -> str:
        response = self.http.get("/v1/models", headers={"Authorization": "Bearer not-a-key"})
        if response.status_code == httpx.codes.OK:
            return "not asked for: the server is in local mode"
        return self._refused(response, 401)

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        _require(response.status_code == httpx.codes.OK, f"status {response.status_code}: {response.text[:200]}")
        answer: dict[str, Any] = response.json()
        return answer

    @staticmethod
    def _refused(response: httpx.Response, *statuses: int) -> str:
        _require(response.status_code in statuses, f"status {response.status_code}: {response.text[:200]}")
        message: str = response.json()["error"]["message"]
        return f"{response.status_code}: {message}"


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise WrongAnswerError(otherwise)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--api-key", default="")
    arguments = parser.parse_args()
    headers = {"Authorization": f"Bearer {arguments.api_key}"} if arguments.api_key else {}
    failed = False
    with httpx.Client(base_url=arguments.url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http:
        for name, check in Checks(http).all():
            try:
                print(f"ok  {name:26} {check()}")
            except httpx.ConnectError as error:
                print(f"BAD {name:26} no server at {arguments.url}: {error}")
                return 1
            except (WrongAnswerError, httpx.HTTPError, LookupError, ValueError) as error:
                failed = True
                print(f"BAD {name:26} {error or type(error).__name__}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
