"""What a provider in Python is written with: the contract's types, and the body of a call as an object.

A provider is a module `provider` with functions named like the hooks: `prepare`, `resume`, `explain`, `quota`, `interpret`, `shape`, and
a class `Rewriter`. Only those that `wit/world.wit` exports are called. A hook that raises `Failure` returns it; any other exception is
written to the gateway's log, and the client is told that the component failed.
"""

import json as _json
from dataclasses import dataclass, field
from typing import Any, Iterable, Optional, Sequence, Union

from componentize_py_types import Err
from wit_world.imports import document as _document
from wit_world.imports import log as _log
from wit_world.imports import types as _types
from wit_world.imports.document import Cell, Condition, Document as _Lent, Kind
from wit_world.imports.field import Field
from wit_world.imports.log import Level
from wit_world.imports.types import (
    Account, Answer, Blob, Body, Body_Content, Body_Empty, Body_Form, Body_Forward, Body_Json, Body_Multipart, Call,
    Content, Content_Base64, Content_Text, Content_Value, Delivery_Pass, Delivery_Rewrite, Event, Exchange, Head, Part,
    Reply, Step, Step_Ask, Step_Described, Step_Reply, Step_Send, Trouble, Trouble_Answer, Trouble_Event, Window as _Window,
)

#: The step by which `prepare` leaves the request to the description, with the body as it was edited.
DESCRIBED = Step_Described()


class kind:
    """What a failure is. The host decides by it, and by the scope, what is tried next."""

    RATE_LIMITED = "rate-limited"
    USAGE_LIMIT = "usage-limit"
    NO_CREDIT = "no-credit"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    MODEL_NOT_FOUND = "model-not-found"
    CONTEXT_EXCEEDED = "context-exceeded"
    CONTENT_FILTERED = "content-filtered"
    INVALID_REQUEST = "invalid-request"
    UNSUPPORTED = "unsupported"
    OTHER = "other"


class scope:
    """What a failure concerns."""

    REQUEST = "request"
    ACCOUNT = "account"
    MODEL = "model"
    PROVIDER = "provider"


class Failure(Exception):
    """A failure: raised by a hook, or returned by `explain`."""

    def __init__(
        self, kind: str, scope: str, message: str, *, code: Optional[str] = None, retry_after_ms: Optional[int] = None,
        resets_at: Optional[int] = None, status: Optional[int] = None, more: str = "",
    ) -> None:
        super().__init__(message)
        self.value = _types.Failure(kind, scope, message, code, retry_after_ms, resets_at, status, more)

    @staticmethod
    def unsupported(message: str) -> "Failure":
        """The provider cannot do what the call asks for; others may."""
        return Failure(kind.UNSUPPORTED, scope.PROVIDER, message)

    @staticmethod
    def invalid(message: str) -> "Failure":
        """The call is wrong, whoever is asked."""
        return Failure(kind.INVALID_REQUEST, scope.REQUEST, message)


def Window(
    name: str, *, used_percent: Optional[float] = None, limit: Optional[int] = None, remaining: Optional[int] = None,
    length_seconds: Optional[int] = None, resets_at: Optional[int] = None, resets_in_seconds: Optional[int] = None,
) -> _Window:
    """One window of a limit or of a plan."""
    return _Window(name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds, "")


def usage(windows: Iterable[_Window], plan: str = "") -> str:
    """What `interpret` answers of a side request of the kind `usage`."""
    names = ("name", "used_percent", "limit", "remaining", "length_seconds", "resets_at")
    members = [{name: getattr(window, name) for name in names if getattr(window, name) is not None} for window in windows]
    return dumps({"windows": members, "plan": plan})


def models(items: Iterable[dict]) -> str:
    """What `interpret` answers of a list of models: each has an `id`, and may have `operations`, `context_window` and so on."""
    return dumps({"models": list(items)})


def dumps(value: Any) -> str:
    """JSON without white space."""
    return _json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(text: str) -> Any:
    """The value of a JSON text; None where it is none, or was cut off."""
    try:
        return _json.loads(text)
    except ValueError:
        return None


def at(value: Any, pointer: str) -> Any:
    """The value at a JSON pointer below a value of `loads`; None where there is none."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def pointer(*names: str) -> str:
    """The JSON pointer of these names, one below the other."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def header(fields: Sequence[Field], name: str) -> Optional[str]:
    """The value of the first field of this name; names of headers are lower case."""
    return next((field.value for field in fields if field.name == name), None)


def log(message: str, level: Level = Level.INFO) -> None:
    """A line in the gateway's log, of at most 1 KiB."""
    _log.log(level, message)


def add(path: str, value: Any) -> _document.Edit:
    """Sets a member, or inserts into a list."""
    return _document.Edit_Add(_document.Assignment(path, dumps(value)))


def replace(path: str, value: Any) -> _document.Edit:
    """Replaces what must be there."""
    return _document.Edit_Replace(_document.Assignment(path, dumps(value)))


def remove(path: str) -> _document.Edit:
    """Removes what must be there."""
    return _document.Edit_Remove(path)


def move(source: str, target: str) -> _document.Edit:
    """Takes a value from one place to another, in the host."""
    return _document.Edit_Move(_document.Relocation(source, target))


def copy(source: str, target: str) -> _document.Edit:
    """Adds a value a second time, in the host."""
    return _document.Edit_Copy(_document.Relocation(source, target))


class on:
    """A condition on the value at a pointer below a match: `on("/role").is_("user")`."""

    def __init__(self, pointer: str) -> None:
        self._at = pointer

    def _condition(self, test: _document.Test, negated: bool = False) -> Condition:
        return Condition(self._at, test, negated)

    def is_(self, *values: Any) -> Condition:
        """It is one of these scalars."""
        return self._condition(_document.Test_OneOf([dumps(value) for value in values]))

    def begins_with(self, *texts: str) -> Condition:
        """It is a string that begins with one of these."""
        return self._condition(_document.Test_BeginsWith(list(texts)))

    def is_a(self, *kinds: Kind) -> Condition:
        """It is of one of these kinds."""
        return self._condition(_document.Test_OfKind(list(kinds)))

    def is_there(self) -> Condition:
        """It is there."""
        return self._condition(_document.Test_Present())

    def is_longer_than(self, size: int) -> Condition:
        """Its JSON has more bytes."""
        return self._condition(_document.Test_LongerThan(size))


def not_(condition: Condition) -> Condition:
    """The opposite; what is not there passes it."""
    return Condition(condition.at, condition.test, not condition.negated)


@dataclass
class Row:
    """One match: its pointer, and its cells as values; None where there is none, or where it is longer than was asked for."""

    pointer: str
    cells: list


class Document:
    """The JSON body of a call, or a whole answer. It stays in the host; a read costs what it selects.

    An edit that fails raises `Failure.invalid`, as does a read of what is no JSON.
    """

    def __init__(self, lent: _Lent) -> None:
        self._lent = lent

    def kind(self, pointer: str) -> Optional[Kind]:
        """What the value is; None where there is none."""
        return _read(self._lent.kind, pointer)

    def get(self, pointer: str, max_bytes: int = 1 << 16) -> Any:
        """The value; None where there is none."""
        text = _read(self._lent.get, pointer, max_bytes)
        return None if text is None else _json.loads(text)

    def keys(self, pointer: str = "") -> list:
        """The names of an object's members."""
        return _read(self._lent.keys, pointer)

    def find(self, pattern: str, *only: Condition, fields: Sequence[str] = (), max_bytes: int = 1 << 16, limit: int = 0xFFFFFFFF) -> list:
        """What a pattern names and all conditions let pass, each with the values at these pointers below it."""
        matches = _read(self._lent.find, pattern, list(only), list(fields), max_bytes, limit)
        return [Row(row.pointer, [_cell(cell) for cell in row.cells]) for row in matches.rows]

    def patch(self, *edits: _document.Edit) -> None:
        """Applies all edits in their order, or none."""
        _edit(self._lent.patch, list(edits))

    def each(self, pattern: str, *only: Condition, edits: Sequence[_document.Edit], named: int = 0) -> _document.Patched:
        """Makes the same edits on every match, or none; their paths are below it."""
        return _edit(self._lent.patch_each, pattern, list(only), list(edits), named)


def _cell(cell: Cell) -> Any:
    return _json.loads(cell.value) if isinstance(cell, _document.Cell_Value) else None


def _read(function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        why = error.value
        raise Failure.invalid(
            f"a value of the body is too long: {why.value} bytes" if isinstance(why, _document.ReadError_TooBig) else why.value
        ) from None


def _edit(function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        raise Failure.invalid(error.value) from None


@dataclass
class Request:
    """An HTTP request, described. `{model}` in a path is the call's model, encoded; other holes are in `values`."""

    method: str
    origin: str
    path: str
    values: dict = field(default_factory=dict)
    query: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    body: Body = field(default_factory=Body_Forward)
    framing: str = "json"
    memo: bytes = b""
    dropped: list = field(default_factory=list)
    more: str = ""

    def _of(self, delivery) -> _types.Request:
        fields = lambda named: [Field(name, value) for name, value in named.items()]
        return _types.Request(
            self.method, self.origin, self.path, fields(self.values), fields(self.query), fields(self.headers), self.body,
            self.framing, delivery, self.memo, self.dropped, self.more,
        )

    def pass_(self) -> Step:
        """The answer goes to the client as it comes."""
        return Step_Send(self._of(Delivery_Pass()))

    def rewrite(self, framing: str = "sse") -> Step:
        """The answer goes through `Rewriter`, or `shape` where it is one document."""
        return Step_Send(self._of(Delivery_Rewrite(framing)))

    def ask(self, memo: bytes = b"", wait_ms: int = 0) -> Step:
        """Its answer goes to `resume`, with this memo."""
        return Step_Ask(Exchange(self._of(Delivery_Pass()), memo, wait_ms))


def reply(body: Any, status: int = 200) -> Step:
    """An answer without asking anybody, in the call's dialect."""
    return Step_Reply(Reply(status, [], "json", dumps(body), ""))


def event(data: Union[str, Any], name: Optional[str] = None) -> Event:
    """An event of a stream: a text as it is, anything else as JSON."""
    return Event(name, [], data if isinstance(data, str) else dumps(data), b"")


def document(payload: Any) -> Optional[Document]:
    """The JSON body that `prepare` and `resume` are given; None where there is none."""
    return payload if isinstance(payload, Document) else None
