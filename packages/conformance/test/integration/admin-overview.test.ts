import { readFileSync } from 'node:fs';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

const TOKEN = 'a-token-of-operators';
const VIEWER = 'a-token-of-viewers';

interface Overview {
  readonly access: string;
  readonly now_ms: number;
  readonly now: Readonly<Record<string, number>> | null;
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

interface Listed {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly next?: string;
}

/** Asks for the overview until its samples satisfy the condition. Each attempt waits for the answer to the one before. */
async function overviewWhere(url: string, holds: (overview: Overview) => boolean, query = ''): Promise<Overview> {
  for (;;) {
    const overview = (await askJson(url, `/api/overview${query}`)) as unknown as Overview;
    if (holds(overview)) return overview;
  }
}

/** Returns whether the documentation has the place that a row names. */
function hasPlace(docs: unknown): boolean {
  const [file = '', anchor = ''] = String(docs).split('#');
  const text = readFileSync(new URL(`../../../../docs/${file}`, import.meta.url), 'utf8');
  const headings = Array.from(text.matchAll(/^## (.*)$/gm), ([, heading = '']) =>
    heading.toLowerCase().replace(/,/g, '').replace(/ /g, '-'),
  );
  return text.includes(`<a id="${anchor}"></a>`) || headings.includes(anchor);
}

describe('/api/overview', () => {
  it('has samples of what the engine does, one list for each figure', async () => {
    const { adminUrl, workerUrl, streamUrl } = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(workerUrl);
    const socket = await StreamSocket.open(`${streamUrl}/`);
    socket.join('s', 'chat', 'r1');
    await socket.take('sync');
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'r1', item_id: 'a', data: 'x'.repeat(1_000) });
    const some = (figure: string) => (overview: Overview) => overview.samples[figure]?.some((value) => value > 0) === true;
    const overview = await overviewWhere(adminUrl, (each) =>
      ['deliveries', 'changes', 'bytes', 'calls', 'cpu'].every((figure) => some(figure)(each)),
    );
    expect(overview).toMatchObject({
      access: 'full',
      ready: true,
      sessions: 1,
      now: { connections: 1, groups: 1, lagging: 0, unsent_bytes: 0 },
    });
    const lengths = new Set(Object.values(overview.samples).map((values) => values.length));
    expect(lengths.size).toBe(1);
    expect(Math.max(...(overview.samples.bytes ?? []))).toBeGreaterThan(500);

    const newest = overview.now?.at_ms ?? 0;
    const later = await overviewWhere(adminUrl, ({ samples }) => (samples.at_ms?.length ?? 0) > 0, `?since=${newest}`);
    expect(Math.min(...(later.samples.at_ms ?? []))).toBeGreaterThan(newest);
    expect(later.now_ms).toBeGreaterThanOrEqual(newest);
  });

  it('says what the token of the request may do', async () => {
    const { adminUrl } = await startTestEngine({ admin: { token: TOKEN, viewerToken: VIEWER } });
    expect(await askJson(adminUrl, '/api/overview', { token: VIEWER })).toMatchObject({ access: 'viewer' });
    expect(await askJson(adminUrl, '/api/overview', { token: TOKEN })).toMatchObject({ access: 'full' });
  });
});

describe('/api/warnings and /api/limits-hit', () => {
  it('show what the engine has logged and which limits it has reached, each with its place in the docs', async () => {
    const { adminUrl, streamUrl } = await startTestEngine({ admin: {}, stream: { maxSubscriptionsPerConnection: 1 } });
    expect(await askJson(adminUrl, '/api/limits-hit')).toEqual({ rows: [] });
    const socket = await StreamSocket.open(`${streamUrl}/`);
    socket.join('s1', 'chat', 'r1');
    socket.join('s2', 'chat', 'r2');
    const positions = await StreamSocket.open(`${streamUrl}/`);
    positions.joinWithPositions('s1', 'chat', 'r1');
    positions.joinWithPositions('s2', 'chat', 'r2');
    await positions.takeControl('error');
    // The answer to a join comes after the engine has read the joins before it.
    socket.send({ type: 'leave', data: { subscriptionId: 's1' } });
    socket.join('s3', 'chat', 'r3');
    await socket.inbox.take(({ groupId }) => groupId === 'r3', 'the answer of r3');
    const { rows } = (await askJson(adminUrl, '/api/warnings')) as unknown as Listed;
    expect(rows[0]).toMatchObject({ process: 'main', level: 'warn', event: 'join_ignored', docs: 'log-events.md#join_ignored' });
    expect(await askJson(adminUrl, '/api/limits-hit')).toMatchObject({
      rows: [
        {
          process: 'main',
          event: 'join_ignored',
          limits: ['idBytes', 'subscriptionsPerConnection', 'liveJoins'],
          times: 2,
          docs: 'limits.md#names-values-and-messages',
        },
      ],
    });
    for (const { docs } of rows) expect([docs, hasPlace(docs)]).toEqual([docs, true]);
  });

  it('page through the warnings, the newest first, and keep no token or value', async () => {
    const { adminUrl } = await startTestEngine({ admin: { token: TOKEN } });
    for (const path of ['/api/a', '/api/b']) expect((await ask(adminUrl, path, { token: 'swordfish' })).status).toBe(401);
    const seen: unknown[] = [];
    for (let after = ''; ; ) {
      const page = (await askJson(adminUrl, `/api/warnings?limit=1&after=${after}`, { token: TOKEN })) as unknown as Listed;
      seen.push(...page.rows);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(seen).toMatchObject([{ event: 'admin_refused', fields: { path: '/api/a' } }]);
    expect(JSON.stringify(seen)).not.toContain('swordfish');
  });
});

it.each([
  '/api/overview?since=-1',
  '/api/overview?since=1e3',
  '/api/overview?since=99999999999999999999',
  '/api/overview?after=1',
  '/api/limits-hit?limit=1',
  '/api/warnings?after=x',
  '/api/warnings?since=1',
])('%s is refused', async (path) => {
  const { adminUrl } = await startTestEngine({ admin: {} });
  expect(await ask(adminUrl, path)).toMatchObject({ status: 400, text: expect.stringContaining('INVALID_ARGUMENTS') as string });
});
