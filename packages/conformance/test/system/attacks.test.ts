import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { frame, OPCODE, upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { AttackedEngine, crowd, later, MOST_SLICE_MS } from '../harness/attacked-engine.js';

// Runs the attacks of a security review against an engine with a heap of 512 MiB. Meanwhile an innocent worker writes, and an innocent
// client watches.

const group = { stream_name: 's', group_id: 'g' };
const MIB = 1_048_576;
/** The largest slice for twenty sockets that send pings, each read once in a turn. */
const MOST_PING_SLICE_MS = 50 + 4;
/** An empty ping of a client, with a mask of zeros. */
const PING = Buffer.of(0x89, 0x80, 0, 0, 0, 0);

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('error', () => {});
  later(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function openTcp(url: string, said: string | Buffer): Promise<Socket> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  socket.on('error', () => {});
  later(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(said);
  return socket;
}

/** Sends calls without waiting for the answers between them. Resolves when all are answered or the connection is closed. */
async function flood(worker: RawWorker, count: number, functionId: string, data: (n: number) => unknown): Promise<void> {
  const ids = Array.from({ length: count }, () => randomUUID());
  for (const [n, invocation_id] of ids.entries())
    worker.send({ type: 'invokefunction', invocation_id, function_id: functionId, data: data(n) });
  const open = new Set<unknown>(ids);
  const answered = (async () => {
    while (open.size > 0) open.delete((await worker.take('invocationresult', ({ invocation_id: id }) => open.has(id))).invocation_id);
  })();
  await Promise.race([answered, worker.closed]);
}

const join = (n: number | string) => ({ type: 'join', data: { subscriptionId: 's', streamName: 'noise', groupId: `g${n}` } });
const leave = (n: number | string) => ({ type: 'leave', data: { subscriptionId: 's', streamName: 'noise', groupId: `g${n}` } });

test('an attack above the bound runs five times, each time after the connections of the last run are closed', async () => {
  const attacked = await AttackedEngine.start();
  const sockets: WebSocket[] = [];
  const openBefore: number[] = [];
  const attack = async () => {
    openBefore.push(sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length);
    sockets.push(await openSocket(attacked.engine.streamUrl));
  };
  await expect(attacked.survives(attack, 0)).rejects.toThrow(/^the main thread worked for .* in one go/);
  expect(openBefore).toEqual([0, 0, 0, 0, 0]);
  await expect(attacked.survives(() => Promise.reject(new Error('the attack failed')))).rejects.toThrow('the attack failed');
});

describe('one peer alone', () => {
  test('E1 a refresh with a token that is not well-formed ends nothing', async () => {
    const attacked = await AttackedEngine.start();
    await attacked.survives(async () => {
      const socket = await openSocket(attacked.engine.streamUrl);
      for (const token of ['\\ud800', '\\udfff\\ud800', '%', '\\u0000', '%E0%A4%A'])
        socket.send(`{"type":"refresh","data":{"token":"${token}"}}`);
      socket.ping();
      await once(socket, 'pong');
    });
  });

  test('E2 a guest that increments a large value 400 times holds nobody up', async () => {
    const attacked = await AttackedEngine.start();
    const guest = await RawWorker.connect(attacked.engine.guestUrl);
    const fields = Object.fromEntries(Array.from({ length: 8_000 }, (_, n) => [`k${n}`, 'x'.repeat(110)]));
    const { grownMib } = await attacked.survives(async () => {
      // Each run has an item of its own: the answer to a second `stream::set` holds two such values, which is more than a guest may get.
      const big = { ...group, item_id: randomUUID() };
      await guest.result('stream::set', { ...big, data: { ...fields, n: 0 } });
      await flood(guest, 400, 'stream::update', () => ({ ...big, ops: [{ type: 'increment', path: 'n', by: 1 }] }));
    });
    expect(grownMib).toBeLessThan(256);
  });

  test('F34 a guest that sends deep, wide and odd JSON holds nobody up', async () => {
    const attacked = await AttackedEngine.start();
    const shapes: Readonly<Record<string, string>> = {
      'deep lists': `${'['.repeat(400_000)}${']'.repeat(400_000)}`,
      'a list of numbers': `[${'1,'.repeat(99_000)}1]`,
      'a list of lists': `[${'[],'.repeat(300_000)}1]`,
      'many keys': `{${Array.from({ length: 60_000 }, (_, n) => `"k${n}":1`).join()}}`,
      'one key many times': `{${'"same":1,'.repeat(99_000)}"same":2}`,
      'a long number': '9'.repeat(900_000),
      'a long exponent': `1e${'9'.repeat(900_000)}`,
      'escaped characters': `"${'\\u0000'.repeat(160_000)}"`,
      'lone surrogates': `"${'\\ud800'.repeat(160_000)}"`,
      'names of prototypes': '{"__proto__":{"a":1},"constructor":{"prototype":{"b":1}}}',
      'an unfinished text': `"${'x'.repeat(900_000)}`,
    };
    const longest: Record<string, number> = {};
    for (const [shape, data] of Object.entries(shapes)) {
      const { longestMs } = await attacked.measure(() =>
        crowd(6, 1, async () => {
          const socket = await openSocket(attacked.engine.guestUrl);
          const target = '"stream_name":"s","group_id":"g","item_id":"i"';
          socket.send(`{"type":"invokefunction","invocation_id":"i","function_id":"stream::set","data":{${target},"data":${data}}}`);
          socket.ping();
          await Promise.race([once(socket, 'pong'), once(socket, 'close')]);
          socket.terminate();
        }),
      );
      longest[shape] = longestMs;
    }
    expect(Object.entries(longest).filter(([, ms]) => ms > MOST_SLICE_MS)).toEqual([]);
  });

  test('E7 a client that joins and leaves ever new groups costs little memory', async () => {
    const attacked = await AttackedEngine.start();
    const { grownMib } = await attacked.survives(async () => {
      const socket = await openSocket(attacked.engine.streamUrl);
      for (let n = 0; n < 40_000 && socket.readyState === WebSocket.OPEN; n++) {
        socket.send(JSON.stringify(join(n)));
        socket.send(JSON.stringify(leave(n)));
        if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      socket.terminate();
    });
    expect(grownMib).toBeLessThan(128);
  });

  test('E8 a guest that registers large descriptions owns at most its share', async () => {
    const attacked = await AttackedEngine.start();
    const { grownMib } = await attacked.survives(() =>
      crowd(10, 10, async () => {
        const guest = await RawWorker.connect(attacked.engine.guestUrl);
        later(() => guest.close());
        for (let n = 0; n < 600 && guest.socket.readyState === WebSocket.OPEN; n++)
          guest.send({ type: 'registerfunction', id: `guest::f${n}`, description: 'x'.repeat(30_000) });
        await Promise.race([guest.settled(), guest.closed]);
      }),
    );
    expect(grownMib).toBeLessThan(10 * 16);
  });

  test('E9 lists of very many groups are made in slices', async () => {
    const attacked = await AttackedEngine.start();
    const { worker } = attacked;
    for (let n = 0; n < 20; n++)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, k) =>
          worker.result('stream::set', { stream_name: 'many', group_id: `group-${n * 1_000 + k}`, item_id: 'i', data: 1 }),
        ),
      );
    const guest = await RawWorker.connect(attacked.engine.guestUrl);
    await attacked.survives(async () => {
      await flood(guest, 15, 'stream::list_all', () => ({}));
      await flood(guest, 15, 'stream::list_groups', () => ({ stream_name: 'many', limit: 10 }));
    });
  });

  test('E10 a guest that logs without end stops nobody, though nobody reads the log', async () => {
    const attacked = await AttackedEngine.start();
    const guest = await RawWorker.connect(attacked.engine.guestUrl);
    const { grownMib } = await attacked.survives(() =>
      flood(guest, 6_000, 'engine::log::info', (n) => ({ message: `line ${n} ${'x'.repeat(500)}` })),
    );
    expect(grownMib).toBeLessThan(128);
  });
});

describe('a crowd', () => {
  test('E4 requests without a body and idle connections leave the HTTP port open', async () => {
    const attacked = await AttackedEngine.start();
    const { engine, worker } = attacked;
    await worker.serve('app::hello', () => ({ status_code: 200, body: 'hello' }));
    await worker.bind('http', 'app::hello', { api_path: '/hello', http_method: 'GET' });
    const hello = async () => expect((await fetch(`${engine.httpUrl}/hello`)).status).toBe(200);
    await hello();
    await attacked.survives(async () => {
      const post = 'POST /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n';
      await crowd(1_100, 50, () => openTcp(engine.httpUrl, post));
      await hello();
      await crowd(3_000, 50, () => openTcp(engine.httpUrl, ''));
      for (let n = 0; n < 5; n++) await hello();
    });
  });

  test('E4 requests with long queries of malformed sequences hold nobody up', async () => {
    const attacked = await AttackedEngine.start();
    const { engine, worker } = attacked;
    await worker.serve('app::hello', () => ({ status_code: 200, body: 'hello' }));
    await worker.bind('http', 'app::hello', { api_path: '/hello', http_method: 'GET' });
    const query = (n: number) => Array.from({ length: 1_200 }, (_, k) => `k${n}_${k}=%f${k % 10}`).join('&');
    await attacked.survives(() =>
      crowd(200, 200, async (n) => expect((await fetch(`${engine.httpUrl}/hello?${query(n)}`)).status).toBe(200)),
    );
  });

  test.each(['stream', 'guest', 'worker', 'http'] as const)(
    'E5 peers that are not let in yet own at most 256 KiB each: %s',
    async (port) => {
      const attacked = await AttackedEngine.start();
      const url = `ws://127.0.0.1:${attacked.engine.ports[port]}`;
      const peers = 100;
      const megabytes = Buffer.alloc(2 * MIB, 'x');
      const unfinished = frame({ opcode: OPCODE.binary, payload: megabytes }).subarray(0, MIB);
      const ways: readonly (() => Promise<unknown>)[] = [
        () => openTcp(url, 'GET /'.padEnd(15_000, 'x')),
        () => openTcp(url, `${upgradeHead('/otel')}`).then((socket) => socket.write(unfinished)),
        () => openTcp(url, Buffer.concat([Buffer.from(upgradeHead('/nowhere')), megabytes])),
        () =>
          openTcp(
            url,
            Buffer.concat([Buffer.from('POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2097152\r\n\r\n'), megabytes]),
          ),
      ];
      const { grownMib } = await attacked.survives(async () => {
        await crowd(peers, 10, (n) => (ways[n % ways.length] ?? (() => Promise.resolve()))());
      });
      expect(grownMib).toBeLessThan(peers / 4);
    },
  );

  test.each([
    ['guest', '/otel'],
    ['stream', '/'],
    ['worker', '/'],
  ] as const)('pings in bunches hold nobody up: %s %s', async (port, path) => {
    const attacked = await AttackedEngine.start();
    const pings = Buffer.alloc(60_000, PING);
    await attacked.survives(async () => {
      const sockets = await crowd(20, 20, async () => {
        const socket = await openTcp(`ws://127.0.0.1:${attacked.engine.ports[port]}`, upgradeHead(path));
        expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 101 /);
        return socket;
      });
      for (let n = 0; n < 10; n++) {
        for (const socket of sockets) socket.write(pings);
        await attacked.worker.settled();
      }
    }, MOST_PING_SLICE_MS);
  });

  test('E11 clients of a large group that never read cost at most 256 KiB each', async () => {
    const attacked = await AttackedEngine.start();
    const { worker, engine } = attacked;
    for (let n = 0; n < 100; n++) await worker.result('stream::set', { ...group, item_id: `i${n}`, data: 'x'.repeat(100_000) });
    const clients = 200;
    const { grownMib } = await attacked.survives(async () => {
      await crowd(clients, 20, async () => {
        const socket = await openTcp(engine.streamUrl, upgradeHead('/stream/s/g'));
        socket.pause();
      });
      for (let n = 0; n < 20; n++) await worker.result('stream::set', { ...group, item_id: `i${n}`, data: 'y'.repeat(100_000) });
    });
    // All clients share one snapshot of 10 MB.
    expect(grownMib).toBeLessThan(clients / 4 + 32);
  });

  test('E11 clients of one large item that never read share its frame', async () => {
    const attacked = await AttackedEngine.start();
    const { worker, engine } = attacked;
    await worker.result('stream::set', { ...group, item_id: 'large', data: 'x'.repeat(6_000_000) });
    const clients = 40;
    const { grownMib } = await attacked.survives(async () => {
      const joins = Array.from({ length: clients }, async (_, n) => {
        const socket = await openTcp(engine.streamUrl, upgradeHead('/'));
        await once(socket, 'data');
        socket.pause();
        const join = { subscriptionId: 's', streamName: 's', groupId: 'g', id: 'large', positions: n % 2 === 0 };
        socket.write(frame({ payload: JSON.stringify({ type: 'join', data: join }) }));
        // The first bytes of the item have arrived. The socket reads nothing more.
        await new Promise((resolve) => socket.once('readable', () => resolve(socket.read(1))));
      });
      await Promise.all(joins);
      await worker.settled();
    });
    expect(grownMib).toBeLessThan(clients / 4 + 16);
  });

  test('E12 clients that resume at many old positions are all answered', async () => {
    const attacked = await AttackedEngine.start();
    const { worker, engine } = attacked;
    for (let n = 0; n < 4; n++)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, k) => worker.result('stream::set', { ...group, item_id: `i${n * 1_000 + k}`, data: { n } })),
      );
    const first = await openSocket(engine.streamUrl);
    first.send(JSON.stringify({ type: 'join', data: { subscriptionId: 'p', streamName: 's', groupId: 'g', positions: true } }));
    const epoch = await new Promise<string>((resolve) => {
      first.on('message', (data: Buffer) => {
        const { epoch: found } = JSON.parse(data.toString()) as { readonly epoch?: string };
        if (found !== undefined) resolve(found);
      });
    });
    first.terminate();
    await attacked.survives(() =>
      crowd(200, 200, async (n) => {
        const socket = await openSocket(engine.streamUrl);
        const caughtUp = new Promise<void>((resolve) => {
          socket.on('message', (data: Buffer) => {
            if (data.toString().startsWith('{"type":"caught_up"') || data.toString().includes('"last":true')) resolve();
          });
        });
        socket.send(
          JSON.stringify({
            type: 'join',
            data: { subscriptionId: 'r', streamName: 's', groupId: 'g', positions: true, since: `${epoch}:${n + 1}` },
          }),
        );
        await caughtUp;
        socket.terminate();
      }),
    );
  });
});
