import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { jwtConfig, userToken } from '@rivulet/testkit/jwt-tokens';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished } from 'vitest';

export const ADMIN_TOKEN = 'the-full-token-of-the-inspector-tests';
export const VIEWER_TOKEN = 'the-viewer-token-of-the-inspector-tests';
const LONG_STREAM = 'telemetry-of-every-sensor-in-every-building-of-the-northern-region-by-minute';
const LONG_GROUP = 'tenant:9f1c7a52-3d0e-4d53-8a50-52b1c7f0e1aa:project:roof-and-facade:document:plan-of-the-second-floor:comments';
const LONG_USER = 'user:7d5b1d58-4f3c-4a0b-9a6e-0b1f6f1f0c11@identity.accounts.example.com';
/** Number of groups of the stream `sensors`. */
export const MANY_GROUPS = 1_200;

/** The client that lags answers no pings. It stays connected on a machine that is so busy that a test takes minutes. */
const PATIENT = { pingIntervalMs: 600_000, pongTimeoutMs: 600_000 };

export interface SeededEngine extends TestEngine {
  /** The worker `billing`, with functions, schemas and triggers. */
  readonly billing: RawWorker;
  /** A client of `ann` that watches `chat/room-001` and more. */
  readonly ann: StreamSocket;
  /** A client that takes nothing from its socket, so it lags. */
  readonly stalled: StreamSocket;
}

/** Starts an engine as a busy team might have it: many groups, long names, schemas, triggers that wait, and clients that lag. */
export async function startSeededEngine(access: { readonly tokens?: boolean } = {}): Promise<SeededEngine> {
  const grants = { join: ['*/*'], lease: [], call: [] };
  const tokens: { readonly token?: string; readonly viewerToken?: string } =
    access.tokens === true ? { token: ADMIN_TOKEN, viewerToken: VIEWER_TOKEN } : {};
  const engine = await startTestEngine({ admin: tokens, stream: { jwt: jwtConfig({ grants }), ...PATIENT }, http: {} });
  const billing = await RawWorker.connect(engine.workerUrl);
  await announce(billing, 'billing', 'default');
  await serveFunctions(billing);
  const mailer = await RawWorker.connect(engine.workerUrl);
  await announce(mailer, 'mailer-for-invoices-and-reminders', 'default');
  await mailer.serve('mail::send', () => ({ queued: true }), { description: 'Sends one mail' });
  await fillStreams(billing);
  const ann = await joined(engine, 'ann', 'chat/room-001', 'chat/room-002', `notes/${LONG_GROUP}`);
  await joined(engine, LONG_USER, 'orders/open', `${LONG_STREAM}/building-7`);
  for (const user of ['bo', 'cleo', 'dmitri', 'eun-ji']) await joined(engine, user, 'chat/room-001');
  const stalled = await joined(engine, 'frank', 'orders/open');
  await letLag(stalled, billing);
  await openLongPoll(engine, tokens.token);
  const reader = EventStream.open(`${engine.streamUrl}/stream/chat/room-001`, { authorization: `Bearer ${userToken({ sub: 'gita' })}` });
  await reader.events.take(() => true, 'the first event of the event stream');
  return { ...engine, billing, ann, stalled };
}

async function announce(worker: RawWorker, name: string, namespace: string): Promise<void> {
  await worker.result('engine::workers::register', { name, namespace, runtime: 'node', version: '2.4.1', pid: 4_242 });
}

async function serveFunctions(billing: RawWorker): Promise<void> {
  const money = { type: 'object', properties: { amount: { type: 'integer', minimum: 1 }, currency: { enum: ['EUR', 'USD', 'CHF'] } } };
  await billing.serve('billing::charge', (data) => ({ charged: true, input: data }), {
    description: 'Charges a customer once and writes the receipt into the stream "orders".',
    request_format: {
      type: 'object',
      properties: {
        customer: { type: 'string', minLength: 3, examples: ['cus_2041'] },
        total: { ...money, required: ['amount', 'currency'] },
        note: { type: 'string', maxLength: 200 },
        when: { type: 'string', format: 'date-time' },
      },
      required: ['customer', 'total'],
      additionalProperties: false,
    },
    response_format: { type: 'object', properties: { charged: { type: 'boolean' } }, required: ['charged'] },
  });
  await billing.serve('billing::refund', () => ({ refunded: true }), { description: 'Gives the money of an order back.' });
  await billing.serve('billing::reconcile_the_ledger_of_all_tenants_with_the_statements_of_the_bank', () => null);
  await billing.serve('billing::may-watch', () => ({ unauthorized: false }), { description: 'Decides who may watch an order.' });
  await billing.bind('stream', 'billing::reconcile_the_ledger_of_all_tenants_with_the_statements_of_the_bank', { stream_name: 'ledger' });
  await billing.bind('stream:join', 'billing::may-watch', { stream_name: 'orders' });
  await billing.bind('http', 'billing::charge', { api_path: 'charges', http_method: 'POST' });
  // No worker provides this type, so the trigger waits.
  await billing.bind('cron', 'billing::reconcile_the_ledger_of_all_tenants_with_the_statements_of_the_bank', { expression: '0 4 * * *' });
}

async function fillStreams(worker: RawWorker): Promise<void> {
  const set = (stream_name: string, group_id: string, item_id: string, data: object) =>
    worker.result('stream::set', { stream_name, group_id, item_id, data: { id: item_id, ...data } });
  const rooms = Array.from({ length: 140 }, (_, index) => `room-${String(index + 1).padStart(3, '0')}`);
  await Promise.all(rooms.map((room) => set('chat', room, 'm1', { text: `Welcome to ${room}`, by: 'ann' })));
  for (let index = 2; index <= 40; index++)
    await set('chat', 'room-001', `m${index}`, { text: `Message ${index} of the morning`, by: 'bo' });
  await set('notes', LONG_GROUP, 'c-1', { text: 'The window on the left is 12 cm too wide. '.repeat(6), done: false });
  await set(LONG_STREAM, 'building-7', 'temperature', { celsius: 21.4 });
  await set('orders', 'open', 'o-1001', { total: 129, currency: 'EUR', lines: [{ sku: 'lamp', count: 2 }] });
  await set('here', 'room-001', 'ann', { status: 'typing' });
  const sensors = Array.from({ length: MANY_GROUPS }, (_, index) => `sensor-${String(index).padStart(5, '0')}`);
  await Promise.all(sensors.map((sensor) => set('sensors', sensor, 'now', { watts: 40 })));
}

/** Opens a client of a user, which joins these groups (`stream/group`). Resolves when it has their items. */
async function joined({ streamUrl }: TestEngine, sub: string, ...groups: readonly string[]): Promise<StreamSocket> {
  const client = await StreamSocket.open(streamUrl, [], { headers: { authorization: `Bearer ${userToken({ sub })}` } });
  for (const [index, group] of groups.entries()) {
    const cut = group.indexOf('/');
    client.joinWithPositions(`s${index}`, group.slice(0, cut), group.slice(cut + 1));

    await client.take('sync');
  }
  return client;
}

/** Opens reads of plain HTTP that wait for a change, one after another. Resolves when the engine has one. */
async function openLongPoll({ streamUrl, adminUrl }: TestEngine, token: string | undefined): Promise<void> {
  const admin: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { authorization: `Bearer ${userToken({ sub: 'hugo' })}` };
  const group = `${streamUrl.replace('ws:', 'http:')}/stream/chat/room-002`;
  const { position } = (await (await fetch(group, { headers })).json()) as { readonly position: string };
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const { signal } = controller;
  // Each read ends after a minute, and the next one begins, until the test ends.
  const readOn = async (): Promise<void> => {
    await (await fetch(`${group}?since=${position}&wait=60`, { headers, signal })).text();
    return readOn();
  };
  readOn().catch(() => {});
  await expect.poll(async () => (await (await fetch(`${adminUrl}/api/reads`, { headers: admin })).text()).includes('hugo')).toBe(true);
}

/** Stops reading from a client, and writes more than its socket takes. Resolves when the engine counts it as lagging. */
async function letLag(client: StreamSocket, worker: RawWorker): Promise<void> {
  client.socket.pause();
  const text = 'x'.repeat(200_000);
  for (let index = 0; index < 60; index++)
    await worker.result('stream::send', { stream_name: 'orders', group_id: 'open', type: 'receipt', data: { index, text } });
}

/** Resolves with the id of the session of a user. */
export async function sessionOf({ adminUrl }: TestEngine, user: string, token?: string): Promise<string> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${adminUrl}/api/sessions?search=${user}`, { headers });
  const { rows } = (await answer.json()) as { readonly rows: readonly { readonly session_id: string; readonly identity: string | null }[] };
  const row = rows.find(({ identity }) => identity === user);
  if (row === undefined) throw new Error(`${user} is not connected`);
  return row.session_id;
}
