import { once } from 'node:events';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';

type Json = Readonly<Record<string, unknown>>;

/** A worker that speaks the protocol by hand, so that no client library stands between the test and the engine. */
class TestWorker {
  readonly #socket: WebSocket;
  readonly #answers = new Map<string, (frame: Json) => void>();
  readonly #functions = new Map<string, (data: unknown) => unknown>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString('utf8')) as Json));
  }

  static async connect(address: string): Promise<TestWorker> {
    const socket = new WebSocket(address);
    const worker = new TestWorker(socket);
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    return worker;
  }

  /** Resolves when the engine has the function. */
  async register(id: string, answer: (data: unknown) => unknown): Promise<void> {
    this.#functions.set(id, answer);
    this.#send({ type: 'registerfunction', id });
    // The engine reads the frames of one connection in order. So an answered call proves that the earlier registration is in effect.
    await this.call('engine::functions::list', {});
  }

  call(functionId: string, data: unknown): Promise<Json> {
    const invocationId = `00000000-0000-4000-8000-${String(++this.#calls).padStart(12, '0')}`;
    return new Promise((resolve) => {
      this.#answers.set(invocationId, resolve);
      this.#send({ type: 'invokefunction', invocation_id: invocationId, function_id: functionId, data });
    });
  }

  #receive(frame: Json): void {
    const { type, invocation_id: invocationId, function_id: functionId } = frame;
    if (type === 'invocationresult') this.#answers.get(String(invocationId))?.(frame);
    if (type !== 'invokefunction') return;
    const result = this.#functions.get(String(functionId))?.(frame.data);
    this.#send({ type: 'invocationresult', invocation_id: invocationId, function_id: functionId, result });
  }

  #send(frame: Json): void {
    this.#socket.send(JSON.stringify(frame));
  }
}

/** Resolves with the HTTP status of a refused upgrade. */
async function refusal(address: string): Promise<number | undefined> {
  const socket = new WebSocket(address);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

/** Resolves with all text frames until the close, and the close code. */
async function framesUntilClose(address: string, first: string): Promise<{ frames: string[]; code: number }> {
  const socket = new WebSocket(address);
  const frames: string[] = [];
  socket.on('message', (data: Buffer) => frames.push(data.toString('utf8')));
  socket.once('open', () => socket.send(first));
  const [code] = (await once(socket, 'close')) as [number];
  return { frames, code };
}

const start = (config: string) => new CliProcess(['start'], directoryWith({ 'iii-config.yaml': config }));
const JOIN = JSON.stringify({ type: 'join', data: { subscriptionId: 's1', streamName: 'chat', groupId: 'room' } });

describe('worker managers', () => {
  it('CF-6 two entries are two listeners, and only the one with rbac enforces it', async () => {
    const engine = start(`workers:
  - name: iii-worker-manager
    config: { port: 0, host: 127.0.0.1 }
  - name: iii-worker-manager
    config: { port: 0, host: 127.0.0.1, rbac: { auth_function_id: "app::auth" } }
`);
    const [open = '', guest = ''] = await engine.ready();
    expect(open).not.toBe(guest);
    const worker = await TestWorker.connect(open);
    expect(await worker.call('engine::functions::list', {})).toMatchObject({ type: 'invocationresult', result: expect.anything() });
    expect(await refusal(guest)).toBe(401);
    await engine.output('stderr', /warn auth_refused .*function_not_found/);
  });
});

describe('workers that are not listed', () => {
  it('CF-9 with an empty list there is the worker port only, and stream::set is not found', async () => {
    const engine = start('port: 0\nworkers: []\n');
    const addresses = await engine.ready();
    expect(addresses).toHaveLength(1);
    const [, port] = /:(\d+)$/.exec(addresses[0] ?? '') ?? [];
    const worker = await TestWorker.connect(`ws://127.0.0.1:${port}`);
    const answer = await worker.call('stream::set', { stream_name: 'chat', group_id: 'room', item_id: 'a', data: 1 });
    expect(answer).toMatchObject({ error: { code: 'function_not_found' } });
  });
});

describe('ports', () => {
  it('CF-11 port 0 is reported as the port that it became', async () => {
    const engine = start(`workers:
  - { name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }
  - { name: iii-stream, config: { port: 0, host: 127.0.0.1 } }
`);
    const [worker = '', stream = ''] = await engine.ready();
    const client = await TestWorker.connect(worker);
    expect(await client.call('stream::set', { stream_name: 'chat', group_id: 'room', item_id: 'a', data: { id: 'a' } })).toMatchObject({
      result: expect.objectContaining({ new_value: { id: 'a' } }),
    });
    const watcher = new WebSocket(stream);
    onTestFinished(() => watcher.terminate());
    watcher.once('open', () => watcher.send(JOIN));
    const [data] = (await once(watcher, 'message')) as [Buffer];
    expect(JSON.parse(data.toString('utf8'))).toMatchObject({ event: { type: 'sync', data: [{ id: 'a' }] } });
  });

  it('CF-11 names the port that the other listener of the machine holds, and lets the first one go', async () => {
    const config = (port: string) => `workers:
  - { name: iii-worker-manager, config: { port: ${port}, host: 127.0.0.1 } }
`;
    const first = start(config('0'));
    const [address = ''] = await first.ready();
    const [, port = ''] = /:(\d+)$/.exec(address) ?? [];
    const second = await start(config(port)).finished;
    expect(second).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(`iii-worker-manager: port ${port} is in use`) });
    first.signal('SIGTERM');
    expect(await first.finished).toMatchObject({ code: 0 });
    await start(config(port)).ready();
  });
});

describe('an auth function that is not registered', () => {
  it('CF-12 is warned of at start, refuses everyone, and lets in as soon as a worker registers it', async () => {
    const engine = start(`workers:
  - { name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }
  - { name: iii-stream, config: { port: 0, host: 127.0.0.1, auth_function: stream.auth } }
`);
    const [workerAddress = '', stream = ''] = await engine.ready();
    await engine.output('stderr', /warn auth_function_not_registered function=stream\.auth/);
    expect(await framesUntilClose(stream, JOIN)).toEqual({ frames: [], code: 1013 });
    await engine.output('stderr', /warn auth_undecided .*function=stream\.auth/);
    const worker = await TestWorker.connect(workerAddress);
    await worker.register('stream.auth', () => ({ context: { user: 'u1' } }));
    const client = new WebSocket(stream);
    onTestFinished(() => client.terminate());
    client.once('open', () => client.send(JOIN));
    const [data] = (await once(client, 'message')) as [Buffer];
    expect(JSON.parse(data.toString('utf8'))).toMatchObject({ event: { type: 'sync' } });
  });
});
