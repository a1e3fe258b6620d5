"""acme, a provider of an API that is like none of the dialects: sdk/acme/README.md says what it is and what becomes of it."""

import re

from bitrouter import (
    DESCRIBED, Answer, Call, Document, Failure, Kind, Request, Step, Window, add, at, dumps, event, header, kind, loads,
    move, not_, on, pointer, remove, replace, scope, usage,
)

SPEAKERS = {"system": "rules", "developer": "rules", "user": "guest", "assistant": "acme"}
OPTIONS = {"max_tokens": "/options/limit", "max_completion_tokens": "/options/limit", "temperature": "/options/heat"}
FAULTS = {
    "E_SLOW": (kind.RATE_LIMITED, scope.ACCOUNT),
    "E_SPENT": (kind.NO_CREDIT, scope.ACCOUNT),
    "E_TOKEN": (kind.UNAUTHORIZED, scope.ACCOUNT),
    "E_ENGINE": (kind.MODEL_NOT_FOUND, scope.MODEL),
    "E_LONG": (kind.CONTEXT_EXCEEDED, scope.REQUEST),
    "E_BUSY": (kind.OVERLOADED, scope.MODEL),
}
ROOM = re.compile(r"(\w+)=(\d+)/(\d+) in (\d+)")


def prepare(call: Call, body) -> Step:
    if not isinstance(body, Document):
        return DESCRIBED
    if call.operation == "embeddings":
        return embed(body)
    return converse(call, body) if call.operation == "generate" else DESCRIBED


def converse(call: Call, document: Document) -> Step:
    for row in document.find("/messages/*", not_(on("/role").is_(*SPEAKERS)), limit=1):
        raise Failure.unsupported(f"acme knows no message of the role at {row.pointer}/role")
    for row in document.find("/messages/*", on("/content").is_a(Kind.ARRAY)):
        join(document, row.pointer + "/content")
    for theirs, ours in SPEAKERS.items():
        document.each("/messages/*", on("/role").is_(theirs), edits=[replace("/role", ours)])
    for theirs, ours in (("/role", "/speaker"), ("/content", "/words")):
        document.each("/messages/*", on(theirs).is_there(), edits=[move(theirs, ours)])
    wants_usage = document.get("/stream_options/include_usage") is True
    edits, dropped = [add("/options", {})], []
    for name in document.keys():
        place = pointer(name)
        if name == "model":
            edits.append(move(place, "/engine"))
        elif name == "messages":
            edits.append(move(place, "/turns"))
        elif name in OPTIONS:
            edits.append(move(place, OPTIONS[name]))
        else:
            edits.append(remove(place))
            if name not in ("stream", "stream_options"):
                dropped.append(place)
    document.patch(*edits, add("/live", call.streaming))
    framing, memo = "ndjson" if call.streaming else "json", b"usage" if wants_usage else b""
    return Request("POST", "api", "/engines/{model}/converse", framing=framing, memo=memo, dropped=dropped).rewrite()


def join(document: Document, content: str) -> None:
    """Makes a list of texts one text."""
    texts = []
    for row in document.find(content + "/*", fields=["/type", "/text"], max_bytes=1 << 20):
        what, text = row.cells
        if what != "text" or not isinstance(text, str):
            raise Failure.unsupported(f"acme takes texts only, not what is at {row.pointer}")
        texts.append(text)
    document.patch(replace(content, "\n".join(texts)))


def embed(document: Document) -> Step:
    edits, dropped = [], []
    for name in document.keys():
        place = pointer(name)
        if name == "model":
            edits.append(move(place, "/engine"))
        elif name == "input":
            is_list = document.kind(place) == Kind.ARRAY
            edits += [move(place, "/texts")] if is_list else [add("/texts", []), move(place, "/texts/-")]
        else:
            edits.append(remove(place))
            dropped.append(place)
    document.patch(*edits)
    return Request("POST", "api", "/engines/{model}/embed", dropped=dropped).rewrite()


def explain(trouble, memo: bytes):
    """An `Answer` whose status is none of 2xx, or an error `Event`."""
    return fault(at(loads(trouble.body if isinstance(trouble, Answer) else trouble.data), "/fault"))


def fault(json):
    """What a fault means; None where its code is new."""
    what = FAULTS.get(at(json, "/code"))
    if what is None:
        return None
    wait = at(json, "/wait")
    wait = wait * 1000 if isinstance(wait, int) else None
    return Failure(*what, at(json, "/why") or "", code=at(json, "/code"), retry_after_ms=wait)


def any_fault(json) -> Failure:
    """What a fault means where there is nobody else to say it."""
    return fault(json) or Failure(kind.UNAVAILABLE, scope.PROVIDER, at(json, "/why") or "")


def quota(headers, event):
    windows = []
    room = ROOM.fullmatch(header(headers, "x-acme-room") or "")
    if room:
        name, left, most, wait = room.groups()
        windows.append(Window(name, limit=int(most), remaining=int(left), resets_in_seconds=int(wait)))
    json = loads(event) if event else None
    if at(json, "/type") == "quota":
        most, left, wait = (at(json, place) for place in ("/most", "/left", "/back_in"))
        windows.append(Window(at(json, "/of"), limit=most, remaining=left, resets_in_seconds=wait))
    return windows


def interpret(side: str, page: Answer):
    json = loads(page.body)
    spent, most = at(json, "/spent"), at(json, "/of")
    if side != "plan" or page.status != 200 or not isinstance(spent, int) or not most:
        return None
    window = Window("month", used_percent=spent * 100 / most, limit=most, remaining=max(most - spent, 0))
    return usage([window], at(json, "/plan") or "")


def shape(call: Call, memo: bytes, head, body: Document) -> None:
    json = body.get("/fault", 4096)
    if json is not None:
        raise any_fault(json)
    used = used_of(body.get("/spent", 256))
    edits = vectors(call, body, used) if call.operation == "embeddings" else answer(body, used)
    try:
        body.patch(*edits)
    except Failure as why:
        raise Failure(kind.UNAVAILABLE, scope.PROVIDER, f"acme answered otherwise than it should: {why}") from None


def answer(body: Document, used: dict) -> list:
    choice = {"index": 0, "message": {"role": "assistant"}, "finish_reason": reason(body.get("/why", 64))}
    return [
        add("/choices", [choice]),
        move("/words", "/choices/0/message/content"),
        move("/engine", "/model"),
        move("/at", "/created"),
        add("/object", "chat.completion"),
        add("/usage", used),
        remove("/spent"),
        remove("/why"),
    ]


def vectors(call: Call, body: Document, used: dict) -> list:
    edits = []
    for index, row in enumerate(body.find("/vectors/*")):
        edits += [
            move(row.pointer + "/values", row.pointer + "/embedding"),
            add(row.pointer + "/index", index),
            add(row.pointer + "/object", "embedding"),
        ]
    return edits + [
        move("/vectors", "/data"), add("/object", "list"), add("/model", call.model), add("/usage", used), remove("/spent"),
    ]


class Rewriter:
    """A stream that is rewritten: a line in, a chunk of Chat Completions out."""

    def __init__(self, call: Call, memo: bytes, head) -> None:
        self.wants_usage = memo == b"usage"
        self.begun = {}

    def push(self, events):
        chunks = []
        for line in (loads(event.data) for event in events):
            what = at(line, "/type")
            if what == "begin":
                self.begun = line
                chunks.append(self.chunk({"role": "assistant", "content": ""}))
            elif what == "words":
                chunks.append(self.chunk({"content": line["words"]}))
            elif what == "end":
                chunks += self.end(line)
            elif what == "fault":
                raise any_fault(line["fault"])
        return chunks

    def finish(self):
        return []

    def end(self, line):
        used = {"usage": used_of(line["spent"])}
        last = self.chunk({}, reason(line["why"]), **({} if self.wants_usage else used))
        own = [event({**self.head(), "choices": [], **used})] if self.wants_usage else []
        return [last, *own, event("[DONE]")]

    def chunk(self, delta: dict, finish_reason=None, **rest):
        return event({**self.head(), "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **rest})

    def head(self) -> dict:
        names = (("id", "id"), ("created", "at"), ("model", "engine"))
        own = {ours: self.begun.get(theirs) for ours, theirs in names}
        return {"id": own["id"], "object": "chat.completion.chunk", "created": own["created"], "model": own["model"]}


def reason(why) -> str:
    return "length" if why == "limit" else "stop"


def used_of(spent) -> dict:
    read, said = at(spent, "/read") or 0, at(spent, "/said") or 0
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}
