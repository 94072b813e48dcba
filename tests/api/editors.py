"""Editors as the server sees them: each sends the bodies that its plugin builds, and reads what the plugin reads.

Sources: ``autoload/llama.vim`` of llama.vim; ``src/llama-server.ts``, ``src/completion.ts`` and ``src/statusbar.ts`` of
llama.vscode, as of 2026.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

CODE = "".join(
    f"def tool_{number}(value):\n    '''Return value plus {number}.'''\n    return value + {number}\n\n\n"
    for number in range(8)
)
TIMED = ("prompt", "predicted")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The lines before the cursor's own, that one up to the cursor, and everything after it."""

    before: str
    line: str
    after: str

    @property
    def indent(self) -> int:
        return len(self.line) - len(self.line.lstrip())


@dataclass(frozen=True, slots=True)
class Suggestion:
    lines: list[str]
    info: dict[str, Any]
    truncated: bool


class LlamaVim:
    """llama.vim with its defaults, except for the time limits, which a test machine may not meet."""

    def __init__(
        self, client: httpx.Client, api_key: str = "", *, n_predict: int = 128, t_max_prompt_ms: int = 60_000
    ) -> None:
        self._client = client
        self._n_predict = n_predict
        self._prompt_ms = t_max_prompt_ms
        self._headers = {"User-Agent": "curl/8.5.0", "Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._ring: list[dict[str, Any]] = []
        self.cache: dict[Cursor, str] = {}

    def pick_chunk(self, text: str, filename: str) -> None:
        self._ring = [*self._ring, {"text": text, "time": [0, 172_800_123], "filename": filename}][-16:]

    def ring_update(self) -> None:
        answer = self._post(
            {
                "id_slot": 0, "input_prefix": "", "input_suffix": "", "input_extra": self._ring, "prompt": "",
                "n_predict": 0, "temperature": 0.0, "samplers": [], "stream": False, "cache_prompt": True,
                "t_max_prompt_ms": 1, "t_max_predict_ms": 1, "response_fields": [""], "model": "",
            }
        )  # fmt: skip
        assert answer == "{}"

    def fim(self, cursor: Cursor) -> Suggestion | None:
        """What is shown at the cursor; None where nothing is, and a cached answer where the plugin would keep one."""
        raw = self._fim(cursor)
        if not re.match(r"^\s*{", raw) or not re.search(r'"content"\s*:"', raw):
            return None
        self.cache[cursor] = raw
        answer = json.loads(raw)
        lines = answer.get("content", "").split("\n")
        while lines and lines[-1] == "":
            lines.pop()
        return Suggestion(lines, answer, answer.get("timings/truncated", False)) if lines else None

    def fim_figures(self, cursor: Cursor) -> dict[str, Any]:
        """The answer without what is shown, for its figures."""
        figures: dict[str, Any] = json.loads(self._fim(cursor))
        assert all(f"timings/{name}_{unit}" in figures for name in TIMED for unit in ("n", "ms", "per_second"))
        return figures

    def _fim(self, cursor: Cursor) -> str:
        timings = [f"timings/{a}_{b}" for a in TIMED for b in ("n", "ms", "per_token_ms", "per_second")]
        return self._post(
            {
                "id_slot": 0, "input_prefix": cursor.before, "input_suffix": cursor.after, "input_extra": self._ring,
                "prompt": cursor.line, "n_predict": self._n_predict, "stop": [], "n_indent": cursor.indent, "top_k": 40,
                "top_p": 0.90, "samplers": ["top_k", "top_p", "infill"], "stream": False, "cache_prompt": True,
                "t_max_prompt_ms": self._prompt_ms, "t_max_predict_ms": 60_000,
                "response_fields": ["content", *timings, "truncated", "tokens_cached"], "model": "",
            }
        )  # fmt: skip

    def _post(self, body: dict[str, Any]) -> str:
        return self._client.post("/infill", content=json.dumps(body), headers=self._headers).text


class LlamaVscode:
    """llama.vscode with its defaults, except for the time limits."""

    def __init__(self, client: httpx.Client, api_key: str = "") -> None:
        self._client = client
        self._headers = {"User-Agent": "axios/1.12.2", "Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._chunks: list[dict[str, Any]] = []
        self.status = ""

    def update_extra_context(self, chunks: list[dict[str, Any]]) -> None:
        self._chunks = chunks
        self._post(
            {
                "id_slot": 0, "input_prefix": "", "input_suffix": "", "input_extra": chunks, "prompt": "",
                "n_predict": 0, "samplers": [], "cache_prompt": True, "t_max_prompt_ms": 500, "t_max_predict_ms": 1,
            }
        )  # fmt: skip

    def completions(self, cursor: Cursor, *, n_cmpl: int = 3) -> list[str]:
        """The suggestions as the plugin takes them out of an answer, without those it discards for being empty."""
        data = self._post(
            {
                "id_slot": 0, "input_prefix": cursor.before, "input_suffix": cursor.after,
                "input_extra": self._chunks, "prompt": cursor.line, "n_predict": 128, "n_cmpl": n_cmpl, "top_k": 40,
                "top_p": 0.99, "stream": False, "samplers": ["top_k", "top_p", "infill"], "cache_prompt": True,
                **({"n_indent": cursor.indent} if cursor.indent else {}), "t_max_prompt_ms": 60_000,
                "t_max_predict_ms": 60_000,
            }
        )  # fmt: skip
        if isinstance(data, dict):
            self._show(data)
            found = [data.get("content") or ""]
        else:
            found = list(dict.fromkeys(each.get("content") or "" for each in data))
        return [each for each in found if each.strip()]

    def _show(self, data: dict[str, Any]) -> None:
        """The status bar's line; a field that is missing would be an exception or 'undefined' there."""
        read, written = ([data["timings"][f"{name}_{unit}"] for unit in ("n", "ms", "per_second")] for name in TIMED)
        self.status = (
            f"llama-vscode | c: {data['tokens_cached']} / {data['generation_settings']['n_ctx']}, "
            f"r: {len(self._chunks)} / 16 | p: {read[0]} ({read[1]:.2f} ms, {read[2]:.2f} t/s) | "
            f"g: {written[0]} ({written[1]:.2f} ms, {written[2]:.2f} t/s)"
        )

    def _post(self, body: dict[str, Any]) -> Any:
        response = self._client.post("/infill", json=body, headers=self._headers)
        assert response.status_code == 200, response.text
        return response.json()
