import { connect, type Socket } from 'node:net';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, it, onTestFinished } from 'vitest';

const LIMITED = ['/bin/sh', '-c', 'ulimit -n 120; exec "$@"', 'sh'];

/** Resolves at the first of these events. A reset is no error of the test. */
function first(socket: Socket, ...events: readonly string[]): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    for (const event of events) socket.once(event, () => resolve());
  });
}

async function open(url: string, said: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => {});
  await first(socket, 'connect', 'close');
  socket.write(said);
  socket.resume();
  return socket;
}

/** Returns the log lines of one event. */
const lines = (engine: EngineProcess, event: string) => engine.log.split('\n').filter((line) => line.includes(event));

it('E13 when descriptors run out, idle connections make room, and each dropped one is seen in the log; writes go on', async () => {
  const engine = await EngineProcess.start({ wrapper: LIMITED });
  const worker = await RawWorker.connect(engine.workerUrl);
  // 300 clients that want to stay are more than the engine can have. Each waits for its answer.
  const clients: Socket[] = [];
  while (clients.length < 300) {
    const few = await Promise.all(Array.from({ length: 10 }, () => open(engine.streamUrl, upgradeHead('/'))));
    await Promise.all(few.map((socket) => first(socket, 'data', 'close')));
    clients.push(...few);
  }
  while (lines(engine, 'connections_dropped').length === 0) await worker.settled();
  expect(lines(engine, 'connections_dropped')[0]).toMatch(/reason=descriptors limit=120 .*ulimit -n/);
  const written = { stream_name: 's', group_id: 'g', item_id: 'i', data: 1 };
  expect(await worker.result('stream::set', written)).toMatchObject({ new_value: 1 });
  for (const socket of clients) socket.destroy();
  await Promise.all(clients.map((socket) => first(socket, 'close')));
  // The engine has noticed that the clients left when another one is admitted.
  const join = () => StreamSocket.open(`${engine.streamUrl}/stream/s/g`);
  const regained = async (): Promise<StreamSocket> => join().catch(regained);
  await (await regained()).close();
  // 400 clients send nothing. The newest of them stay, and a client that speaks is admitted at once.
  const idle = await Promise.all(Array.from({ length: 400 }, () => open(engine.streamUrl, '')));
  while (idle.filter(({ closed }) => closed).length < 150) await worker.settled();
  const client = await join();
  while (lines(engine, 'idle_connections_evicted').length === 0) await worker.settled();
  const sync = await client.inbox.take(({ event }) => event.type === 'sync', 'the snapshot');
  expect(sync.event.data).toEqual([1]);
});
