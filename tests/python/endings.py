"""Official clients read answers that end in every way; endings.rs runs this with a file that lists them.

For each answer one line: its name, a tab, and `whole TEXT`, `raised EXCEPTION` or `told EVENT`.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "What is the weather in Paris?"}]
clients = {}


class Told(Exception):
    """An event said that something went wrong."""


def client(package, base, path):
    key = (package.__name__, base)
    if key not in clients:
        kind = getattr(package, "OpenAI" if package is openai else "Anthropic")
        clients[key] = kind(base_url=base + path, api_key="unused-by-the-gateway", max_retries=0, timeout=60)
    return clients[key]


def chat(base, model, stream):
    create = client(openai, base, "/v1").chat.completions.create
    answer = create(model=model, messages=MESSAGES, stream=stream)
    if not stream:
        return answer.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)


def responses(base, model, stream):
    answer = client(openai, base, "/v1").responses.create(model=model, input="hi", stream=stream)
    if not stream:
        return answer.output_text
    text = ""
    told = None
    # To the end: what comes after such an event may still raise.
    for event in answer:
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type in ("error", "response.failed"):
            told = event.type
    if told:
        raise Told(told)
    return text


def messages(base, model, stream):
    create = client(anthropic, base, "").messages.create
    answer = create(model=model, max_tokens=64, messages=MESSAGES, stream=stream)
    if not stream:
        return answer.content[0].text
    return "".join(event.delta.text for event in answer if event.type == "content_block_delta")


def outcome(case):
    read = {"chat": chat, "responses": responses, "messages": messages}[case["dialect"]]
    try:
        return "whole " + read(case["base"], "echo:" + case["name"], case["stream"])
    except Told as told:
        return f"told {told}"
    except Exception as error:
        sentence = " ".join(str(error).split())[:160]
        return f"raised {type(error).__name__}: {sentence}"


with open(sys.argv[1]) as file:
    cases = json.load(file)
for case in cases:
    # Before the threads: each makes a client where there is none.
    client(openai, case["base"], "/v1")
    client(anthropic, case["base"], "")
with ThreadPoolExecutor(16) as threads:
    for case, said in zip(cases, threads.map(outcome, cases)):
        print(case["name"], said, sep="\t", flush=True)
