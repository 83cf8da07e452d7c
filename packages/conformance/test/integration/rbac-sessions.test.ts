import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

type GuestListener = NonNullable<TestEngineOptions['guest']>;
const match = (pattern: string) => ({ kind: 'match', pattern }) as const;

async function start(guest: GuestListener, grant: Frame = {}) {
  const started = await startTestEngine({ guest: { ...guest, rbac: { authFunction: 'app::auth', ...guest.rbac } } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', () => grant);
  return { ...started, worker, connect: () => RawWorker.connect(started.guestUrl) };
}

test('RB-7 the hook of trigger types sees the context, renames and denies; the provider goes on to use its own name', async () => {
  const grant = { allow_trigger_type_registration: true, context: { user: 'u1' } };
  const { worker, connect } = await start({ rbac: { onTriggerTypeRegistration: 'app::on-type' } }, grant);
  const seen: unknown[] = [];
  await worker.serve('app::on-type', (data) => {
    seen.push(data);
    const { trigger_type_id: id } = data as { trigger_type_id: string };
    if (id === 'throws') throw new WorkerError({ code: 'no', message: 'no' });
    return id === 'nothing' ? null : { trigger_type_id: `u1::${id}`, description: 'changed' };
  });
  const session = await connect();
  for (const id of ['throws', 'nothing', 'tick']) session.send({ type: 'registertriggertype', id, description: 'given' });
  await session.settled();
  expect(seen).toEqual(['throws', 'nothing', 'tick'].map((id) => ({ trigger_type_id: id, description: 'given', context: { user: 'u1' } })));
  const own = async () => {
    const { trigger_types } = (await worker.result('engine::trigger-types::list', {})) as { trigger_types: Frame[] };
    return trigger_types.filter(({ id }) => /throws|nothing|tick/.test(String(id))).map(({ id, description }) => ({ id, description }));
  };
  expect(await own()).toEqual([{ id: 'u1::tick', description: 'changed' }]);
  await worker.serve('app::on', () => undefined);
  const id = await worker.bind('u1::tick', 'app::on', { every: 1 });
  expect(await session.take('registertrigger')).toMatchObject({ id, trigger_type: 'tick', function_id: 'app::on', config: { every: 1 } });
  const error = { code: 'too_often', message: 'no' };
  session.send({ type: 'triggerregistrationresult', id, trigger_type: 'tick', function_id: 'app::on', error });
  expect(await worker.take('triggerregistrationresult')).toMatchObject({ id, trigger_type: 'u1::tick', error });
  session.send({ type: 'unregistertriggertype', id: 'tick' });
  await session.settled();
  expect(await own()).toEqual([]);
});

const overflows: readonly [string, Frame, number][] = [
  ['frames', { type: 'unregisterfunction', id: 'x' }, LIMITS.heldFrames],
  ['text', { type: 'invokefunction', function_id: 'x', data: 'x'.repeat(LIMITS.heldFrameChars / 4) }, 3],
];

test.each(overflows)(
  'a session that sends more %s than may wait for a hook is closed with 1013, and others are not',
  async (_what, frame, fits) => {
    const { worker, connect, log } = await start({ rbac: { onFunctionRegistration: 'app::on-function' } });
    let answer = (_result: unknown) => {};
    await worker.serve('app::on-function', () => new Promise((resolve) => (answer = resolve)));
    const [session, other] = [await connect(), await connect()];
    const full = () => log.filter(({ event }) => event === 'held_frames_full');
    session.send({ type: 'registerfunction', id: 'late' });
    await worker.take('invokefunction', ({ function_id }) => function_id === 'app::on-function');
    const text = JSON.stringify(frame);
    for (let n = 0; n < fits; n++) session.sendText(text);
    // An answer passes the frames that wait. The engine's pong proves that it has read everything.
    await new Promise<void>((resolve) => {
      session.socket.once('pong', () => resolve());
      session.socket.ping();
    });
    expect(full()).toEqual([]);
    session.sendText(text);
    expect((await session.closed).code).toBe(1013);
    expect(full()).toEqual([expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ limit: LIMITS.heldFrames }) })]);
    answer({});
    await worker.settled();
    expect(await worker.errorCode('late', {})).toBe('function_not_found');
    await other.settled();
  },
);

const ORIGIN = 'https://app.example.com';
const page = (url: string, origin: string) => RawWorker.connect(url, { origin }).then((each) => each.workerId());

test('origins: where an auth function decides pages come from anywhere, unless origins are listed', async () => {
  const open = await start({});
  for (const origin of [ORIGIN, 'null', 'http://localhost:3000']) await page(open.guestUrl, origin);
  const listed = await start({ manager: { allowedOrigins: [ORIGIN] } });
  await page(listed.guestUrl, ORIGIN);
  await (await RawWorker.connect(listed.guestUrl)).workerId();
  const others = [
    `${ORIGIN}:8443`,
    `${ORIGIN}.evil.example`,
    'https://APP.example.com',
    'http://app.example.com',
    'null',
    'http://localhost',
  ];
  for (const origin of others) {
    await expect(page(listed.guestUrl, origin)).rejects.toThrow('HTTP 403');
    await expect(page(`${listed.guestUrl}/otel`, origin)).rejects.toThrow('HTTP 403');
  }
});

test('origins: where nobody is asked pages come from this machine or a listed origin only, with rules and without', async () => {
  const started = await startTestEngine({ guest: { rbac: {}, manager: { allowedOrigins: [ORIGIN] } } });
  await page(started.guestUrl, ORIGIN);
  for (const url of [started.guestUrl, started.workerUrl]) {
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:5173']) await page(url, origin);
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example'])
      await expect(page(url, origin)).rejects.toThrow('HTTP 403');
  }
});

test('RB-5 a session that watches which functions there are hears of those that it may call', async () => {
  const { worker, connect } = await start({ rbac: { exposeFunctions: [match('api::*')] } });
  const session = await connect();
  await session.serve('ui::functions', () => undefined);
  await session.bind('engine::functions-available', 'ui::functions', {});
  await worker.serve('hidden::f', () => undefined);
  await worker.serve('api::f', () => undefined);
  const named = ({ data }: Frame) =>
    ((data as Frame | null)?.functions as { function_id: string }[] | undefined)?.map((row) => row.function_id);
  await session.take('invokefunction', (frame) => named(frame)?.includes('api::f') === true);
  const events = session.inbox.all.filter(({ type }) => type === 'invokefunction').map(named);
  expect(events.at(-1)).toEqual(['api::f']);
  expect(new Set(events.flat())).toEqual(new Set(['api::f']));
});
