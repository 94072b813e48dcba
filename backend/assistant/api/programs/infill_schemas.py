"""What editors send to ``/infill`` and read from it, as llama-server, llama.vim and llama.vscode have it.

Source: llama.cpp's ``tools/server/README.md``, ``autoload/llama.vim``, ``src/llama-server.ts`` of llama.vscode. What
these do not send, and this server does not do, is refused by name.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from assistant.api.schemas import PlainText, Strict
from assistant.engine.types import Sampling
from assistant.services.calls.fragments import Fragment
from codellama_core.prompt import ContextFile

SamplerName = Literal["penalties", "top_k", "top_p", "min_p", "temperature", "infill"]
SAMPLERS: Final[tuple[SamplerName, ...]] = ("penalties", "top_k", "top_p", "min_p", "temperature", "infill")
MAX_MS: Final = 3_600_000
Milliseconds = Annotated[float, Field(ge=-1, le=MAX_MS, allow_inf_nan=False)]


class ExtraFile(Strict):
    """Code from elsewhere. The order says which is the oldest; ``time`` is the editor's own note."""

    text: PlainText
    filename: PlainText | None = None
    time: Any = None


class InfillCall(Strict):
    """``id_slot`` names a place in the editor: a newer request for the same one ends the older."""

    input_prefix: PlainText = Field(description="What stands before the cursor's line")
    input_suffix: PlainText = Field(description="What stands after the cursor")
    input_extra: list[ExtraFile] = Field([], max_length=256, description="Code from elsewhere, the oldest first")
    prompt: PlainText = Field("", description="The cursor's line up to the cursor")
    model: PlainText | None = None
    n_predict: int | None = Field(None, ge=-1, description="Most tokens; 0 only reads the prompt, -1 is no limit")
    n_indent: int = Field(0, ge=0, le=1000, description="End at the first line with less white space before its text")
    n_cmpl: int = Field(1, ge=1, le=4, description="How many answers; more than one come as a list")
    stop: list[Annotated[PlainText, Field(min_length=1, max_length=400)]] = Field([], max_length=16)
    samplers: list[SamplerName] | None = Field(None, description="Which to apply; their order is fixed")
    temperature: float = Field(0.8, ge=0, le=2, allow_inf_nan=False)
    top_k: int = Field(40, ge=0, le=100_000)
    top_p: float = Field(0.95, gt=0, le=1, allow_inf_nan=False)
    min_p: float = Field(0.05, ge=0, le=1, allow_inf_nan=False)
    repeat_penalty: float = Field(1.0, gt=0, le=2, allow_inf_nan=False)
    presence_penalty: float = Field(0.0, ge=-2, le=2, allow_inf_nan=False)
    frequency_penalty: float = Field(0.0, ge=-2, le=2, allow_inf_nan=False)
    seed: int = Field(-1, ge=-1, le=2**32 - 1, description="-1 draws one")
    cache_prompt: Literal[True] | None = Field(None, description="Prompts are always cached")
    t_max_prompt_ms: Milliseconds | None = Field(None, description="The answer is empty when reading takes longer")
    t_max_predict_ms: Milliseconds | None = Field(None, description="After it the answer ends with its line")
    response_fields: list[PlainText] | None = Field(None, max_length=64)
    stream: bool | None = None
    id_slot: int = Field(-1, ge=-1, lt=2**31, description="-1: requests of one client do not replace each other")

    @field_validator("samplers")
    @classmethod
    def _are_in_order(cls, value: list[SamplerName] | None) -> list[SamplerName] | None:
        places = [SAMPLERS.index(name) for name in value or ()]
        if places != sorted(set(places)):
            raise ValueError(f"each at most once, in the order {', '.join(SAMPLERS)}")
        return value

    @model_validator(mode="after")
    def _streams_are_single(self) -> Self:
        if self.stream and self.n_cmpl > 1:
            raise ValueError("n_cmpl must be 1 with stream")
        return self

    @property
    def fragment(self) -> Fragment:
        extra = tuple(ContextFile(file.text, file.filename or "") for file in self.input_extra)
        return Fragment(self.input_prefix, self.prompt, self.input_suffix, extra)

    @property
    def max_tokens(self) -> int | None:
        return None if self.n_predict in (None, -1) else self.n_predict

    @property
    def max_prompt_s(self) -> float | None:
        return _seconds(self.t_max_prompt_ms)

    @property
    def max_predict_s(self) -> float | None:
        return _seconds(self.t_max_predict_ms)

    def sampling(self) -> Sampling:
        """A sampler that ``samplers`` leaves out is off, whatever its parameter says."""
        on = SAMPLERS if self.samplers is None else self.samplers
        penalties = "penalties" in on
        return Sampling(
            temperature=self.temperature if "temperature" in on else 1.0,
            top_k=self.top_k if "top_k" in on else 0,
            top_p=self.top_p if "top_p" in on else 1.0,
            min_p=self.min_p if "min_p" in on else 0.0,
            repeat_penalty=self.repeat_penalty if penalties else 1.0,
            presence_penalty=self.presence_penalty if penalties else 0.0,
            frequency_penalty=self.frequency_penalty if penalties else 0.0,
            seed=None if self.seed == -1 else self.seed,
            infill="infill" in (self.samplers or ()),
        )


def _seconds(milliseconds: float | None) -> float | None:
    """llama-server takes 0 and less for no limit."""
    return milliseconds / 1000 if milliseconds is not None and milliseconds > 0 else None


class InfillTimings(BaseModel):
    """``cache_n`` prompt tokens came from the cache, ``prompt_n`` were read, ``predicted_n`` were written.

    Of ``draft_n`` tokens guessed, ``draft_n_accepted`` were right.
    """

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float
    draft_n: int
    draft_n_accepted: int


class InfillSettings(BaseModel):
    """What the answer was made with."""

    n_ctx: int | None
    n_predict: int
    n_indent: int
    seed: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    presence_penalty: float
    frequency_penalty: float
    stop: list[str]
    samplers: list[str]


class InfillAnswer(BaseModel):
    """Every field is there unless ``response_fields`` names those that are wanted.

    ``timings/prompt_n`` in ``response_fields`` gives a field of that name. A superseded answer is empty, so that no
    editor shows or keeps half of one.
    """

    index: int | None = None
    content: str | None = None
    id_slot: int | None = None
    stop: bool | None = None
    model: str | None = None
    tokens_predicted: int | None = None
    tokens_evaluated: int | None = Field(None, description="Tokens of the prompt")
    tokens_cached: int | None = Field(None, description="Tokens of prompt and answer that are in the cache now")
    truncated: bool | None = Field(None, description="Whether some of what was sent did not fit the context")
    stop_type: Literal["none", "eos", "word", "limit", "superseded"] | None = Field(
        None, description="`word`: at a stop string, which `stopping_word` tells; `none`: still being read"
    )
    stopping_word: str | None = None
    generation_settings: InfillSettings | None = None
    timings: InfillTimings | None = None
