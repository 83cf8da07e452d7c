import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { registerWorker } from '@rivulet/sdk';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Ending, frame, OPCODE, RawSocket, upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { expect, onTestFinished, test } from 'vitest';
import { Bystanders } from '../harness/bystanders.js';

// Starts an engine for inputs that broke ws, engine.io, socket.io and undici. The tests send them to the engine's listeners and to the SDK.

async function start() {
  const engine = await startTestEngine({ http: {}, guest: {} });
  const bystanders = await Bystanders.of(engine);
  const { workerUrl, streamUrl, guestUrl, httpUrl } = engine;
  return { bystanders, webSocketUrls: [workerUrl, streamUrl, guestUrl], urls: [workerUrl, streamUrl, guestUrl, httpUrl] };
}

/** Sends `head` and resolves when the engine has answered or ended the connection. */
async function attempt(url: string, head: string): Promise<RawSocket> {
  const raw = await RawSocket.connect(url);
  raw.write(head);
  await Promise.race([once(raw.socket, 'data'), raw.ended]);
  return raw;
}

const HEADS: readonly (readonly [string, readonly string[]])[] = [
  ['ws 3.3.1: an extension named after a member of Object.prototype', ['Sec-WebSocket-Extensions: constructor']],
  ['ws 3.3.1: the same with parameters', ['Sec-WebSocket-Extensions: __proto__; toString=1, hasOwnProperty']],
  ['CVE-2026-2229 undici: a window that does not exist', ['Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99']],
  ['CVE-2021-32640 ws: spaces in the sub-protocol', [`Sec-WebSocket-Protocol: b${' '.repeat(12_000)}x`]],
  ['CVE-2024-37890 ws: more headers than Node keeps, so the last ones are missing', Array.from({ length: 2_100 }, (_, n) => `a${n}: 1`)],
];

test.each(HEADS)('S26 %s', async (what, lines) => {
  const { bystanders, urls } = await start();
  for (const url of urls) {
    const raw = await attempt(url, upgradeHead('/', lines));
    raw.socket.destroy();
    // The header lines that ask for an upgrade come last.
    const late = await attempt(
      url,
      `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('\r\n')}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    );
    late.socket.destroy();
  }
  await bystanders.undisturbed(what);
});

test('S26 CVE-2026-48779 ws: fragments of one byte, and empty ones, that never end', async () => {
  const { bystanders, webSocketUrls } = await start();
  for (const url of webSocketUrls) {
    for (const payload of ['x', '']) {
      const raw = await RawSocket.upgrade(url);
      raw.write(frame({ fin: false, payload }));
      const rest = frame({ opcode: OPCODE.continuation, fin: false, payload });
      for (let n = 0; n < 20_000; n += 1_000) raw.write(Buffer.concat(Array<Buffer>(1_000).fill(rest)));
      const ending: Ending = await raw.ended;
      expect([1008, 1009, undefined]).toContain(ending.code);
    }
  }
  await bystanders.undisturbed('fragments');
});

test('S26 CVE-2026-2229 undici: a server that answers with a window that does not exist fails the connection of the SDK, not its process', async () => {
  const uncaught: unknown[] = [];
  const note = (error: unknown) => {
    uncaught.push(error);
  };
  process.on('uncaughtException', note).on('unhandledRejection', note);
  onTestFinished(() => {
    process.off('uncaughtException', note).off('unhandledRejection', note);
  });
  let attempts = 0;
  let second = () => {};
  const twice = new Promise<void>((resolve) => {
    second = resolve;
  });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data: Buffer) => {
      const key = /sec-websocket-key: (\S+)/i.exec(data.toString())?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const bits = `Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=${attempts === 0 ? 99 : 0}\r\n`;
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${bits}\r\n`,
      );
      if (++attempts === 2) second();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as { readonly port: number };
  const worker = registerWorker(`ws://127.0.0.1:${port}`, { onWarning: () => {} });
  await twice;
  await worker.shutdown();
  expect(uncaught).toEqual([]);
});

test('S29 a hostile header of 64 KiB costs less than 5 ms of processor time', async () => {
  const { bystanders, urls } = await start();
  const fillers = [' '.repeat(65_000), ','.repeat(65_000), ';='.repeat(32_000), '%'.repeat(65_000), 'a, '.repeat(21_000)];
  const names = ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'Cookie', 'Origin', 'X-Forwarded-For', 'Content-Type'];
  const costs: number[] = [];
  for (const url of urls) {
    for (const name of names) {
      for (const filler of fillers) {
        const head = upgradeHead('/', [`${name}: b${filler}x`]);
        const before = process.cpuUsage();
        const raw = await attempt(url, head);
        const { user, system } = process.cpuUsage(before);
        raw.socket.destroy();
        costs.push((user + system) / 1_000);
      }
    }
  }
  // The test and garbage collection run in the same process, so a single attempt proves nothing.
  costs.sort((a, b) => a - b);
  expect(costs[Math.floor(costs.length / 2)]).toBeLessThan(5);
  await bystanders.undisturbed('headers');
});
