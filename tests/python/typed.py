"""Every request, answer and stream that the cases of translation expect, held against the vendors' own typed models: typed.rs
runs this with the folder of the cases. A line for each that is wrong, and in the end how many were looked at.
"""

import json
import pathlib
import re
import sys

from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from google.genai import types as google
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from shapes import wrong, wrong_answer

REQUESTS = {
    "chat-completions": (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming),
    "responses": (ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming),
    "messages": (MessageCreateParamsNonStreaming, MessageCreateParamsStreaming),
}
# generateContent's request has no type of its own: the package puts it together from these.
GOOGLE = {
    "contents": list[google.Content],
    "systemInstruction": google.Content,
    "tools": list[google.Tool],
    "toolConfig": google.ToolConfig,
    "safetySettings": list[google.SafetySetting],
    "generationConfig": google.GenerationConfig,
    "cachedContent": str,
    "serviceTier": str,
    "labels": dict[str, str],
}
ANSWERS = {
    "chat-completions": (ChatCompletion, ChatCompletionChunk),
    "responses": (Response, ResponseStreamEvent),
    "messages": (BetaMessage, BetaRawMessageStreamEvent),
    "generate-content": (google.GenerateContentResponse, google.GenerateContentResponse),
}
# What stands beside the types by agreement: reasoning that is shown and what carries a state (facts, sections 2 and 6), and
# what OpenAI sends though its package does not name it.
BESIDE = {
    "chat-completions": {
        f"{kind}.{name}"
        for kind in ("ChatCompletionMessage", "ChatCompletionAssistantMessageParam", "ChoiceDelta")
        for name in ("reasoning_content", "reasoning_details", "extra_content")
    }
    | {
        f"{kind}.extra_content"
        for kind in (
            "ChatCompletionMessageFunctionToolCall",
            "ChatCompletionMessageFunctionToolCallParam",
            "ChoiceDeltaToolCall",
        )
    }
    | {"ChoiceDelta.annotations", "ChoiceDeltaToolCall.custom"},
    "responses": {"ResponseCustomToolCall.status", "Logprob.bytes", "LogprobTopLogprob.bytes"},
}
# A wrapped state, as the cases write it.
STATE = re.compile(r'br1\((?:[^()"]|\([^()"]*\))*\)')


def number(text):
    """1000.0 is an integer to JSON, and none to Python."""
    return int(float(text)) if float(text).is_integer() else float(text)


def read(text):
    """JSON as clients read it: half of a surrogate pair is a letter that cannot be shown."""
    value = json.loads(text, parse_float=number)
    # OpenAI fails with more codes than its package lists: Codex acts on `context_length_exceeded`.
    error = isinstance(value, dict) and (value.get("response") or value).get("error")
    if error and error.get("code"):
        error["code"] = "server_error"
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def wrong_request(text, dialect):
    body = read(text)
    # What the cases say of a request that the target cannot have.
    if "refused" in body:
        return None
    if dialect != "generate-content":
        return wrong(body, REQUESTS[dialect][bool(body.get("stream"))], BESIDE.get(dialect, ()))
    unknown = [name for name in body if name not in GOOGLE]
    if unknown:
        return f": no member {unknown[0]!r}"
    found = ((name, wrong_answer(value, GOOGLE[name])) for name, value in body.items())
    return next((f"/{name}{problem}" for name, problem in found if problem), None)


def wrong_stream(text, dialect):
    for line in text.splitlines():
        data = line.removeprefix("data: ")
        if data == line or data == "[DONE]":
            continue
        event = read(data)
        # Errors within a stream have no type in any package: the clients read them by hand.
        if event.get("error") is not None and event.get("type") in (None, "error") or event.get("type") == "ping":
            continue
        # Chat streams custom tools' calls as it has them whole; the package's type for a delta knows functions alone.
        for choice in event.get("choices", ()):
            for call in choice["delta"].get("tool_calls", ()):
                call["type"] = "function"
        problem = wrong_answer(event, ANSWERS[dialect][1], BESIDE.get(dialect, ()))
        if problem:
            return f"{event.get('type', 'chunk')} {problem}"
    return None


def wrong_whole(text, dialect):
    answer = read(text)
    # What the cases say of an answer that is none.
    return None if "fails" in answer else wrong_answer(answer, ANSWERS[dialect][0], BESIDE.get(dialect, ()))


CHECKS = {"request": wrong_request, "answer": wrong_whole, "stream": wrong_stream}
looked_at = 0
for file in sorted(pathlib.Path(sys.argv[1]).glob("*/*/*.*.*")):
    kind, dialect, _ = file.name.split(".")
    if kind not in CHECKS:
        continue
    looked_at += 1
    try:
        problem = CHECKS[kind](STATE.sub("YnIxLnN0YXRl", file.read_text()), dialect)
    except ValueError as error:
        problem = str(error)
    if problem:
        print("wrong", file.relative_to(sys.argv[1]), problem, sep="\t")
print("looked at", looked_at)
