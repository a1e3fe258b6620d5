"""Reads frames of AWS's event stream as botocore does.

Reads {"chunks": [base64, ...], "damaged": base64} from standard input; writes what is in the frames of the chunks as JSON, and
fails where the damaged ones are read as well.
"""

import base64
import json
import sys

from botocore.eventstream import ChecksumMismatch, EventStreamBuffer


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def told(message):
    try:
        data, binary = message.payload.decode("utf-8"), []
    except UnicodeDecodeError:
        data, binary = "", list(message.payload)
    headers = [[name, text(value)] for name, value in message.headers.items()]
    names = [message.headers[name] for name in (":event-type", ":exception-type", ":error-code") if name in message.headers]
    return {"name": names[0] if names else "", "headers": headers, "data": data, "binary": binary}


said = json.load(sys.stdin)
buffer, all_of_them = EventStreamBuffer(), []
for chunk in said["chunks"]:
    buffer.add_data(base64.b64decode(chunk))
    all_of_them.extend(told(message) for message in buffer)
damaged = EventStreamBuffer()
damaged.add_data(base64.b64decode(said["damaged"]))
try:
    list(damaged)
    sys.exit("botocore reads a frame that is damaged")
except ChecksumMismatch:
    pass
json.dump(all_of_them, sys.stdout)
