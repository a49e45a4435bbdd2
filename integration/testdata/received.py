# Hands descriptors to a process that uses each once and is gone. Says what they are:
# the letter of the type, the name and the protocol. Arguments: a directory to work in, and "refused"
# where pidfd_getfd is.
import ctypes, os, socket, sys

dir = os.path.realpath(sys.argv[1])
os.chdir(dir)
libc = ctypes.CDLL(None, use_errno=True)


def ends(s, client):
    a, b = (s.getsockname(), s.getpeername()) if client else (s.getpeername(), s.getsockname())
    return "%s:%d->%s:%d" % (*a[:2], *b[:2])


listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
served, _ = listener.accept()
named = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
named.bind("named.sock")
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
reader, writer = os.pipe()
file = os.open("sent file", os.O_RDWR | os.O_CREAT, 0o600)
os.open("gone", os.O_RDWR | os.O_CREAT, 0o600)
gone = os.open("gone", os.O_RDWR)
os.unlink("gone")
folder = os.open(".", os.O_RDONLY)

sent = [
    (file, "f", dir + "/sent file", "<NA>"),
    (gone, "f", dir + "/gone (deleted)", "<NA>"),
    (folder, "d", dir, "<NA>"),
    (writer, "p", os.readlink("/proc/self/fd/%d" % writer), "<NA>"),
    (listener.fileno(), "4", "%s:%d" % listener.getsockname(), "tcp"),
    (client.fileno(), "4", ends(client, True), "tcp"),
    (udp.fileno(), "4", "%s:%d" % udp.getsockname(), "udp"),
    (named.fileno(), "u", "named.sock", "<NA>"),
]
here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
for n, (fd, letter, name, protocol) in enumerate(sent):
    print("%d|%s|%s|%s" % (n, letter, name, protocol))
if "refused" not in sys.argv:
    print("%d|f|%s|<NA>" % (len(sent), dir + "/sent file"))
sys.stdout.flush()
socket.send_fds(there, [b"x"], [fd for fd, *_ in sent])

pid = os.fork()
if pid == 0:
    for fd, *_ in sent:
        os.close(fd)
    _, fds, _, _ = socket.recv_fds(here, 1, 20)
    # A descriptor that nobody has told of: the parent's, by its number.
    if "refused" not in sys.argv:
        fds.append(libc.syscall(438, os.pidfd_open(os.getppid()), file, 0))
        if fds[-1] < 0:
            os._exit(1)
    for n, fd in enumerate(fds):
        libc.lseek(fd, ctypes.c_long(n), 0)
    os._exit(0)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
