"""OpenAI's shapes of conversations, tools and answer formats, and what they mean to the services."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from assistant.api.schemas import PlainText, Strict
from assistant.services.calls.tools import Call, called, returned
from assistant.services.generators.types import JsonFormat, Tool, ToolUse
from codellama_core.prompt import ChatMessage

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
JsonSchema = dict[str, Any]


class TextPart(Strict):
    type: Literal["text"]
    text: PlainText


class CalledFunction(Strict):
    name: Name
    arguments: Annotated[PlainText, Field(description="A JSON object, as text")]


class PastCall(Strict):
    id: Annotated[PlainText, Field(min_length=1, max_length=128)]
    type: Literal["function"]
    function: CalledFunction


class Turn(Strict):
    """One message. A ``tool`` turn answers the call of an earlier assistant's turn that has its ``tool_call_id``."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: PlainText | Annotated[list[TextPart], Field(min_length=1)] | None = None
    name: PlainText | None = None
    tool_calls: Annotated[list[PastCall], Field(min_length=1, max_length=128)] | None = None
    tool_call_id: PlainText | None = None
    refusal: None = None

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        if self.content is None and self.tool_calls is None:
            raise ValueError("content is missing")
        if self.tool_calls is not None and self.role != "assistant":
            raise ValueError("tool_calls belong to the assistant's messages")
        if (self.tool_call_id is None) == (self.role == "tool"):
            raise ValueError("tool_call_id belongs to messages of the role tool, and to all of them")
        return self

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""

    def message(self) -> ChatMessage:
        """The turn by itself, in one of the roles that chat templates know."""
        calls = [Call(call.function.name, call.function.arguments) for call in self.tool_calls or ()]
        text = "\n".join(filter(None, (self.text, called(calls))))
        roles = {"developer": "system", "tool": "user"}
        return ChatMessage(roles.get(self.role, self.role), text)


def check_conversation(turns: Sequence[Turn]) -> None:
    """Raise ValueError unless somebody asks something, and every tool's answer was asked for."""
    roles = ["system" if turn.role == "developer" else turn.role for turn in turns]
    if "system" in roles[1:]:
        raise ValueError("a system message may only come first")
    if roles[-1] not in ("user", "tool"):
        raise ValueError("the last message must be the user's, or a tool's")
    asked: set[str] = set()
    for turn in turns:
        asked.update(call.id for call in turn.tool_calls or ())
        if turn.tool_call_id is not None and turn.tool_call_id not in asked:
            raise ValueError(f"no call before has the tool_call_id '{turn.tool_call_id}'")


def conversation(turns: Sequence[Turn]) -> tuple[ChatMessage, ...]:
    """The turns as chat templates know them: what tools return is told by the user, together with what follows it."""
    names = {call.id: call.function.name for turn in turns for call in turn.tool_calls or ()}
    return tuple(_joined([(turn, _told(turn, names)) for turn in turns]))


def _told(turn: Turn, names: dict[str, str]) -> ChatMessage:
    if turn.tool_call_id is None:
        return turn.message()
    return ChatMessage("user", returned(names[turn.tool_call_id], turn.text))


def _joined(told: list[tuple[Turn, ChatMessage]]) -> Iterator[ChatMessage]:
    held: ChatMessage | None = None
    from_tool = False
    for turn, message in told:
        if held is not None and from_tool and message.role == "user":
            held = ChatMessage("user", f"{held.content}\n\n{message.content}")
        else:
            if held is not None:
                yield held
            held = message
        from_tool = turn.role == "tool"
    if held is not None:
        yield held


class FunctionDefinition(Strict):
    name: Name
    description: Annotated[PlainText, Field(max_length=4096)] | None = None
    parameters: JsonSchema | None = Field(None, description="JSON Schema of an object; without it, none are passed")
    strict: bool | None = Field(None, description="Accepted; arguments always validate")


class ToolDefinition(Strict):
    type: Literal["function"]
    function: FunctionDefinition


class NamedFunction(Strict):
    name: Name


class NamedTool(Strict):
    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedTool


def check_tools(tools: Sequence[ToolDefinition]) -> None:
    """Raise ValueError for two tools with one name."""
    names = [tool.function.name for tool in tools]
    if len(set(names)) < len(names):
        raise ValueError("two of them have the same name")


def check_choice(choice: ToolChoice | None, tools: Sequence[ToolDefinition] | None) -> None:
    """Raise ValueError for a choice that there is not."""
    if choice not in (None, "none") and not tools:
        raise ValueError("there are no tools to choose from")
    if isinstance(choice, NamedTool) and choice.function.name not in [tool.function.name for tool in tools or ()]:
        raise ValueError(f"there is no tool named '{choice.function.name}'")


def tool_use(tools: Sequence[ToolDefinition] | None, choice: ToolChoice | None) -> ToolUse | None:
    """What the answer may call; None where it is plain text."""
    if not tools or choice == "none":
        return None
    named = choice.function.name if isinstance(choice, NamedTool) else None
    offered = tuple(
        Tool(tool.function.name, tool.function.description or "", tool.function.parameters or {}) for tool in tools
    )
    return ToolUse(offered, "auto" if choice in (None, "auto") else "required", named)


class TextFormat(Strict):
    type: Literal["text"]


class JsonObjectFormat(Strict):
    type: Literal["json_object"]


class JsonSchemaDefinition(Strict):
    name: Name
    description: PlainText | None = None
    definition: JsonSchema | None = Field(None, alias="schema", description="JSON Schema; without it, any object")
    strict: bool | None = Field(None, description="Accepted; answers always validate")


class JsonSchemaFormat(Strict):
    type: Literal["json_schema"]
    json_schema: JsonSchemaDefinition


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]


def json_format(wanted: TextFormat | JsonObjectFormat | JsonSchemaFormat | None) -> JsonFormat | None:
    if isinstance(wanted, JsonSchemaFormat):
        return JsonFormat(wanted.json_schema.definition)
    return JsonFormat() if isinstance(wanted, JsonObjectFormat) else None
