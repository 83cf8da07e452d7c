import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import type { Effort, Scenario } from '../../scenario.js';
import { type ServerProcess, startServer } from '../../servers/server-process.js';
import { InspectorPage } from './inspector-page.js';

const ASSETS = fileURLToPath(new URL('../../../../packages/engine/inspector/assets', import.meta.url));
/** Connections, each of which watches a group of its own. */
const CONNECTIONS = 10_000;
const RATE = 5_000;
const GROUP = 'room';

/** The views that stay open while the renderer is measured, each with a text that it shows. */
const VIEWS = [
  { name: 'overview', view: '/overview', text: 'Deliveries' },
  { name: 'live group', view: `/streams/bench/${GROUP}-1`, text: 'Items' },
  { name: 'groups', view: '/streams/bench', text: `${GROUP}-1` },
  { name: 'connections', view: '/connections', text: 'WebSocket' },
] as const;

/** Measures the inspector: its first paint on an idle engine, its script, and its renderer process while the engine is busy. */
export const inspector: Scenario = {
  name: 'inspector',
  async run(effort, say) {
    const figures = new Figures();
    figures.add('script, compressed with gzip', 'kB', scriptBytes() / 1_000);
    for (let run = 0; run < effort.runs; run++) {
      say(`inspector run ${run + 1}/${effort.runs}`);
      const server = await startServer('rivulet');
      try {
        const page = await InspectorPage.open(server.adminUrl);
        figures.add('first contentful paint, idle engine', 'ms', await page.firstPaint());
        try {
          await measureRenderer(server, page, effort, figures);
        } finally {
          await page.close();
        }
      } finally {
        await server.stop();
      }
    }
    return {
      scenario: inspector.name,
      title: `The inspector beside ${CONNECTIONS.toLocaleString('en')} connections, as many groups, and ${RATE.toLocaleString('en')} changes/s`,
      figures: figures.list(),
      targets: [
        target('first contentful paint in ms', figures.median('first contentful paint, idle engine'), 'at most', 1_000),
        target('script, compressed, in kB', figures.median('script, compressed with gzip'), 'at most', 300),
        ...VIEWS.map(({ name }) => target(`renderer, ${name}, in % of a core`, figures.median(`renderer, ${name}`), 'at most', 20)),
      ],
      notes: [
        'Each connection watches a group of its own, and the changes go to all groups in turn. The times are those of all renderer processes of a chromium without GPU.',
        'The browser shares its processors with the load.',
      ],
    };
  },
};

function scriptBytes(): number {
  const scripts = readdirSync(ASSETS).filter((name) => name.endsWith('.js'));
  return scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(ASSETS, name)), { level: 9 }).length, 0);
}

async function measureRenderer(server: ServerProcess, page: InspectorPage, effort: Effort, figures: Figures): Promise<void> {
  const watchers = new LoadProcess();
  const writer = new LoadProcess();
  const dialect = 'rivulet';
  const groups = Math.max(2, Math.ceil(CONNECTIONS * effort.scale));
  try {
    await watchers.execute({ kind: 'watch', dialect, url: server.watchUrl, count: groups, group: GROUP, apart: true });
    const load = { kind: 'pace', dialect, url: server.writeUrl, group: GROUP, groups, rate: RATE, pid: server.pid } as const;
    for (const { name, view, text } of VIEWS) {
      // The first window warms up: each group gets its items, and the view its content.
      await writer.measure({ ...load, warmUpMs: 0, windowMs: effort.warmUpMs * 2 });
      await page.show(view, text);
      const before = await page.rendererTime();
      const began = performance.now();
      const { sent } = await writer.measure({ ...load, warmUpMs: 0, windowMs: effort.windowMs * 2 });
      const tookMs = performance.now() - began;
      const after = await page.rendererTime();
      figures.add(`renderer, ${name}`, '%', ((after.user + after.system - before.user - before.system) / tookMs) * 100);
      figures.add(`writes, ${name}`, '/s', (sent / (effort.windowMs * 2)) * 1_000);
    }
  } finally {
    await watchers.stop();
    await writer.stop();
  }
}
