import json

from hypothesis import given
from hypothesis import strategies as st

from assistant.services.calls.tools import Call, CallReader, as_read, called
from assistant.services.generators.types import ChatPrompt, JsonFormat, Tool, ToolUse
from codellama_core.prompt import ChatMessage

TOOLS = (Tool("count", "Count lines", {"type": "object"}), Tool("list"))
QUESTION = ChatMessage("user", "How many?")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
)
calls = st.builds(
    lambda name, arguments: Call(name, json.dumps(arguments)),
    st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True),
    st.dictionaries(st.text(max_size=6), json_values, max_size=3),
)


def read(text: str, size: int) -> tuple[str, list[Call]]:
    """What a reader makes of a text that comes in pieces."""
    reader, plain, found = CallReader(), "", list[Call]()
    for start in range(0, len(text), size):
        more, deltas = reader.push(text[start : start + size])
        plain += more
        for delta in deltas:
            if delta.name is not None:
                assert delta.index == len(found)
                found.append(Call(delta.name, ""))
            found[delta.index] = Call(found[delta.index].name, found[delta.index].arguments + delta.arguments)
    return plain + reader.finish(), found


@given(st.lists(calls, min_size=1, max_size=3), st.integers(1, 9))
def test_calls_are_read_back_as_they_were_written_however_they_arrive(made: list[Call], size: int) -> None:
    assert read(called(made), size) == ("", made)


@given(st.text('{"name: ,argumnts}x', max_size=40), st.integers(1, 5))
def test_text_that_is_no_call_comes_through_unchanged(text: str, size: int) -> None:
    plain, found = read(text, size)
    assert found == []
    assert plain == text


def test_a_call_that_breaks_off_is_told_as_far_as_it_goes() -> None:
    whole = called([Call("count", '{"file": "a.py"}')])
    assert read(whole[:-5], 3) == ("", [Call("count", '{"file": "a.')])
    assert read(whole[:12], 3) == (whole[:12], [])


def test_text_is_passed_on_as_soon_as_it_cannot_become_a_call() -> None:
    reader = CallReader()
    assert reader.push('{"na') == ("", [])
    assert reader.push('med": ') == ('{"named": ', [])
    assert reader.push("1}") == ("1}", [])


def test_the_tools_are_told_in_the_system_message() -> None:
    use = ToolUse(TOOLS, "auto")
    for messages in ((QUESTION,), (ChatMessage("system", "Be brief."), QUESTION)):
        prompt = as_read(ChatPrompt(messages), use)
        assert isinstance(prompt, ChatPrompt)
        system, question = prompt.messages
        assert (system.role, question) == ("system", QUESTION)
        assert system.content.startswith("Be brief." if len(messages) > 1 else "You can call")
        assert all(json.dumps(tool.name) in system.content for tool in TOOLS)
        assert "Count lines" in system.content


def test_only_the_tool_that_may_be_called_is_told() -> None:
    prompt = as_read(ChatPrompt((QUESTION,)), ToolUse(TOOLS, "required", "list"))
    assert isinstance(prompt, ChatPrompt)
    assert "count" not in prompt.messages[0].content


def test_other_formats_leave_the_prompt_as_it_is() -> None:
    assert as_read(ChatPrompt((QUESTION,)), JsonFormat()) == ChatPrompt((QUESTION,))
