"""Opens WebSockets to one group and reads almost nothing: argv is host, port, path, count and seconds between two single bytes."""
import socket
import sys
import time

host, port, path, count, pause = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
head = (
    f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()
readers = []
for _ in range(count):
    reader = socket.create_connection((host, port))
    reader.sendall(head)
    # The first byte of the response shows that the engine has accepted the connection.
    reader.recv(1)
    readers.append(reader)
print("open", flush=True)
while True:
    time.sleep(pause)
    for reader in readers:
        try:
            reader.recv(1)
        except OSError:
            pass
