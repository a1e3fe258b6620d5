"""{{Name}} for BitRouter. Most of a provider is description.json; what it cannot say is code, and stands here.

Each hook that wit/world.wit exports is a function here: prepare, resume, explain, quota, interpret, shape; the rewriter of streams is a
class `Rewriter`.
"""

from bitrouter import DESCRIBED, Call, Document, Step, remove


def prepare(call: Call, body) -> Step:
    """Takes a member out that the API refuses; all else of the request is as described."""
    if isinstance(body, Document) and body.kind("/user") is not None:
        body.patch(remove("/user"))
    return DESCRIBED
