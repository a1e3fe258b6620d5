"""Signs the requests that an upstream has seen as botocore does, and verifies an assertion as google-auth does.

Reads {"requests": [...], "assertion": {...}} from standard input; says nothing where all is as it should be.
"""

import base64
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from google.auth import crypt, jwt


def signature(seen):
    credentials = Credentials(seen["access_key_id"], seen["secret_access_key"], seen.get("session_token"))
    signer = SigV4Auth(credentials, seen["service"], seen["region"])
    request = AWSRequest(
        method=seen["method"], url=seen["url"], data=base64.b64decode(seen["body"]), headers=seen["headers"]
    )
    request.context["timestamp"] = seen["headers"]["x-amz-date"]
    canonical = signer.canonical_request(request)
    return signer.signature(signer.string_to_sign(request, canonical), request), canonical


said = json.load(sys.stdin)
for seen in said["requests"]:
    expected, canonical = signature(seen)
    if not seen["authorization"].endswith(f"Signature={expected}"):
        sys.exit(f"botocore signs otherwise: {expected}\n{seen['authorization']}\n{canonical}")

assertion = said["assertion"]
with open(assertion["public_key"], "rb") as file:
    verifier = crypt.RSAVerifier.from_string(file.read())
header, claims, signed, signature = jwt._unverified_decode(assertion["text"])
if not verifier.verify(signed, signature):
    sys.exit("google-auth does not verify the assertion")
if header["kid"] != "key-1" or claims["aud"] != assertion["audience"]:
    sys.exit(f"the assertion is for something else: {header} {claims}")
jwt._verify_iat_and_exp(claims)
