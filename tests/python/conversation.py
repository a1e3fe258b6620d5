"""Conversations with models of other vendors, by an official client: python_translated.rs runs this and scripts the models.

The argument is the client's way: `chat`, `responses`, `messages` or `google`, and with `langchain-` before it the same by
LangChain. Each line of the input is a conversation: the
gateway's `origin`, the `model`, the file that it is `kept` in, and a `picture`. Where the file is there, the conversation goes on.
For each, what the model says last is printed, as JSON.

The model calls the tools `weather` and `picture`, side by side, and one request in between fails.
"""

import base64
import json
import pathlib
import sys

WAY = sys.argv[1]
# Each takes its time.
if WAY.startswith("langchain-"):
    from langchain_client import LangChain
elif WAY in ("chat", "responses"):
    import openai
elif WAY == "messages":
    import anthropic
else:
    from google import genai
    from google.genai import types

SYSTEM = "You are a weather station."
CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "number"}}, "required": ["city"]}
TOOLS = {"weather": ("Tells the weather.", CITY), "picture": ("Shows the sky.", {"type": "object", "properties": {}})}


def result(name, arguments):
    """A tool's result: whether it went well, a text, and whether there is a picture."""
    if name == "picture":
        return True, "The sky:", True
    if arguments["city"] == "Atlantis":
        return False, "There is no such city.", False
    return True, f"It is fine in {arguments['city']}.", False


class Chat:
    def __init__(self, talk, kept):
        self.model, self.picture = talk["model"], pathlib.Path(talk["picture"]).read_bytes()
        self.data = base64.b64encode(self.picture).decode()
        self.client = openai.OpenAI(base_url=talk["origin"] + "/v1", api_key="of-the-client-alone", max_retries=0, timeout=30)
        self.messages = kept or [{"role": "developer", "content": SYSTEM}]
        self.tools = [
            {"type": "function", "function": {"name": name, "description": text, "parameters": schema}}
            for name, (text, schema) in TOOLS.items()
        ]

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def ask(self, streamed):
        asked = dict(model=self.model, messages=self.messages, tools=self.tools, reasoning_effort="high")
        if streamed:
            with self.client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
                for _ in stream:
                    pass
                completion = stream.get_final_completion()
        else:
            completion = self.client.chat.completions.create(**asked)
        assert completion.model == self.model and completion.usage.completion_tokens == 20, completion
        message = completion.choices[0].message
        self.messages.append(message.model_dump(mode="json"))
        calls = message.tool_calls or []
        assert completion.choices[0].finish_reason == ("tool_calls" if calls else "stop"), completion
        return message.content, [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls]

    def answer(self, results):
        for id, _, (_, text, _) in results:
            self.messages.append({"role": "tool", "tool_call_id": id, "content": text})
        if any(picture for *_, (_, _, picture) in results):
            url = {"url": f"data:image/png;base64,{self.data}"}
            self.messages.append({"role": "user", "content": [{"type": "image_url", "image_url": url}]})

    def kept(self):
        return self.messages


class Responses:
    def __init__(self, talk, kept):
        self.model, self.picture = talk["model"], pathlib.Path(talk["picture"]).read_bytes()
        self.data = base64.b64encode(self.picture).decode()
        self.client = openai.OpenAI(base_url=talk["origin"] + "/v1", api_key="of-the-client-alone", max_retries=0, timeout=30)
        self.input = kept or []
        self.tools = [
            {"type": "function", "name": name, "description": text, "parameters": schema, "strict": False}
            for name, (text, schema) in TOOLS.items()
        ]

    def say(self, text):
        self.input.append({"role": "user", "content": text})

    def ask(self, streamed):
        asked = dict(
            model=self.model,
            instructions=SYSTEM,
            input=self.input,
            tools=self.tools,
            reasoning={"effort": "high", "summary": "auto"},
            include=["reasoning.encrypted_content"],
            store=False,
        )
        if streamed:
            with self.client.responses.stream(**asked) as stream:
                for _ in stream:
                    pass
                response = stream.get_final_response()
        else:
            response = self.client.responses.create(**asked)
        assert response.model == self.model and response.status == "completed", response
        assert response.usage.total_tokens == 120 and response.usage.input_tokens_details.cached_tokens == 60, response
        self.input += [item.model_dump(mode="json", exclude_none=True) for item in response.output]
        calls = [item for item in response.output if item.type == "function_call"]
        return response.output_text, [(call.call_id, call.name, json.loads(call.arguments)) for call in calls]

    def answer(self, results):
        for id, _, (_, text, picture) in results:
            image = {"type": "input_image", "image_url": f"data:image/png;base64,{self.data}"}
            output = [{"type": "input_text", "text": text}, image] if picture else text
            self.input.append({"type": "function_call_output", "call_id": id, "output": output})

    def kept(self):
        return self.input


class Messages:
    def __init__(self, talk, kept):
        self.model, self.picture = talk["model"], pathlib.Path(talk["picture"]).read_bytes()
        self.data = base64.b64encode(self.picture).decode()
        self.client = anthropic.Anthropic(base_url=talk["origin"], api_key="of-the-client-alone", max_retries=0, timeout=30)
        self.messages = kept or []
        self.tools = [
            {"name": name, "description": text, "input_schema": schema} for name, (text, schema) in TOOLS.items()
        ]

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def ask(self, streamed):
        asked = dict(
            model=self.model,
            max_tokens=8000,
            system=SYSTEM,
            messages=self.messages,
            tools=self.tools,
            thinking={"type": "adaptive"},
        )
        if streamed:
            with self.client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = self.client.messages.create(**asked)
        usage = message.usage
        assert message.model == self.model, message
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (40, 60, 20), message
        self.messages.append({"role": "assistant", "content": [block.model_dump(mode="json") for block in message.content]})
        calls = [block for block in message.content if block.type == "tool_use"]
        assert message.stop_reason == ("tool_use" if calls else "end_turn"), message
        text = "".join(block.text for block in message.content if block.type == "text")
        return text, [(call.id, call.name, call.input) for call in calls]

    def answer(self, results):
        blocks = []
        for id, _, (is_fine, text, picture) in results:
            source = {"type": "base64", "media_type": "image/png", "data": self.data}
            content = [{"type": "text", "text": text}] + ([{"type": "image", "source": source}] if picture else [])
            blocks.append({"type": "tool_result", "tool_use_id": id, "content": content, "is_error": not is_fine})
        self.messages.append({"role": "user", "content": blocks})

    def kept(self):
        return self.messages


class Google:
    def __init__(self, talk, kept):
        self.model, self.picture = talk["model"], pathlib.Path(talk["picture"]).read_bytes()
        self.data = base64.b64encode(self.picture).decode()
        options = types.HttpOptions(base_url=talk["origin"], timeout=30_000)
        self.client = genai.Client(api_key="of-the-client-alone", http_options=options)
        self.contents = [types.Content.model_validate_json(content) for content in kept or []]
        functions = [
            {"name": name, "description": text, "parameters_json_schema": schema}
            for name, (text, schema) in TOOLS.items()
        ]
        self.config = types.GenerateContentConfig(
            system_instruction=SYSTEM,
            tools=[types.Tool(function_declarations=functions)],
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level="HIGH"),
        )

    def say(self, text):
        self.contents.append(types.Content(role="user", parts=[types.Part(text=text)]))

    def ask(self, streamed):
        asked = dict(model=self.model, contents=self.contents, config=self.config)
        if streamed:
            chunks = list(self.client.models.generate_content_stream(**asked))
        else:
            chunks = [self.client.models.generate_content(**asked)]
        contents = [chunk.candidates[0].content for chunk in chunks if chunk.candidates and chunk.candidates[0].content]
        usage = chunks[-1].usage_metadata
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP, chunks
        assert (usage.prompt_token_count, usage.cached_content_token_count, usage.total_token_count) == (100, 60, 120), usage
        # As the package's own chats keep them: one for each chunk.
        self.contents += contents
        parts = [part for content in contents for part in content.parts or []]
        calls = [part.function_call for part in parts if part.function_call]
        text = "".join(part.text for part in parts if part.text and not part.thought)
        return text, [(call.id, call.name, call.args) for call in calls]

    def answer(self, results):
        parts = []
        for id, name, (is_fine, text, picture) in results:
            response = {"output" if is_fine else "error": text}
            parts.append(types.Part(function_response=types.FunctionResponse(id=id, name=name, response=response)))
            if picture:
                parts.append(types.Part.from_bytes(data=self.picture, mime_type="image/png"))
        self.contents.append(types.Content(role="user", parts=parts))

    def kept(self):
        return [content.model_dump_json(exclude_none=True) for content in self.contents]


def lead(talk):
    kept = pathlib.Path(talk["kept"])
    goes_on = kept.exists()
    history = json.loads(kept.read_text()) if goes_on else None
    if WAY.startswith("langchain-"):
        client = LangChain(WAY.removeprefix("langchain-"), SYSTEM, TOOLS, talk, history)
    else:
        client = CLIENTS[WAY](talk, history)
    client.say("Are you there?" if goes_on else "How is the weather?")
    requests = failed = 0
    while True:
        requests += 1
        try:
            text, calls = client.ask(streamed=requests % 2 == 1)
        except Exception as error:
            # Once: the same again goes well.
            failed += 1
            # LangChain's errors have the package's own as their cause.
            codes = [getattr(said, "status_code", None) or getattr(said, "code", None) for said in (error, error.__cause__)]
            status = codes[0] or codes[1]
            if failed > 1 or goes_on or status != 400:
                raise
            continue
        if not calls:
            break
        # The last is done first.
        client.answer([(id, name, result(name, arguments)) for id, name, arguments in reversed(calls)])
    kept.write_text(json.dumps(client.kept()))
    return text


CLIENTS = {"chat": Chat, "responses": Responses, "messages": Messages, "google": Google}
for line in sys.stdin:
    print(json.dumps(lead(json.loads(line))), flush=True)
