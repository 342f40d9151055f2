"""Signs a post as standardwebhooks.com describes it, with Python's own hmac: sign_post.py SECRET ID TIMESTAMP BODY_FILE prints the header."""
import base64
import hashlib
import hmac
import sys

secret, identifier, moment, path = sys.argv[1:]
with open(path, "rb") as file:
    signed = f"{identifier}.{moment}.".encode() + file.read()
key = base64.b64decode(secret.removeprefix("whsec_"))
print("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode(), end="")
