"""The official openai package against the gateway, whose upstream the Rust test scripts: python_sdk.rs runs this.

Each step uses the client as its documentation does and checks what came back. The first that is wrong ends the run.
"""

import io
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused-by-the-gateway", max_retries=0, timeout=20)
MESSAGES = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def chat():
    answer = client.chat.completions.create(model="openai:gpt-4o", messages=MESSAGES)
    assert answer.choices[0].message.content == "Sunny.", answer
    assert answer.usage.total_tokens == 7, answer


def chat_streamed():
    stream = client.chat.completions.create(
        model="openai:gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Sunny.", chunks
    assert chunks[-1].usage.total_tokens == 7, chunks


def tools():
    answer = client.chat.completions.create(model="openai:gpt-4o", messages=MESSAGES, tools=TOOLS)
    [call] = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls", answer
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Paris"}'), call


def tools_streamed():
    stream = client.chat.completions.create(model="openai:gpt-4o", messages=MESSAGES, tools=TOOLS, stream=True)
    name, arguments = "", ""
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert (name, arguments) == ("weather", '{"city":"Paris"}'), (name, arguments)


def embeddings():
    answer = client.embeddings.create(model="openai:text-embedding-3-small", input=["a", "b"])
    assert [item.embedding for item in answer.data] == [[0.5, -0.25], [1.0, 0.0]], answer


def image():
    answer = client.images.generate(model="openai:gpt-image-2", prompt="a cat")
    assert answer.data[0].b64_json == "aW1hZ2U=", answer


def speech():
    answer = client.audio.speech.create(model="openai:gpt-4o-mini-tts", voice="alloy", input="hello")
    assert answer.read() == bytes(range(256)) * 16


def transcription():
    sound = io.BytesIO(bytes(range(256)) * 64)
    answer = client.audio.transcriptions.create(model="openai:whisper-1", file=("sound.wav", sound))
    assert answer.text == "hello there", answer


def models():
    ids = [model.id for model in client.models.list()]
    assert any(id.endswith("gpt-4o") for id in ids), ids


def responses_streamed():
    stream = client.responses.create(model="openai:gpt-4o", input="hi", stream=True)
    events = list(stream)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Sunny.", events
    assert events[-1].type == "response.completed", events
    assert events[-1].response.usage.total_tokens == 7, events


def error():
    try:
        client.chat.completions.create(model="openai:limited", messages=MESSAGES)
    except openai.RateLimitError as limited:
        assert limited.status_code == 429 and "slow down" in str(limited), limited
    else:
        raise AssertionError("a 429 was no error")
    try:
        client.chat.completions.create(model="no-such-model-anywhere", messages=MESSAGES)
    except openai.BadRequestError as unknown:
        assert unknown.code == "model_not_found" and unknown.param == "model", unknown
    else:
        raise AssertionError("an unknown model was no error")


for step in [
    chat,
    chat_streamed,
    tools,
    tools_streamed,
    embeddings,
    image,
    speech,
    transcription,
    models,
    responses_streamed,
    error,
]:
    step()
    print("ok", step.__name__, flush=True)
