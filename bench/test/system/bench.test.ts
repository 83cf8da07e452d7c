import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { ScenarioResult } from '../../src/scenario.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Results {
  readonly commit: string;
  readonly results: readonly ScenarioResult[];
}

// The figures of a quick run mean nothing. This test checks that every scenario measures something, with its peer.
test('every scenario runs and reports each figure, as JSON and as a table', async () => {
  const out = mkdtempSync(join(tmpdir(), 'rivulet-bench-test-'));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--quick', '--out', out, '--before', ROOT]);
  const { results } = JSON.parse(readFileSync(join(out, 'latest.json'), 'utf8')) as Results;
  expect(results.map(({ scenario }) => scenario)).toEqual([
    'fan-out',
    'idle-memory',
    'durable-sets',
    'backup',
    'latency',
    'idle-subscriptions',
    'stalled-client',
    'slow-client',
    'all-stalled',
    'stalled-events',
    'idle-events',
    'jitter',
    'avalanche',
    'calls',
    'http-trigger',
    'channel',
    'ready',
    'tokens',
    'board',
    'inspector',
    'redis-fan-out',
    'redis-sets',
    'redis-groups',
  ]);
  const names = results.flatMap(({ figures }) => figures.map(({ name }) => name));
  // This build stands in for the build before.
  expect(names).toContain('before at 1000/s: deliveries');
  for (const figure of ['before, 256 in flight', 'before: calls', 'before: answer p50']) expect(names).toContain(figure);
  for (const server of ['rivulet', 'socket.io']) {
    for (const rate of [100, 1_000, 4_000]) expect(names).toContain(`${server} at ${rate}/s: deliveries`);
    expect(names).toContain(`${server}: memory per connection`);
    expect(names).toContain(`${server}: delivery p99`);
  }
  const delivered = results[0]?.figures.filter(({ name }) => name.endsWith('deliveries')).map(({ median }) => median);
  expect(Math.min(...(delivered ?? []))).toBeGreaterThan(0);
  expect(names).toContain('bare lmdb loop, 256 in flight');
  for (const peer of ['socket.io: calls', 'node:http: p50', 'ws relay: throughput']) expect(names).toContain(peer);
  const moved = results.flatMap(({ figures }) => figures).find(({ name }) => name === 'rivulet: throughput');
  expect(moved?.median).toBeGreaterThan(0);
  // Promises about deliveries must hold at any scale and speed.
  const worst = (name: string) =>
    Math.max(...(results.flatMap(({ figures }) => figures).find((figure) => figure.name === name)?.runs ?? []));
  for (const of of ['10,000 of rivulet', '2,000 of rivulet', 'rivulet']) {
    for (const what of ['lost', 'repeated', 'began anew']) expect([of, what, worst(`${of}: ${what}`)]).toEqual([of, what, 0]);
  }
  for (const of of ['2,000 of rivulet', '2,000 of socket.io']) expect(worst(`${of}: returns`)).toBeGreaterThan(0);
  const visited = results.flatMap(({ figures }) => figures).find(({ name }) => name === 'with idle subscriptions: visited per flush');
  expect(visited?.median).toBe(20);
  // Each change reaches the 10 subscribers at both servers. A window may begin or end between a change and its deliveries.
  for (const side of ['two engines', 'one engine', 'one engine over Redis', 'two of Socket.IO, pub/sub', 'two of Socket.IO, streams']) {
    const perChange = [100, 1_000, 16_000].map((rate) => worst(`${side} at ${rate}/s: deliveries per change`));
    expect([side, Math.max(...perChange) > 7.5]).toEqual([side, true]);
  }
  for (const groups of ['1 group', '256 groups']) {
    for (const side of ['rivulet', 'bare client']) expect(worst(`${side}, ${groups}: sets`)).toBeGreaterThan(0);
  }
  // 2,000 groups are written. The engine gets messages of the 20 that it serves, and its heartbeats.
  const messages = worst('writes to all groups: messages of Redis for each of its groups');
  expect(messages).toBeGreaterThan(0.9);
  expect(messages).toBeLessThan(10);
  expect(readFileSync(join(out, 'latest.md'), 'utf8')).toBe(stdout);
  for (const { title, targets } of results) {
    expect(stdout).toContain(`## ${title}`);
    expect(targets.length).toBeGreaterThan(0);
  }
}, 1_800_000);
