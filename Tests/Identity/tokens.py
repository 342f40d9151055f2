"""Tokens as another implementation (PyJWT, cryptography) writes and reads them.

    tokens.py make FOLDER            writes keys.pem, other.pem (public keys) there, and a JSON object of tokens by name to stdout
    tokens.py read FILE ISS AUD      verifies the token on stdin with the public key of FILE and writes its header and claims
"""
import base64, hashlib, hmac, json, sys, time
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

ISSUER, AUDIENCE = "https://login.example", "mainstay"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def raw(header, payload, sign):
    """A token of any bytes, signed by a function."""
    text = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = ".".join(b64(part) for part in text)
    return signed + "." + b64(sign(signed.encode()))


def make(folder):
    key, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    with open(f"{folder}/keys.pem", "w") as file:
        file.write(f"Keys of the test's issuer.\nkid: first\n{pem(key)}")
    with open(f"{folder}/other.pem", "w") as file:
        file.write(f"kid: second\n{pem(other)}")
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "mei.lin", "roles": ["administrator"], "amr": ["pwd"],
              "iat": now, "exp": now + 240, "jti": "b7c1"}
    header = {"alg": "EdDSA", "typ": "JWT", "kid": "first"}

    def token(changes={}, without=(), kid="first", by=key, **headers):
        payload = {name: value for name, value in {**claims, **changes}.items() if name not in without}
        return jwt.encode(payload, by, algorithm="EdDSA", headers={"kid": kid, **headers})

    def hs256(secret):
        return raw({**header, "alg": "HS256"}, claims, lambda text: hmac.new(secret, text, hashlib.sha256).digest())

    good = token()
    head, body, signature = good.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The signature's last character holds two bits that count and four that do not.
    twin = good[:-1] + last[last.index(good[-1]) | 1]
    tokens = {
        "good": good,
        "second_factor": token({"amr": ["pwd", "otp", "mfa"]}),
        "auditor": token({"sub": "an.auditor", "roles": ["auditor"]}),
        "no_roles": token(without=["roles"]),
        "aud_list": token({"aud": ["other", AUDIENCE]}),
        "at_jwt": token(typ="at+jwt"),
        "by_second_key": token(kid="second", by=other),
        "just_issued_elsewhere": token({"iat": now + 5, "exp": now + 245}),
        "expired": token({"iat": now - 300, "exp": now - 60}),
        "not_before": token({"nbf": now + 120}),
        "issued_later": token({"iat": now + 120, "exp": now + 300}),
        "too_long_life": token({"exp": now + 3600}),
        "life_backwards": token({"exp": now - 1}),
        "alg_none": raw({**header, "alg": "none"}, claims, lambda text: b""),
        "alg_none_signed": raw({**header, "alg": "None"}, claims, key.sign),
        "hs256_pem": hs256(pem(key).encode()),
        "hs256_raw": hs256(key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)),
        "rs256": jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": "first"}),
        "alg_missing": raw({"kid": "first"}, claims, key.sign),
        "alg_ed25519": raw({**header, "alg": "Ed25519"}, claims, key.sign),
        "unknown_kid": token(kid="third"),
        "no_kid": raw({"alg": "EdDSA"}, claims, key.sign),
        "own_key": raw({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(
            other.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))}},
            claims, other.sign),
        "forged": token(by=other),
        "tampered": ".".join([head, b64(json.dumps({**claims, "sub": "root"}).encode()), signature]),
        "tampered_header": ".".join([b64(json.dumps({**header, "x": 1}).encode()), body, signature]),
        "cut_signature": raw(header, claims, lambda text: key.sign(text)[:-1]),
        "no_signature": f"{head}.{body}.",
        "twin": twin,
        "padded": good + "==",
        "two_parts": f"{head}.{body}",
        "five_parts": f"{good}.a.b",
        "blank_within": f"{head}. {body}.{signature}",
        "crit": raw({**header, "crit": ["exp"]}, claims, key.sign),
        "typ": token(typ="JOSE"),
        "issuer": token({"iss": "https://evil.example"}),
        "no_issuer": token(without=["iss"]),
        "audience": token({"aud": "other"}),
        "no_audience": token(without=["aud"]),
        "audience_number": raw(header, {**claims, "aud": 7}, key.sign),
        "no_exp": token(without=["exp"]),
        "no_iat": token(without=["iat"]),
        "no_sub": token(without=["sub"]),
        "exp_text": raw(header, {**claims, "exp": str(now + 240)}, key.sign),
        "exp_infinite": raw(header, json.dumps(claims).replace(str(now + 240), "1e400").encode(), key.sign),
        "sub_newline": token({"sub": "mei\r\nmainstay-caller: root"}),
        "sub_empty": token({"sub": ""}),
        "role_service": token({"roles": ["service"]}),
        "roles_text": raw(header, {**claims, "roles": "administrator"}, key.sign),
        "many_roles": token({"roles": [f"r{n}" for n in range(17)]}),
        "deep": raw(header, b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}", key.sign),
        "duplicate": raw(header, json.dumps(claims)[:-1].encode() + b',"sub":"root"}', key.sign),
        "not_json": raw(header, b"sub=root", key.sign),
        "not_an_object": raw(header, b"[]", key.sign),
        "not_utf8": raw(header, b'{"sub":"\xff"}', key.sign),
        "oversized": token({"note": "x" * 4000}),
        "empty": "",
        "dots": "..",
    }
    json.dump(tokens, sys.stdout)


def read(file, issuer, audience):
    text = sys.stdin.read().strip()
    block = open(file).read()
    key = serialization.load_pem_public_key(block[block.index("-----BEGIN"):].encode())
    claims = jwt.decode(text, key, algorithms=["EdDSA"], issuer=issuer, audience=audience,
                        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]})
    json.dump({"header": jwt.get_unverified_header(text), "claims": claims}, sys.stdout)


{"make": make, "read": read}[sys.argv[1]](*sys.argv[2:])
