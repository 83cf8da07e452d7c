import { once } from 'node:events';
import type { Socket } from 'node:net';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { LoopSlices } from '@rivulet/testkit/measures/loop-slices';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, test } from 'vitest';

/** Milliseconds of the main thread's processor time in one go. The clock of the kernel adds up to 4. */
const MOST_MS = 50 + 4;
const SOCKETS = 20;
const READ_BYTES = 65_536;

/** Writes bytes. Resolves when the kernel has taken them. */
async function written(socket: Socket, bytes: Buffer): Promise<void> {
  if (!socket.write(bytes)) await once(socket, 'drain');
}

/** The smallest frames of each kind. They are valid, and the engine ignores them. */
const FRAMES: Readonly<Record<string, Buffer>> = {
  'empty texts': frame({ payload: '' }),
  'empty binaries': frame({ opcode: OPCODE.binary }),
  pings: frame({ opcode: OPCODE.ping }),
  pongs: frame({ opcode: OPCODE.pong }),
};

test('E2 sockets full of tiny frames that are all readable in one turn keep the event loop for less than 50 ms', async () => {
  const slices = new LoopSlices();
  const engine = await EngineProcess.start({
    env: slices.env,
    config: ({ worker, guest, stream }) =>
      JSON.stringify({
        workers: [
          { name: 'iii-worker-manager', config: { host: '127.0.0.1', port: worker } },
          { name: 'iii-worker-manager', config: { host: '127.0.0.1', port: guest, max_frames_per_second: 0, rbac: {} } },
          { name: 'iii-stream', config: { host: '127.0.0.1', port: stream, max_frames_per_second: 0 } },
        ],
      }),
  });
  const longest: Record<string, number> = {};
  for (const [listener, url] of [
    ['stream', engine.streamUrl],
    ['guest', engine.guestUrl],
  ] as const) {
    for (const [what, one] of Object.entries(FRAMES)) {
      const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => RawSocket.upgrade(url)));
      const payload = Buffer.concat(Array.from({ length: Math.floor(READ_BYTES / one.length) }, () => one));
      const runs: number[] = [];
      // The first run compiles the code. Where other processes share the core, the best of some runs shows the work.
      for (let n = 0; n < 4 || (n < 8 && Math.min(...runs) > MOST_MS); n++) {
        await slices.take(engine.pid);
        process.kill(engine.pid, 'SIGSTOP');
        await Promise.all(sockets.map(({ socket }) => written(socket, payload)));
        process.kill(engine.pid, 'SIGCONT');
        await Promise.all(sockets.map((socket) => socket.settled()));
        if (n > 0) runs.push((await slices.take(engine.pid)).longestMs);
      }
      longest[`${listener}: ${what}`] = Math.min(...runs);
      for (const { socket } of sockets) socket.destroy();
    }
  }
  if (process.env.SHOW) console.log(longest);
  expect(Object.entries(longest).filter(([, ms]) => ms > MOST_MS)).toEqual([]);
});
