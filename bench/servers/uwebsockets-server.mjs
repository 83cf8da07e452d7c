// Runs in Bun, whose WebSocket server is native uWebSockets. It uses topics and `publish` as their documentation shows.
const server = globalThis.Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, self) {
    const topic = new URL(request.url).searchParams.get('topic');
    return self.upgrade(request, { data: { topic } }) ? undefined : new Response('WebSocket only', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    // The server drops nothing for a slow reader: this scenario does not measure that.
    backpressureLimit: 256 * 1_024 * 1_024,
    open(socket) {
      if (socket.data.topic !== null) socket.subscribe(socket.data.topic);
    },
    message(_socket, message) {
      const end = message.indexOf(' ');
      server.publish(message.slice(0, end), message.slice(end + 1));
    },
  },
});
const url = `ws://127.0.0.1:${server.port}/`;
process.stdout.write(`${JSON.stringify({ write: url, watch: url })}\n`);
process.stdin.on('data', (data) => {
  for (const line of String(data).trim().split('\n')) {
    if (line === 'gc') globalThis.Bun.gc(true);
    process.stdout.write('{}\n');
  }
});
