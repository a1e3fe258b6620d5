"""LangChain as a client of conversation.py: its chat models for OpenAI (by Chat Completions and by Responses), Anthropic and
Google, all with the same messages, tools and pictures of LangChain's own."""

import base64
import pathlib

from langchain_core.load import dumps, loads
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage


def model_of(way, talk):
    """The chat model of a way, pointed at the gateway."""
    if way in ("chat", "responses"):
        from langchain_openai import ChatOpenAI

        asked = dict(model=talk["model"], base_url=talk["origin"] + "/v1", api_key="of-the-client-alone", max_retries=0)
        if way == "chat":
            return ChatOpenAI(**asked, reasoning_effort="high", stream_usage=True)
        reasoning = {"effort": "high", "summary": "auto"}
        include = ["reasoning.encrypted_content"]
        return ChatOpenAI(**asked, use_responses_api=True, reasoning=reasoning, include=include, store=False)
    if way == "messages":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(
            model=talk["model"],
            base_url=talk["origin"],
            api_key="of-the-client-alone",
            max_retries=0,
            max_tokens=8000,
            thinking={"type": "adaptive"},
        )
    from langchain_google_genai import ChatGoogleGenerativeAI

    return ChatGoogleGenerativeAI(
        model=talk["model"],
        base_url=talk["origin"],
        google_api_key="of-the-client-alone",
        max_retries=0,
        include_thoughts=True,
        thinking_level="high",
    )


class LangChain:
    def __init__(self, way, system, tools, talk, kept):
        self.picture = base64.b64encode(pathlib.Path(talk["picture"]).read_bytes()).decode()
        self.messages = [loads(message, allowed_objects="messages") for message in kept or []] or [SystemMessage(system)]
        functions = [
            {"type": "function", "function": {"name": name, "description": text, "parameters": schema}}
            for name, (text, schema) in tools.items()
        ]
        self.model = model_of(way, talk).bind_tools(functions)

    def say(self, text):
        self.messages.append(HumanMessage(text))

    def ask(self, streamed):
        if streamed:
            whole = None
            for chunk in self.model.stream(self.messages):
                whole = chunk if whole is None else whole + chunk
        else:
            whole = self.model.invoke(self.messages)
        usage = whole.usage_metadata
        assert (usage["input_tokens"], usage["output_tokens"]) == (100, 20), usage
        assert not whole.invalid_tool_calls, whole
        self.messages.append(whole)
        return whole.text, [(call["id"], call["name"], call["args"]) for call in whole.tool_calls]

    def answer(self, results):
        for id, name, (is_fine, text, picture) in results:
            status = "success" if is_fine else "error"
            self.messages.append(ToolMessage(text, tool_call_id=id, name=name, status=status))
        if any(picture for *_, (_, _, picture) in results):
            image = {"type": "image", "base64": self.picture, "mime_type": "image/png"}
            self.messages.append(HumanMessage([{"type": "text", "text": "As it looks:"}, image]))

    def kept(self):
        return [dumps(message) for message in self.messages]
