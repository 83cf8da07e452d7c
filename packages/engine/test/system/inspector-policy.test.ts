import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPage } from '@rivulet/testkit/browser';
import { expect, onTestFinished, test } from 'vitest';
import { AdminListener } from '../../src/admin/admin-listener.js';
import { inspectorRoutes } from '../../src/admin/api/inspector-routes.js';
import { InspectorFiles } from '../../src/admin/inspector/inspector-files.js';
import { AdminRoutes } from '../../src/admin/routes.js';
import { EventCounters } from '../../src/logging/event-counters.js';
import { silentLogger } from '../../src/logging/logger.js';
import { systemClock } from '../../src/structures/clock.js';
import { DescriptorReserve } from '../../src/transport/admission/descriptor-reserve.js';

const PAGE = `<!doctype html><title>a page</title><link rel="icon" href="data:,"><script type="module" src="/assets/main-12345678.js"></script>
<script>document.documentElement.dataset.inline = 'ran';</script>`;
/** Opens one WebSocket of the page's own origin and one of another, and records what the browser refuses. */
const SCRIPT = `
const { dataset } = document.documentElement;
const refused = [];
document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  refused.push(violatedDirective + ' ' + blockedURI);
  dataset.refused = JSON.stringify(refused);
});
const own = new WebSocket('ws://' + location.host + '/live', ['Authorization', 'base64url.YS10b2tlbg']);
own.onopen = () => { dataset.own = 'open'; };
own.onerror = () => { dataset.own = 'failed'; };
fetch('/assets/main-12345678.js').then(({ status }) => { dataset.fetched = String(status); });
try { new WebSocket('ws://' + location.hash.slice(1) + '/').onerror = () => { dataset.other = 'failed'; }; } catch { dataset.other = 'failed'; }
`;

/** Opens an admin listener with a token and a small page. Returns its port. */
async function openListener(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-inspector-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), PAGE);
  await writeFile(join(folder, 'assets/main-12345678.js'), SCRIPT);
  const listener = new AdminListener({
    config: { port: 0, host: '127.0.0.1', token: 'a-token', viewerToken: undefined, allowedHosts: [], metricsOpen: false },
    find: new AdminRoutes(inspectorRoutes(new InspectorFiles(folder))).find,
    live: {
      stopped: false,
      pings: { pingIntervalMs: 10_000, pongTimeoutMs: 10_000 },
      readTarget: () => ({ kind: 'open' }),
      open: () => ({ onText() {}, onBinary() {}, onDrain() {}, onClose() {} }),
    },
    clock: systemClock,
    logger: silentLogger,
    counters: new EventCounters(),
    descriptors: DescriptorReserve.ofProcess(),
  });
  const { port } = await listener.listen();
  onTestFinished(async () => {
    await listener.close();
    await rm(folder, { recursive: true, force: true });
  });
  return port;
}

/** Serves a page that frames the inspector, from another origin. Returns its port. */
async function serveFrame(inspector: number): Promise<number> {
  const body = `<!doctype html><title>frames</title><iframe src="http://127.0.0.1:${inspector}/"></iframe>`;
  const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('a browser lets the page connect to /live of its origin, and to no other', async () => {
  const port = await openListener();
  const other = await serveFrame(port);
  const page = await openPage();
  await page.goto(`http://127.0.0.1:${port}/#127.0.0.1:${other}`);
  await page.waitForFunction(() => {
    const { own, fetched, other: another, refused } = document.documentElement.dataset;
    return own !== undefined && fetched !== undefined && another !== undefined && refused !== undefined;
  });
  const data = await page.evaluate(() => Object.fromEntries(Object.entries(document.documentElement.dataset)));
  expect(data).toMatchObject({ own: 'open', fetched: '200', other: 'failed' });
  // The module runs after the inline script, whose violation it therefore does not see.
  expect(data['inline']).toBeUndefined();
  expect(JSON.parse(data['refused'] ?? '')).toEqual([`connect-src ws://127.0.0.1:${other}/`]);
});

test('a browser shows the page in no frame of another site', async () => {
  const port = await openListener();
  const page = await openPage();
  const refused = page.waitForEvent('console', (message) => /frame|403/i.test(message.text()));
  await page.goto(`http://127.0.0.1:${await serveFrame(port)}/`);
  await refused;
  expect(page.frames().map((frame) => frame.title())).not.toContain('a page');
});
