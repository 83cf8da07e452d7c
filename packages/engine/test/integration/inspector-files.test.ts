import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { LIMITS } from '@rivulet/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AdminListener } from '../../src/admin/admin-listener.js';
import { type Answer, jsonAnswer } from '../../src/admin/answer.js';
import { inspectorRoutes } from '../../src/admin/api/inspector-routes.js';
import { InspectorFiles } from '../../src/admin/inspector/inspector-files.js';
import { AdminRoutes, type RouteRow } from '../../src/admin/routes.js';
import { EventCounters } from '../../src/logging/event-counters.js';
import { silentLogger } from '../../src/logging/logger.js';
import { systemClock } from '../../src/structures/clock.js';
import { DescriptorReserve } from '../../src/transport/admission/descriptor-reserve.js';

const PAGE = '<!doctype html><title>inspector</title>';
const SCRIPT = 'export const text = "a script of the inspector";\n';
const SCRIPT_NAME = 'main-Ab3_9xQ-.js';

type Files = Readonly<Record<string, string | Buffer>>;

async function write(folder: string, files: Files): Promise<void> {
  await mkdir(join(folder, 'assets'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

const BUILT: Files = {
  'index.html': PAGE,
  [`assets/${SCRIPT_NAME}`]: SCRIPT,
  [`assets/${SCRIPT_NAME}.br`]: brotliCompressSync(SCRIPT),
  [`assets/${SCRIPT_NAME}.gz`]: gzipSync(SCRIPT),
  'assets/icon.svg': '<svg/>',
  'assets/main-Ab3_9xQ-.js.map': '{}',
  'secret.txt': 'beside the page',
};

/** Opens an admin listener with a token over a folder with these files. `more` has further routes. */
async function openListener(files: Files, more: readonly RouteRow[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-inspector-'));
  await write(folder, files);
  const errors: unknown[] = [];
  const counters = new EventCounters();
  const listener = new AdminListener({
    config: { port: 0, host: '127.0.0.1', token: 'a-token', viewerToken: undefined, allowedHosts: [], metricsOpen: false },
    find: new AdminRoutes([...more, ...inspectorRoutes(new InspectorFiles(folder))]).find,
    clock: systemClock,
    logger: { ...silentLogger, error: (event: string, fields?: object) => void errors.push({ event, ...fields }) },
    counters,
    descriptors: DescriptorReserve.ofProcess(),
  });
  const { port } = await listener.listen();
  onTestFinished(async () => {
    await listener.close();
    await rm(folder, { recursive: true, force: true });
  });
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') => send(port, path, headers, method);
  return { folder, get, errors, counters };
}

interface Reply {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function send(port: number, path: string, headers: Record<string, string>, method: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('the page of the inspector', () => {
  it('loads without a token, and no cache keeps it', async () => {
    const { get } = await openListener(BUILT);
    for (const path of ['/', '/?from=a-link']) {
      const { status, headers, body } = await get(path);
      expect({ status, body: body.toString() }).toEqual({ status: 200, body: PAGE });
      expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    }
    expect(await get('/', {}, 'HEAD')).toMatchObject({
      status: 200,
      headers: { 'content-length': String(PAGE.length) },
      body: Buffer.alloc(0),
    });
  });

  it('allows nothing but its own origin', async () => {
    const { get } = await openListener(BUILT);
    for (const path of ['/', `/assets/${SCRIPT_NAME}`]) {
      expect((await get(path)).headers).toMatchObject({
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin',
      });
    }
  });

  it.each([
    ['br', 'gzip, deflate, br, zstd', brotliCompressSync(SCRIPT)],
    ['gzip', 'GZIP', gzipSync(SCRIPT)],
    [undefined, 'br;q=0, identity', Buffer.from(SCRIPT)],
    [undefined, '', Buffer.from(SCRIPT)],
  ])('sends a script with the encoding %s for "%s", and caches keep it', async (encoding, accepted, body) => {
    const { get } = await openListener(BUILT);
    const reply = await get(`/assets/${SCRIPT_NAME}`, accepted === '' ? {} : { 'accept-encoding': accepted });
    expect(reply.headers['content-encoding']).toBe(encoding);
    expect(reply.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    });
    expect(reply.body).toEqual(body);
  });

  it('keeps no file without a hash in its name', async () => {
    const { get } = await openListener(BUILT);
    expect((await get('/assets/icon.svg')).headers).toMatchObject({ 'content-type': 'image/svg+xml', 'cache-control': 'no-store' });
  });

  it.each([
    '/assets/index.html',
    '/assets/nothing.js',
    '/assets/main-Ab3_9xQ-.js.map',
    `/assets/${SCRIPT_NAME}.br`,
    '/assets/secret.txt',
    '/assets/..%2Fsecret.txt',
    '/assets/%2e%2e%2fsecret.txt',
    '/assets/..%5csecret.txt',
    '/assets/link.js',
    '/assets/folder.js',
    '/assets/__proto__',
    '/assets/%00',
  ])('has no file %s', async (path) => {
    const { folder, get } = await openListener(BUILT);
    await symlink(join(folder, 'secret.txt'), join(folder, 'assets', 'link.js'));
    await mkdir(join(folder, 'assets', 'folder.js'));
    const { status, body } = await get(path);
    expect(status).toBe(404);
    expect(body.toString()).toContain('"NOT_FOUND"');
  });

  it.each([['/assets/../secret.txt'], ['/assets/a/b.js'], ['/assets/'], ['//'], ['/secret.txt']])(
    'answers %s as a path that does not exist',
    async (path) => {
      const { get } = await openListener(BUILT);
      expect((await get(path)).status).toBe(401);
      expect((await get(path, { authorization: 'Bearer a-token' })).status).toBe(404);
    },
  );

  it.each([[{ host: 'evil.example' }], [{ origin: 'http://evil.example' }], [{ origin: 'null' }], [{ 'sec-fetch-site': 'cross-site' }]])(
    'loads not with %j',
    async (headers) => {
      const { get, counters } = await openListener(BUILT);
      for (const path of ['/', `/assets/${SCRIPT_NAME}`]) expect((await get(path, headers)).status).toBe(403);
      expect(counters.read()).toMatchObject({ admin_refused: 2 });
    },
  );

  it('takes no other method', async () => {
    const { get } = await openListener(BUILT);
    expect(await get('/', {}, 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET' } });
  });

  it('says which command builds it, and loads as soon as it is built', async () => {
    const { folder, get } = await openListener({});
    const { status, body } = await get('/');
    expect({ status, text: body.toString() }).toEqual({ status: 404, text: expect.stringContaining('npm run build') });
    await rm(folder, { recursive: true });
    expect((await get('/assets/x.js')).status).toBe(404);
    await write(folder, BUILT);
    expect((await get('/')).body.toString()).toBe(PAGE);
  });

  it('is read once', async () => {
    const { folder, get } = await openListener(BUILT);
    await Promise.all([get('/'), get(`/assets/${SCRIPT_NAME}`)]);
    await rm(folder, { recursive: true });
    expect((await get('/')).body.toString()).toBe(PAGE);
    expect((await get(`/assets/${SCRIPT_NAME}`)).body.toString()).toBe(SCRIPT);
  });

  it.each([
    ['too many files', Object.fromEntries(Array.from({ length: LIMITS.inspectorFiles }, (_, n) => [`assets/f${n}.js`, '']))],
    ['too many bytes', { 'assets/f.js': Buffer.alloc(LIMITS.inspectorBytes) }],
  ])('answers with an error when its folder has %s', async (_what, more) => {
    const { get, errors } = await openListener({ 'index.html': PAGE, ...more });
    expect(await get('/')).toMatchObject({ status: 500 });
    expect(errors).toMatchObject([{ event: 'admin_request_failed' }]);
  });
});

it('strangers who load files take no place of the requests with a token', async () => {
  let begun = () => {};
  const all = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let release: (answer: Answer) => void = () => {};
  const released = new Promise<Answer>((resolve) => {
    release = resolve;
  });
  let count = 0;
  const hold = () => {
    if (++count === LIMITS.adminFiles) begun();
    return released;
  };
  const { get } = await openListener(BUILT, [
    { method: 'GET', path: '/held', need: 'page', handle: hold },
    { method: 'GET', path: '/read', need: 'viewer', handle: () => jsonAnswer(200, {}) },
  ]);
  const held = Array.from({ length: LIMITS.adminFiles }, () => get('/held'));
  await all;
  expect((await get('/')).status).toBe(503);
  const reads = await Promise.all(Array.from({ length: LIMITS.adminReads }, () => get('/read', { authorization: 'Bearer a-token' })));
  expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([200]));
  release(jsonAnswer(200, {}));
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual(held.map(() => 200));
  expect((await get('/')).status).toBe(200);
});
