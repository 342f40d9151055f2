"""A TLS client that offers what it is told to. Prints what came of it: "protocol=... alpn=..." or "refused: ...".

Usage: tls_client.py PORT CA CERT KEY tls1.2|tls1.3 ALPN,ALPN|- [garbage|twice]
"""
import socket
import ssl
import sys

port, authority, certificate, key, version, protocols = sys.argv[1:7]
raw = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
if sys.argv[7:] == ["garbage"]:
    raw.sendall(bytes(range(256)) * 64)
    try:
        while raw.recv(4096):
            pass
    except OSError:
        pass
    print("closed")
    sys.exit()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(authority)
context.load_cert_chain(certificate, key)
chosen = ssl.TLSVersion.TLSv1_2 if version == "tls1.2" else ssl.TLSVersion.TLSv1_3
context.minimum_version = context.maximum_version = chosen
if protocols != "-":
    context.set_alpn_protocols(protocols.split(","))
try:
    tls = context.wrap_socket(raw, server_hostname="localhost")
    print(f"protocol={tls.version()} alpn={tls.selected_alpn_protocol()} bytes={len(tls.recv(1))}")
    if sys.argv[7:] == ["twice"]:
        raw = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
        again = context.wrap_socket(raw, server_hostname="localhost", session=tls.session)
        print(f"resumed={again.session_reused} bytes={len(again.recv(1))} "
              f"lifetime={tls.session.ticket_lifetime_hint}")
except OSError as error:
    print(f"refused: {error}")
