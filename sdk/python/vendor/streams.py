"""The contract's resource `rewriter`, which componentize-py looks for in a module of the interface's name."""

import provider
from bitrouter_main import _told


class Rewriter:
    @_told
    def __init__(self, call, memo, head):
        self._own = provider.Rewriter(call, memo, head)

    @_told
    def push(self, events):
        return self._own.push(events)

    @_told
    def finish(self):
        return self._own.finish()
