"""Messages between sockets of several kinds, in the directory of the argument."""
import array, os, select, signal, socket, sys, threading

os.chdir(sys.argv[1])

def pair(family, address):
    server, client = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
    server.bind(address)
    return server, client

server, client = pair(socket.AF_INET, ("127.0.0.1", 0))
port = server.getsockname()[1]
client.sendto(b"one", ("127.0.0.1", port))
server.sendto(b"two", server.recvfrom(10)[1])
client.recvfrom(10)
client.sendmsg([b"a", b"b"], [], 0, ("127.0.0.1", port))
server.recvmsg(10)
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.connect(("127.0.0.1", port))
other.send(b"three")
server.recvfrom(10)
try:
    server6, client6 = pair(socket.AF_INET6, ("::1", 0))
    client6.sendto(b"four", ("::1", server6.getsockname()[1]))
    server6.recvfrom(10)
    client6.sendto(b"five", ("::ffff:127.0.0.1", port))
    server.recvfrom(10)
except OSError:
    pass # no IPv6 here, or not both

local, peer = pair(socket.AF_UNIX, "socket")
peer.sendto(b"six", "socket")
local.recvfrom(10)
passed = array.array("i", [0])
peer.sendmsg([b"seven"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)], 0, "socket")
local.recvmsg(10, 100)

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
def serve():
    for _ in range(3):
        connection = listener.accept()[0]
        connection.sendall(connection.recv(10))
        connection.close()
thread = threading.Thread(target=serve)
thread.start()
for _ in range(3):
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(b"eight")
        connection.recv(10)
thread.join()

ends = socket.socketpair()
ends[0].send(b"9")
with select.epoll() as epoll:
    epoll.register(ends[1])
    epoll.poll(1)
if os.fork() == 0:
    os._exit(3)
os.wait()
directory = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
os.fchdir(directory)
file = os.open("passwd", os.O_RDONLY)
os.dup2(file, 50)
os.close(50)
os.getcwd()
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
os.execv("/bin/cat", ["cat", "/etc/hostname"])
