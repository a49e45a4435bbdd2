"""Uses sockets of all shapes and tells of each what getsockname and getpeername
say. Where a socket is judged it calls lseek, which fails, with a number, and
prints the same number, the tuple of its last call and the fields of the socket,
as TestEndpoints has the sensor print them. A # is any number, * anything."""

import ctypes
import errno
import os
import signal
import socket
import struct
import sys

number = 0
libc = ctypes.CDLL(None, use_errno=True)
V4, V6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, SEQ = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET


def probe(s, *fields):
    global number
    number += 1
    try:
        os.lseek(s.fileno() if hasattr(s, "fileno") else s, number, os.SEEK_SET)
    except OSError as e:
        assert e.errno == errno.ESPIPE, e
    print("|".join([str(number)] + [str(f) for f in fields]), flush=True)


def plain(address):
    """An address without the mapping of IPv4 into IPv6."""
    ip, port = address[0], address[1]
    if ip.startswith("::ffff:"):
        ip = ip[len("::ffff:"):]
    return ip, port


def text(end):
    return "%s:%d" % end


def ends(s, l4, server, tuple="", local=None, remote=None, queue=""):
    """A socket with two ends; tuple is "out", "in" or none, queue how many may
    wait where it was accepted."""
    own = plain(local or s.getsockname())
    peer = plain(remote or s.getpeername())
    letter = "6" if ":" in peer[0] else "4"
    if letter == "4" and own[0] == "::":
        own = ("0.0.0.0", own[1])
    client, serving = (peer, own) if server else (own, peer)
    way = {"out": text(own) + "->" + text(peer), "in": text(peer) + "->" + text(own), "": ""}[tuple]
    probe(s, way + queue, letter, l4, client[0], client[1], serving[0], serving[1],
          str(server).lower(), text(client) + "->" + text(serving))


def alone(s, l4, tuple="", chosen=False):
    """A socket with an end of its own only; the kernel may have chosen its port,
    which of TCP is not to be known if the socket cannot be copied."""
    own = plain(s.getsockname())
    if chosen and len(sys.argv) > 2:
        probe(s, tuple, "6" if ":" in own[0] else "4", l4, "<NA>", "<NA>", "<NA>", "<NA>", "false", own[0] + ":0")
        return
    probe(s, tuple, "6" if ":" in own[0] else "4", l4, "<NA>", "<NA>", own[0], own[1], "true", text(own))


def nameless(s, letter, l4="<NA>", tuple="*"):
    probe(s, tuple, letter, l4, "<NA>", "<NA>", "<NA>", "<NA>", "false", "")


def path(s):
    name = s.getsockname() or s.getpeername()
    if isinstance(name, bytes):
        name = name.replace(b"\0", b"@").decode()
    return name


def local(s, name, server, tuple="*"):
    """A socket of AF_UNIX; the tuple ends with a path."""
    probe(s, tuple, "u", "<NA>", "<NA>", "<NA>", "<NA>", "<NA>", server, name)


def streams(family, bind, target=None):
    """A connection, its copies and its heirs."""
    listener = socket.socket(family, STREAM)
    if family == V6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    nameless(listener, "6" if family == V6 else "4", tuple="")
    listener.bind((bind, 0))
    listener.listen(4)
    alone(listener, "tcp", chosen=True)
    port = listener.getsockname()[1]
    client = socket.socket(family, STREAM)
    client.connect((target or bind, port))
    ends(client, "tcp", False, "out")
    served, _ = listener.accept()
    ends(served, "tcp", True, "in", queue=" of 4")
    client.send(b"aa")
    ends(client, "tcp", False, "out")
    served.recv(1)
    ends(served, "tcp", True, "in")
    served.recvmsg(1)
    ends(served, "tcp", True, "in")
    copy = os.dup(client.fileno())
    ends(socket.socket(fileno=copy), "tcp", False, "")
    child = os.fork()
    if child == 0:
        ends(served, "tcp", True, "")
        os._exit(0)
    os.waitpid(child, 0)
    global number
    number += 1  # the child's
    # Not blocking, and with a port of its own.
    other = socket.socket(family, STREAM)
    other.bind((target or bind, 0))
    other.setblocking(False)
    other.connect_ex((target or bind, port))
    ends(other, "tcp", False, "out", remote=(target or bind, port))
    # Refused.
    free = socket.socket(family, STREAM)
    free.bind((target or bind, 0))
    lost = socket.socket(family, STREAM)
    assert lost.connect_ex((target or bind, free.getsockname()[1])) == errno.ECONNREFUSED
    nameless(lost, "6" if family == V6 else "4", tuple="NULL")
    return listener, client, served, other, free, lost


def over(family, bind):
    """What has come by connections that their clients have cut off."""
    listener = socket.socket(family, STREAM)
    listener.bind((bind, 0))
    listener.listen(4)
    for accepted_first in (True, False):
        if not accepted_first and len(sys.argv) > 2:
            break  # of a socket that cannot be copied nobody tells any more
        client = socket.create_connection(listener.getsockname()[:2])
        client.send(b"aa")
        remote, own = client.getsockname(), client.getpeername()
        served = socket.socket(fileno=libc.accept(listener.fileno(), None, None)) if accepted_first else None
        if served:
            ends(served, "tcp", True, "in", queue=" of 4")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        if not served:
            served = socket.socket(fileno=libc.accept(listener.fileno(), None, None))
            ends(served, "tcp", True, "in", remote=remote, local=own, queue=" of 4")
        assert served.recv(2) == b"aa"
        ends(served, "tcp", True, "in", remote=remote, local=own)


def free_port(family, address):
    with socket.socket(family, DGRAM) as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def disconnect(s):
    assert libc.connect(s.fileno(), struct.pack("HHIQQ", 0, 0, 0, 0, 0), 16) == 0


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(Iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_char_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("len", ctypes.c_uint), ("pad", ctypes.c_uint)]


def message(s, call, name):
    iov = Iovec(b"x", 1)
    m = Msghdr(name, len(name), ctypes.pointer(iov), 1)
    assert call(s.fileno(), ctypes.byref(m), 1, 0, *([None] if call == libc.recvmmsg else [])) == 1
    return m


def datagrams(family, bind, target=None):
    to = target or bind
    server = socket.socket(family, DGRAM)
    if family == V6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind((bind, 0))
    alone(server, "udp")
    address = (to, server.getsockname()[1])
    second = socket.socket(family, DGRAM)
    second.bind((to, 0))
    client = socket.socket(family, DGRAM)
    client.sendto(b"a", address)  # which gives it a port
    ends(client, "udp", False, "out", remote=address)
    _, whence = server.recvfrom(1)
    ends(server, "udp", True, "in", remote=whence)
    server.sendto(b"b", whence)
    ends(server, "udp", True, "out", remote=whence)
    client.recvmsg(1)
    ends(client, "udp", False, "in", remote=address)
    client.sendto(b"c", second.getsockname())
    ends(client, "udp", False, "out", remote=second.getsockname())
    if family == V4:
        name = struct.pack("=H2s4s8x", family, struct.pack("!H", address[1]), socket.inet_aton(to))
        message(client, libc.sendmmsg, name)
        ends(client, "udp", False, "out", remote=address)
        message(server, libc.recvmmsg, bytes(16))
        ends(server, "udp", True, "in", remote=("127.0.0.1", client.getsockname()[1]))
    client.connect(address)
    ends(client, "udp", False, "out")
    client.send(b"d")
    ends(client, "udp", False, "out")
    client.connect(second.getsockname())  # another one
    ends(client, "udp", False, "out")
    disconnect(client)
    nameless(client, "6" if family == V6 else "4")
    client.sendto(b"e", address)
    ends(client, "udp", False, "out", remote=address)
    second.connect(server.getsockname() if bind == to else address)
    ends(second, "udp", False, "out")
    disconnect(second)
    nameless(second, "6" if family == V6 else "4")  # a port that the kernel has chosen is gone
    chosen = socket.socket(family, DGRAM)
    if family == V6:
        chosen.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    chosen.bind((bind, free_port(family, to)))
    alone(chosen, "udp", "*")
    chosen.connect(address)
    ends(chosen, "udp", False, "out")
    disconnect(chosen)
    alone(chosen, "udp", "*")
    return server, client, second


def others():
    """Packets that do not go where the peer, or the address, says."""
    peer = socket.socket(V6, DGRAM)
    peer.bind(("::1", 0))
    client = socket.socket(V6, DGRAM)
    client.connect(peer.getsockname()[:2])
    assert libc.sendto(client.fileno(), b"x", 1, 0, bytes(16), 16) == 1  # AF_UNSPEC: to the peer
    ends(client, "udp", False, "out")
    try:
        raw = socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        raw.connect(("127.0.0.1", 0))
        raw.sendto(b"\x08\0\xf7\xff\0\0\0\0", ("127.0.0.2", 0))
        probe(raw, "127.0.0.1:#->127.0.0.2:0", "*")
    except PermissionError:
        pass  # no CAP_NET_RAW


def unix(kind, name):
    server = socket.socket(UNIX, kind)
    nameless(server, "u", tuple="")
    server.bind(name)
    shown = path(server)
    local(server, shown, "false")
    client = socket.socket(UNIX, kind)
    if kind != DGRAM:
        server.listen(2)
    client.connect(name)
    local(client, "#->* " + shown, "false", "*-># " + shown)
    if kind == DGRAM:
        client.send(b"a")
        server.recvfrom(1)
        late = socket.socket(UNIX, kind)
        late.sendto(b"b", name)
        late.bind(name + ".late")  # it has had none
        client.connect(name + ".late")
        client.send(b"c")
        late.recv(1)
        probe(late, "#->* " + shown + ".late", "u", "*")
        return
    served, _ = server.accept()
    local(served, "#->* " + shown, "true", "#->* " + shown + " of 2")
    served.send(b"b")
    client.recv(1)
    local(client, "#->* " + shown, "false")
    child = os.fork()
    if child == 0:  # of which nothing has been asked yet
        first = socket.socket(UNIX, kind)
        first.connect(name)
        local(first, "#->* " + shown, "false", "*-># " + shown)
        first.send(b"c")
        local(first, "#->* " + shown, "false", "*-># " + shown)
        os._exit(0)
    os.waitpid(child, 0)
    global number
    number += 2  # the child's


def strange():
    """Families whose addresses no event can tell: they are used, and get no name."""
    try:
        s = socket.socket(socket.AF_PACKET, DGRAM, socket.htons(3))
        s.bind(("lo", 0x800))
        nameless(s, "o")
        s.sendto(b"x" * 20, ("lo", 0x88b5))
        nameless(s, "o", tuple="")
    except (OSError, AttributeError):
        pass  # no capability, or no loopback that is up
    try:
        server = socket.socket(socket.AF_VSOCK, STREAM)
        nameless(server, "o")
        server.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        server.listen(1)
        client = socket.socket(socket.AF_VSOCK, STREAM)
        client.connect((1, server.getsockname()[1]))  # VMADDR_CID_LOCAL
        nameless(client, "o", tuple="")
        served, _ = server.accept()
        nameless(served, "o", tuple="")
        client.send(b"x")
        served.recv(1)
        nameless(served, "o", tuple="")
    except (OSError, AttributeError):
        pass  # the kernel has none, or no way to itself


def main():
    kept = [streams(V4, "127.0.0.1"), streams(V4, "0.0.0.0", "127.0.0.1"), streams(V6, "::1"),
            streams(V6, "::", "::1"), streams(V6, "::", "::ffff:127.0.0.1"), streams(V6, "::ffff:127.0.0.1"),
            datagrams(V4, "127.0.0.1"), datagrams(V4, "0.0.0.0", "127.0.0.1"), datagrams(V6, "::1"),
            datagrams(V6, "::", "::ffff:127.0.0.1")]
    over(V4, "127.0.0.1")
    over(V6, "::1")
    for kind, name in ((STREAM, "stream"), (DGRAM, "dgram"), (SEQ, "seq")):
        unix(kind, name + ".sock")
        unix(kind, "\0pdig-%s-%d" % (name, os.getpid()))
    if hasattr(socket, "AF_NETLINK"):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        nameless(s, "n")
        s.bind((0, 0))
        nameless(s, "n")
    others()
    strange()
    print("end", number, flush=True)


signal.alarm(120)  # whatever hangs
os.chdir(sys.argv[1])
main()
