import { ERROR_CODES, LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Ending, frame, OPCODE, RawSocket, upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { Random } from '@rivulet/testkit/random';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Bystanders } from '../harness/bystanders.js';
import { Fuzz } from '../harness/fuzz.js';
import { FUNCTION_FIELDS, HEADS, JOIN_FIELDS, NO_MESSAGES, NOT_TEXT, WORKER_FRAMES } from '../harness/hostile-corpus.js';

type Port = 'worker' | 'stream';
const BOTH_PORTS: readonly { readonly port: Port }[] = [{ port: 'worker' }, { port: 'stream' }];
const MESSAGE_BYTES = 262_144;

async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine({
    worker: { maxMessageBytes: MESSAGE_BYTES, ...options.worker },
    stream: { maxMessageBytes: MESSAGE_BYTES, ...options.stream },
  });
  const bystanders = await Bystanders.of(engine);
  const urlOf = (port: Port) => (port === 'worker' ? engine.workerUrl : engine.streamUrl);
  return { ...engine, bystanders, urlOf };
}

const close = (code: number, reason: Buffer | string = '') => {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame({ opcode: OPCODE.close, payload: Buffer.concat([payload, Buffer.from(reason)]) });
};
const fragments = (payloads: readonly (Buffer | string)[]) =>
  Buffer.concat(
    payloads.map((payload, index) =>
      frame({ opcode: index === 0 ? OPCODE.text : OPCODE.continuation, fin: index === payloads.length - 1, payload }),
    ),
  );

interface BadBytes {
  readonly what: string;
  readonly bytes: Buffer;
  readonly code: number;
}

const BROKEN_FRAMES: readonly BadBytes[] = [
  { what: 'an unmasked text frame', bytes: frame({ masked: false, payload: '{}' }), code: 1002 },
  { what: 'an unmasked ping', bytes: frame({ masked: false, opcode: OPCODE.ping }), code: 1002 },
  { what: 'an unmasked close', bytes: frame({ masked: false, opcode: OPCODE.close }), code: 1002 },
  ...[1, 2, 3, 4, 5, 6, 7].map((reserved) => ({
    what: `reserved bits ${reserved}`,
    bytes: frame({ reserved, payload: '{}' }),
    code: 1002,
  })),
  { what: 'a compressed continuation', bytes: fragments(['{', '}']).fill(0x40, 7, 8), code: 1002 },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    what: `opcode ${opcode}`,
    bytes: frame({ opcode, payload: 'x' }),
    code: 1002,
  })),
  ...[OPCODE.close, OPCODE.ping, OPCODE.pong].map((opcode) => ({
    what: `control opcode ${opcode} in fragments`,
    bytes: frame({ opcode, fin: false, payload: 'xx' }),
    code: 1002,
  })),
  ...[OPCODE.close, OPCODE.ping, OPCODE.pong].map((opcode) => ({
    what: `control opcode ${opcode} of 126 bytes`,
    bytes: frame({ opcode, payload: Buffer.alloc(126, 'x') }),
    code: 1002,
  })),
  { what: 'a ping that claims 2^40 bytes', bytes: frame({ opcode: OPCODE.ping, claimedBytes: 2n ** 40n }), code: 1002 },
  { what: 'a close of one byte', bytes: frame({ opcode: OPCODE.close, payload: 'x' }), code: 1002 },
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => ({
    what: `close code ${code}`,
    bytes: close(code),
    code: 1002,
  })),
  { what: 'a close reason that is not UTF-8', bytes: close(1000, Buffer.from([0xff, 0xfe])), code: 1007 },
  { what: 'a continuation of nothing', bytes: frame({ opcode: OPCODE.continuation, payload: '{}' }), code: 1002 },
  { what: 'a final continuation twice', bytes: Buffer.concat([fragments(['{', '}']), frame({ opcode: OPCODE.continuation })]), code: 1002 },
  { what: 'a message inside a message', bytes: Buffer.concat([frame({ fin: false, payload: '{' }), frame({ payload: '{}' })]), code: 1002 },
  {
    what: 'a binary message inside a text message',
    bytes: Buffer.concat([frame({ fin: false, payload: '{' }), frame({ opcode: OPCODE.binary, payload: '{}' })]),
    code: 1002,
  },
];

const bytes = (hex: string) => Buffer.from(hex, 'hex');
const NOT_UTF8: readonly BadBytes[] = [
  { what: 'a stray continuation byte', hex: '7b80' },
  { what: 'an overlong slash', hex: 'c0af' },
  { what: 'an overlong NUL', hex: 'e08080' },
  { what: 'a surrogate', hex: 'eda080' },
  { what: 'a code point beyond U+10FFFF', hex: 'f4908080' },
  { what: 'a sequence of five bytes', hex: 'f888808080' },
  { what: 'a truncated sequence', hex: 'e282' },
  { what: 'UTF-16 with its mark', hex: 'fffe7b007d00' },
].map(({ what, hex }) => ({ what, bytes: frame({ payload: bytes(hex) }), code: 1007 }));

const OVERSIZE: readonly BadBytes[] = [
  { what: 'a header of one byte too many', bytes: frame({ claimedBytes: BigInt(MESSAGE_BYTES + 1) }), code: 1009 },
  { what: 'a header of 100 MiB', bytes: frame({ opcode: OPCODE.binary, claimedBytes: 104_857_600n }), code: 1009 },
  { what: 'a header of 2^53 bytes', bytes: frame({ claimedBytes: 2n ** 53n }), code: 1009 },
  { what: 'a header of 2^63 − 1 bytes', bytes: frame({ claimedBytes: 2n ** 63n - 1n }), code: 1009 },
  { what: 'a header of 2^64 − 1 bytes', bytes: frame({ claimedBytes: 2n ** 64n - 1n }), code: 1009 },
  { what: 'a whole message of one byte too many', bytes: frame({ payload: ' '.repeat(MESSAGE_BYTES + 1) }), code: 1009 },
  {
    what: 'fragments that add up to one byte too many',
    bytes: fragments([' '.repeat(MESSAGE_BYTES / 2), ' '.repeat(MESSAGE_BYTES / 2), ' ']),
    code: 1009,
  },
  { what: 'one fragment too many', bytes: fragments(Array<string>(LIMITS.fragments + 1).fill(' ')), code: 1008 },
  { what: 'one empty fragment too many', bytes: fragments(Array<string>(LIMITS.fragments + 1).fill('')), code: 1008 },
];

describe.each(BOTH_PORTS)('the $port port', ({ port }) => {
  test.each([
    ['F30 frames that break RFC 6455 close their own connection with 1002 or 1007', BROKEN_FRAMES],
    ['F33 text that is not UTF-8 closes its own connection with 1007', NOT_UTF8],
    ['F31 WP-25 ST-25 what is too large closes its own connection with 1009, too many fragments with 1008', OVERSIZE],
  ] as const)('%s', async (_title, cases) => {
    const { bystanders, urlOf, log } = await start();
    for (const bad of cases) {
      const offender = await RawSocket.upgrade(urlOf(port));
      offender.write(bad.bytes);
      expect({ what: bad.what, ...(await offender.ended) }).toEqual({ what: bad.what, status: 101, code: bad.code });
      await bystanders.undisturbed(bad.what);
    }
    expect(log.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('F32 a frame in more chunks than the parser holds closes its own connection with 1008', async () => {
    const { bystanders, urlOf } = await start();
    const offender = await RawSocket.upgrade(urlOf(port));
    const payload = frame({ payload: ' '.repeat(LIMITS.bufferedChunks * 4) });
    let at = 0;
    // Sends one byte in each turn of the event loop, which the engine shares. So most bytes arrive as a chunk of their own.
    const drip = (): void => {
      if (at === payload.length || offender.socket.destroyed) return;
      offender.write(payload.subarray(at, ++at));
      setImmediate(drip);
    };
    drip();
    expect(await offender.ended).toEqual({ status: 101, code: 1008 });
    await bystanders.undisturbed();
  });

  test('what only looks odd is served: limits reached exactly, UTF-8 split anywhere, pings between fragments, empty frames', async () => {
    const { bystanders, urlOf, log } = await start();
    const raw = await RawSocket.upgrade(urlOf(port));
    const text = Buffer.from(port === 'worker' ? `{"type":"ping","x":"é€😀","y":"${'.'.repeat(60)}"}` : joinText('odd', 'é€😀'));
    const answered = async () => {
      await raw.texts.take(port === 'worker' ? (answer) => answer === '{"type":"pong"}' : isSync, 'an answer');
    };
    for (let cut = 0; cut <= text.length; cut++) {
      raw.write(fragments([text.subarray(0, cut), text.subarray(cut)]));
      await answered();
    }
    const pieces = [...text].map((byte) => Buffer.from([byte]));
    const most = [...pieces.slice(0, LIMITS.fragments - 1), Buffer.concat(pieces.slice(LIMITS.fragments - 1))];
    raw.write(fragments(most));
    await answered();
    raw.write(frame({ payload: text.toString().padEnd(MESSAGE_BYTES - (text.length - text.toString().length)) }));
    await answered();
    raw.write(frame({ fin: false, payload: text.subarray(0, 5) }));
    await raw.settled();
    raw.write(frame({ opcode: OPCODE.pong, payload: 'nobody asked' }));
    raw.write(frame({ opcode: OPCODE.continuation, payload: text.subarray(5) }));
    await answered();
    raw.write(Buffer.concat([frame(), frame({ opcode: OPCODE.binary }), frame({ opcode: OPCODE.binary, payload: text })]));
    await answered();
    await bystanders.undisturbed();
    expect(log.filter(({ event }) => event.endsWith('_ignored'))).toEqual([]);
  });

  test('WP-2 ST-25 text that is no message is ignored with its code, as text and as binary; the connection goes on', async () => {
    const { bystanders, urlOf, log } = await start();
    const raw = await RawSocket.upgrade(urlOf(port));
    for (const { what, text, ...codesOf } of NO_MESSAGES) {
      const code = codesOf[port];
      for (const opcode of [OPCODE.text, OPCODE.binary]) {
        const before = log.length;
        raw.write(frame({ opcode, payload: text }));
        await raw.settled();
        const codes = log.slice(before).map((line) => (line.event.endsWith('_frame_ignored') ? line.fields.code : line));
        expect({ what, opcode, codes }).toEqual({ what, opcode, codes: code === undefined ? [] : [code] });
      }
      await bystanders.undisturbed(what);
    }
    const before = log.length;
    for (const hex of ['ff', '7b80', 'fffe7b007d00', '4f544c', '00'.repeat(1_000)]) {
      raw.write(frame({ opcode: OPCODE.binary, payload: bytes(hex) }));
    }
    await raw.settled();
    expect(log.slice(before).map(({ fields }) => fields.code)).toEqual(Array<string>(5).fill('deserialization_error'));
    expect(Object.keys(Object.prototype)).toEqual([]);
    raw.text(port === 'worker' ? '{"type":"ping"}' : joinText('s', 'g'));
    await raw.texts.take(port === 'worker' ? (answer) => answer === '{"type":"pong"}' : isSync, 'an answer');
  });

  test('hostile heads are refused with their status or dropped; correct ones are not', async () => {
    const { bystanders, urlOf } = await start();
    for (const { what, head, worker, stream } of HEADS) {
      const raw = await RawSocket.connect(urlOf(port));
      raw.write(Buffer.from(head, 'latin1'));
      const opened = raw.upgraded.then((): Ending => ({ status: 101, code: undefined }));
      const { status, code } = await Promise.race([raw.ended, opened]);
      raw.socket.destroy();
      expect({ what, status, code }).toEqual({ what, status: port === 'worker' ? worker : (stream ?? worker), code: undefined });
      await bystanders.undisturbed(what);
    }
  });

  test('bytes behind a handshake are frames: garbage closes with 1002, a message is served', async () => {
    const { bystanders, urlOf } = await start();
    const garbage = await RawSocket.connect(urlOf(port));
    garbage.write(`${upgradeHead('/')}garbage garbage`);
    expect(await garbage.ended).toEqual({ status: 101, code: 1002 });
    const eager = await RawSocket.connect(urlOf(port));
    const text = port === 'worker' ? '{"type":"ping"}' : joinText('s', 'g');
    eager.write(Buffer.concat([Buffer.from(upgradeHead('/')), frame({ payload: text })]));
    await eager.texts.take(port === 'worker' ? (answer) => answer === '{"type":"pong"}' : isSync, 'an answer');
    await bystanders.undisturbed();
  });
});

test('F36 a handshake that is not finished within 5 s is dropped, whether it is silent or drips, on both ports', async () => {
  const { bystanders, urlOf } = await start();
  const head = upgradeHead(
    '/',
    Array.from({ length: 50 }, (_, n) => `x-${n}: ${n}`),
  );
  const slow = BOTH_PORTS.flatMap(({ port }) =>
    ['', 'G', head.slice(0, 40), head.slice(0, -2)].flatMap((begun) => [false, true].map((drips) => ({ port, begun, drips }))),
  );
  const endings = await Promise.all(
    slow.map(async ({ port, begun, drips }) => {
      const raw = await RawSocket.connect(urlOf(port));
      raw.write(begun);
      let at = begun.length;
      const timer = setInterval(() => {
        if (drips && at < head.length - 2) raw.write(head.slice(at, ++at));
      }, 100);
      onTestFinished(() => clearInterval(timer));
      return raw.ended;
    }),
  );
  expect(endings).toEqual(slow.map((): Ending => ({ status: undefined, code: undefined })));
  await bystanders.undisturbed();
});

describe('functions and joins with fields of a wrong type', () => {
  test.each(FUNCTION_FIELDS.map((each) => [each.id, each] as const))(
    '%s answers each wrong field with its code',
    async (id, { valid, fields }) => {
      const { bystanders, workerUrl } = await start();
      const worker = await RawWorker.connect(workerUrl);
      expect(await worker.errorCode(id, valid)).toBeUndefined();
      for (const [name, wrong] of Object.entries(fields)) {
        for (const [value, code] of wrong) {
          const input: Record<string, unknown> = { ...valid, [name]: value };
          expect([name, value, await worker.errorCode(id, input)]).toEqual([name, value, code]);
        }
        await bystanders.undisturbed(name);
      }
      for (const input of [null, true, 7, 'x', [], [valid]]) expect(await worker.errorCode(id, input)).toBe('deserialization_error');
      await bystanders.undisturbed();
      expect(await worker.errorCode(id, valid)).toBeUndefined();
    },
  );

  test('stream::list_all has no fields and takes any input', async () => {
    const { bystanders, workerUrl } = await start();
    const worker = await RawWorker.connect(workerUrl);
    for (const input of [null, true, 7, 'x', [], {}, { stream_name: 7 }]) {
      expect(await worker.result('stream::list_all', input)).toEqual({ stream: [], count: 0 });
    }
    await bystanders.undisturbed();
  });

  test('numbers that JSON text can not carry exactly are refused and nothing is stored', async () => {
    const { bystanders, workerUrl } = await start();
    const worker = await RawWorker.connect(workerUrl);
    const room = '"stream_name":"s","group_id":"g","item_id":"i"';
    for (const number of ['1e400', '-1e400', '1e16', '9007199254740993', `1${'0'.repeat(100_000)}`, '123456789012345678901234567890']) {
      const inputs = [
        ['stream::set', `{${room},"data":{"n":[${number}]}}`],
        ['stream::send', `{${room},"type":"t","data":${number}}`],
        ['stream::update', `{${room},"ops":[{"type":"set","path":"n","value":${number}}]}`],
      ] as const;
      for (const [id, data] of inputs) {
        worker.sendText(`{"type":"invokefunction","invocation_id":"n","function_id":"${id}","data":${data}}`);
        expect((await worker.take('invocationresult')).error).toMatchObject({ code: 'deserialization_error' });
      }
    }
    expect(await worker.result('stream::list_all', {})).toEqual({ stream: [], count: 0 });
    await bystanders.undisturbed();
  });

  test('prototype keys in values are plain data: stored, listed and updated as they came, and no object changes', async () => {
    const { bystanders, workerUrl } = await start();
    const worker = await RawWorker.connect(workerUrl);
    const data = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"hasOwnProperty":7}';
    const ids = '"stream_name":"__proto__","group_id":"constructor","item_id":"prototype"';
    const call = (functionId: string, input: string) => {
      worker.sendText(`{"type":"invokefunction","invocation_id":"p","function_id":"${functionId}","data":${input}}`);
      return worker.take('invocationresult');
    };
    expect(JSON.stringify((await call('stream::set', `{${ids},"data":${data}}`)).result)).toBe(`{"old_value":null,"new_value":${data}}`);
    expect(JSON.stringify((await call('stream::get', `{${ids}}`)).result)).toBe(data);
    expect(JSON.stringify((await call('stream::list', `{${ids}}`)).result)).toBe(`[${data}]`);
    const ops = `[{"type":"merge","value":${data}},{"type":"set","path":"__proto__","value":{"polluted":1}}]`;
    const updated = (await call('stream::update', `{${ids},"ops":${ops}}`)).result as Frame;
    expect(JSON.stringify(updated.new_value)).toBe(data);
    expect((updated.errors as Frame[]).map(({ code }) => code)).toEqual(['merge.value.proto_polluted', 'set.path.proto_polluted']);
    expect(Object.keys(Object.prototype)).toEqual([]);
    await bystanders.undisturbed();
  });

  test('WP-2 every frame type with wrong fields is ignored or answered with a code of the table; the worker goes on', async () => {
    const { bystanders, workerUrl, log } = await start();
    const worker = await RawWorker.connect(workerUrl);
    for (const [type, keys] of Object.entries(WORKER_FRAMES)) {
      for (const key of keys) {
        for (const value of [null, true, 7, -1.5, '', 'x'.repeat(1_025), '\ud800', [], ['a'], {}, { a: {} }]) {
          worker.send({ type, ...Object.fromEntries(keys.map((each) => [each, `fz-${each}`])), [key]: value });
        }
      }
      worker.send({ type });
      await worker.settled();
      await bystanders.undisturbed(type);
    }
    const known = new Set(Object.keys(ERROR_CODES));
    const answered = worker.inbox.all.filter((answer) => answer.error !== undefined).map(({ error }) => (error as Frame).code);
    const ignored = log.filter(({ event }) => event === 'worker_frame_ignored').map(({ fields }) => fields.code);
    expect(answered).toContain('function_not_found');
    expect(ignored.length).toBeGreaterThan(50);
    expect([...answered, ...ignored].filter((code) => !known.has(String(code)))).toEqual([]);
  });

  test('a call whose id or function is of a wrong type is answered under its id, or ignored', async () => {
    const { bystanders, workerUrl, log } = await start();
    const worker = await RawWorker.connect(workerUrl);
    for (const functionId of [undefined, null, true, 7, [], {}, 'x'.repeat(1_025)]) {
      worker.send({ type: 'invokefunction', invocation_id: 'i', ...(functionId === undefined ? {} : { function_id: functionId }) });
      expect(await worker.take('invocationresult')).toMatchObject({ invocation_id: 'i', error: { code: 'deserialization_error' } });
    }
    const before = worker.inbox.all.length;
    for (const invocationId of [true, 7, [], {}, 'x'.repeat(1_025)]) {
      worker.send({ type: 'invokefunction', invocation_id: invocationId, function_id: 'nobody::has-it' });
    }
    await worker.settled();
    expect(worker.inbox.all.length).toBe(before + 1);
    expect(log.filter(({ event }) => event === 'void_call_failed')).toHaveLength(4);
    await bystanders.undisturbed();
  });

  test('ST-25 joins and leaves with wrong fields are ignored with their code and change no subscription', async () => {
    const { bystanders, workerUrl, streamUrl, log } = await start();
    const worker = await RawWorker.connect(workerUrl);
    const watcher = await StreamSocket.open(streamUrl);
    watcher.join('good', 's', 'g');
    await watcher.take('sync');
    const valid = { subscriptionId: 'other', streamName: 's', groupId: 'other', id: 'i' };
    for (const { field, values, code } of JOIN_FIELDS) {
      for (const value of values) {
        const before = log.length;
        watcher.send({ type: 'join', data: { ...valid, [field]: value } });
        await watcher.settled();
        const codes = log.slice(before).filter(({ event }) => event.endsWith('_ignored'));
        expect([field, value, codes.map(({ fields }) => fields.code)]).toEqual([field, value, [code]]);
      }
      await bystanders.undisturbed(field);
    }
    for (const data of [null, true, 7, 'x', [], [valid]]) {
      for (const type of ['join', 'leave']) watcher.send({ type, data });
    }
    for (const type of [null, 7, [], {}, 'JOIN', 'join ', 'subscribe']) watcher.send({ type, data: valid });
    for (const subscriptionId of [...NOT_TEXT, 'x'.repeat(1_025), 'nobody']) watcher.send({ type: 'leave', data: { subscriptionId } });
    await watcher.settled();
    expect(watcher.kinds()).toEqual(['sync']);
    await worker.result('stream::set', { stream_name: 's', group_id: 'other', item_id: 'i', data: { id: 'i' } });
    await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: 'i', data: { id: 'i' } });
    await watcher.take('create');
    await watcher.settled();
    expect(watcher.inbox.all.map(({ groupId, event }) => [groupId, event.type])).toEqual([
      ['g', 'sync'],
      ['g', 'create'],
    ]);
    await bystanders.undisturbed();
  });
});

describe('fuzz', () => {
  const seed = Number(process.env.RIVULET_FUZZ_SEED ?? 20_261_114);
  const frames = Number(process.env.RIVULET_FUZZ_FRAMES ?? 24_000);

  test(`S27 ${frames} hostile frames over both ports disturb nobody (RIVULET_FUZZ_SEED=${seed})`, async () => {
    const { bystanders, urlOf, engine, log } = await start();
    const random = new Random(seed);
    const fuzzes = { worker: new Fuzz(random, 'worker'), stream: new Fuzz(random, 'stream') };
    const codes: Record<string, number> = {};
    for (let sent = 0; sent < frames; ) {
      for (const { port } of BOTH_PORTS) {
        const raw = await RawSocket.upgrade(urlOf(port));
        for (let rounds = random.below(4); rounds >= 0; rounds--) {
          const batch = Array.from({ length: random.below(50) }, () => fuzzes[port].message());
          raw.write(Buffer.concat(batch));
          await raw.settled();
          sent += batch.length;
        }
        raw.write(fuzzes[port].broken());
        sent++;
        const { code } = await raw.end();
        codes[`${code}`] = (codes[`${code}`] ?? 0) + 1;
      }
      await bystanders.undisturbed(`${sent} frames`);
    }
    // A peer that ends the connection in the middle of a frame gets no close frame.
    expect(Object.keys(codes).sort()).toEqual(['1002', '1007', '1009', 'undefined']);
    expect(Object.keys(Object.prototype)).toEqual([]);
    await expect.poll(() => engine.figures().sessions).toBe(1);
    expect(log.length).toBeGreaterThan(0);
  });
});

function joinText(subscriptionId: string, groupId: string): string {
  return JSON.stringify({ type: 'join', data: { subscriptionId, streamName: 's', groupId } });
}

function isSync(text: string): boolean {
  return (JSON.parse(text) as { event?: { type?: string } }).event?.type === 'sync';
}
