"""Asks a process for its connections with PyPI's grpcio-channelz.

usage: channelz.py PORT CA CERT KEY DENIED_CERT DENIED_KEY

Prints a line for each thing that is not as it should be, and exits with 1 when there is one.
"""
import sys

import grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

port, authority, certificate, key, denied_certificate, denied_key = sys.argv[1:7]
wrong = []


def read(path):
    with open(path, "rb") as file:
        return file.read()


def stub(certificate, key):
    credentials = grpc.ssl_channel_credentials(read(authority), read(key), read(certificate))
    return channelz_pb2_grpc.ChannelzStub(grpc.secure_channel(f"localhost:{port}", credentials))


def check(holds, what):
    if not holds:
        wrong.append(what)


def code(call):
    try:
        call()
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


channelz = stub(certificate, key)
servers = channelz.GetServers(channelz_pb2.GetServersRequest(), wait_for_ready=True, timeout=30)
check(len(servers.server) == 1 and servers.end, f"servers: {servers}")
server = servers.server[0]
check(server.ref.name.endswith(f":{port}") and server.data.calls_started >= 1, f"server: {server}")
again = channelz.GetServer(channelz_pb2.GetServerRequest(server_id=server.ref.server_id)).server
check(again.ref == server.ref and again.data.calls_started > server.data.calls_started, f"server: {again}")
check(again.data.last_call_started_timestamp.seconds > 1_600_000_000, f"time: {again}")

first = channelz.GetServerSockets(channelz_pb2.GetServerSocketsRequest(server_id=server.ref.server_id, max_results=1))
check(len(first.socket_ref) == 1 and not first.end, f"sockets: {first}")
rest = channelz.GetServerSockets(channelz_pb2.GetServerSocketsRequest(
    server_id=server.ref.server_id, start_socket_id=first.socket_ref[0].socket_id + 1))
check(len(rest.socket_ref) >= 1 and rest.end, f"sockets: {rest}")
sockets = [channelz.GetSocket(channelz_pb2.GetSocketRequest(socket_id=ref.socket_id)).socket
           for ref in list(first.socket_ref) + list(rest.socket_ref)]
names = {socket.remote_name for socket in sockets}
check("admin (administrator)" in names, f"names: {names}")
for socket in sockets:
    check(socket.local.tcpip_address.port == int(port), f"local: {socket}")
    check(socket.remote.tcpip_address.ip_address == bytes([127, 0, 0, 1]), f"remote: {socket}")
    options = {option.name: int(option.value) for option in socket.data.option}
    check(options.get("bytes_received", 0) > 0 and options.get("bytes_sent", 0) > 0, f"bytes: {socket}")

channels = channelz.GetTopChannels(channelz_pb2.GetTopChannelsRequest())
check(len(channels.channel) == 2 and channels.end, f"channels: {channels}")
READY, FAILED = (channelz_pb2.ChannelConnectivityState.READY, channelz_pb2.ChannelConnectivityState.TRANSIENT_FAILURE)
states = {channel.data.target: channel.data.state.state for channel in channels.channel}
check(states.get(f"127.0.0.1:{port}") == READY, f"states: {states}")
for channel in channels.channel:
    check(channelz.GetChannel(
        channelz_pb2.GetChannelRequest(channel_id=channel.ref.channel_id)).channel.ref == channel.ref, f"{channel}")
    for ref in channel.subchannel_ref:
        found = channelz.GetSubchannel(channelz_pb2.GetSubchannelRequest(subchannel_id=ref.subchannel_id)).subchannel
        check(found.ref == ref, f"subchannel: {found}")
        for socket in found.socket_ref:
            check(channelz.GetSocket(channelz_pb2.GetSocketRequest(
                socket_id=socket.socket_id)).socket.data.streams_started > 0, f"{found}")
    if channel.data.target != f"127.0.0.1:{port}":
        check(channel.data.state.state == FAILED, f"state: {channel}")
        check("refused" in channel.data.trace.events[0].description.lower(), f"error: {channel}")

NOT_FOUND = grpc.StatusCode.NOT_FOUND
check(code(lambda: channelz.GetServer(channelz_pb2.GetServerRequest(server_id=987654))) == NOT_FOUND, "GetServer 9")
check(code(lambda: channelz.GetChannel(channelz_pb2.GetChannelRequest(channel_id=-1))) == NOT_FOUND, "GetChannel")
check(code(lambda: channelz.GetSubchannel(channelz_pb2.GetSubchannelRequest())) == NOT_FOUND, "GetSubchannel")
check(code(lambda: channelz.GetSocket(channelz_pb2.GetSocketRequest())) == NOT_FOUND, "GetSocket")
denied = stub(denied_certificate, denied_key)
check(code(lambda: denied.GetServers(channelz_pb2.GetServersRequest(), wait_for_ready=True, timeout=30))
      == grpc.StatusCode.PERMISSION_DENIED, "an auditor must be denied")

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
