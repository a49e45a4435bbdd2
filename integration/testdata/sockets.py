"""Uses sockets of all kinds from threads and child processes, and prints what
it saw of each, one fact a line, for checkFacts."""

import os
import signal
import socket
import subprocess
import sys
import threading

lock = threading.Lock()


def fact(*words):
    with lock:
        print("\t".join(str(w) for w in words), flush=True)


def half(typ, beginning):
    fact("half", os.getpid(), threading.get_native_id(), typ, beginning)


def text(address):
    return "%s:%d" % (address[0], address[1])


def stream(family, address, letter):
    """A connection from this thread to another one."""
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(address)
    if family == socket.AF_UNIX:
        name = address.replace("\0", "@")
        half("bind", "res=0 addr=%s " % name)
    else:
        half("bind", "res=0 addr=%s " % text(server.getsockname()))
    server.listen(4)
    bound = server.getsockname()

    def serve():
        peer, _ = server.accept()
        if family == socket.AF_UNIX:
            half("accept", "fd=%d(<u>#->0 %s) tuple=#->0 %s queuepct=0 queuelen=0 queuemax=" % (peer.fileno(), name, name))
        else:
            arrow = "%s->%s" % (text(peer.getpeername()), text(peer.getsockname()))
            half("accept", "fd=%d(<%st>%s) tuple=%s queuepct=0 queuelen=0 queuemax=4 " % (peer.fileno(), letter, arrow, arrow))
        peer.recv(10)
        peer.close()

    thread = threading.Thread(target=serve)
    thread.start()
    client = socket.socket(family, socket.SOCK_STREAM)
    half("socket", "fd=%d(<%s>) " % (client.fileno(), letter))
    client.connect(bound)
    if family == socket.AF_UNIX:
        half("connect", "res=0 tuple=0-># %s " % name)
    else:
        half("connect", "res=0 tuple=%s->%s " % (text(client.getsockname()), text(client.getpeername())))
    client.send(b"hello")
    client.close()
    thread.join()
    server.close()


def datagram(family, address):
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind(address)
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.connect(server.getsockname())
    half("connect", "res=0 tuple=%s->%s " % (text(client.getsockname()), text(client.getpeername())))
    client.send(b"hello")
    server.recvfrom(10)
    client.close()
    server.close()


def refused(family, address):
    free = socket.socket(family, socket.SOCK_STREAM)
    free.bind(address)  # and nobody listens there
    client = socket.socket(family, socket.SOCK_STREAM)
    try:
        client.connect(free.getsockname())
    except ConnectionRefusedError:
        half("connect", "res=-111(ECONNREFUSED) tuple=NULL ")
    client.close()
    free.close()


def child(argv, status):
    p = subprocess.Popen(argv)
    p.wait()
    fact("exit", p.pid, status)


def main():
    os.chdir(sys.argv[1])
    half("chdir", "res=0 path=%s " % sys.argv[1])
    stream(socket.AF_INET, ("127.0.0.1", 0), "4")
    stream(socket.AF_INET6, ("::1", 0), "6")
    stream(socket.AF_UNIX, "server.sock", "u")
    stream(socket.AF_UNIX, "\0pdig-abstract-%d" % os.getpid(), "u")
    datagram(socket.AF_INET, ("127.0.0.1", 0))
    datagram(socket.AF_INET6, ("::1", 0))
    refused(socket.AF_INET, ("127.0.0.1", 0))
    refused(socket.AF_INET6, ("::1", 0))
    child(["/bin/sh", "-c", "exit 7"], 7 << 8)
    child(["/bin/sh", "-c", "kill -TERM $$"], signal.SIGTERM)
    child(["/bin/true"], 0)
    fact("exit", os.getpid(), 0)


main()
