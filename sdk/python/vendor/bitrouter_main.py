"""Joins the module `provider` to the contract: what componentize-py is told to build. It decides nothing."""

import functools
import traceback
from pathlib import Path

import provider
from bitrouter import Document, Failure, Level, log
from componentize_py_types import Err

try:
    from wit_world.exports.requests import Payload_Json, Payload_Opaque
except ImportError:
    # The project exports no `requests`, so nobody hands one in.
    Payload_Json = Payload_Opaque = ()

# Read when the component is built; it is in its memory from then on.
_DESCRIPTION = (Path(provider.__file__).parent / "description.json").read_text(encoding="utf-8")


def _told(hook):
    """What the hook raises is a failure, or is told to the log before it ends the call."""

    @functools.wraps(hook)
    def told(*arguments):
        try:
            return hook(*arguments)
        except Failure as failure:
            raise Err(failure.value) from None
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            log(f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}", Level.ERROR)
            raise

    return told


def _body(payload):
    if isinstance(payload, Payload_Json):
        return Document(payload.value)
    return payload.value if isinstance(payload, Payload_Opaque) else None


class Provider:
    def describe(self):
        return _DESCRIPTION


class Requests:
    @_told
    def prepare(self, call, body):
        return provider.prepare(call, _body(body))

    @_told
    def resume(self, call, body, memo, answer):
        # Only a step that asks is ever gone on from.
        if not hasattr(provider, "resume"):
            raise Failure.unsupported("there is no `resume` in provider.py, and a step of `prepare` asks")
        return provider.resume(call, _body(body), memo, answer)


class Failures:
    @_told
    def explain(self, trouble, memo):
        failure = provider.explain(trouble.value, memo)
        return None if failure is None else failure.value


class Queries:
    @_told
    def interpret(self, side, page):
        return provider.interpret(side, page)


class Limits:
    @_told
    def quota(self, headers, event):
        return provider.quota(headers, event)


class Answers:
    @_told
    def shape(self, call, memo, head, body):
        provider.shape(call, memo, head, Document(body))
