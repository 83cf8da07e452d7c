import { createInterface } from 'node:readline';
import type { WritableStore } from '@rivulet/engine/store';
import { createLmdbStore } from '@rivulet/engine/stores';
import type { AgentCommand, AgentReport } from './agent-messages.js';

// A process that opens a store when the campaign requests it, and then writes numbers until it loses or closes the store.

const GROUP = { stream: 's', group: 'g' };
const silent = () => {};

const report = (message: AgentReport) => {
  process.stdout.write(`${JSON.stringify(message)}\n`);
};

let store: WritableStore | undefined;
let writing: Promise<void> = Promise.resolve();

async function open({ directory, owner }: Extract<AgentCommand, { kind: 'open' }>): Promise<void> {
  const began = performance.now();
  const opened = createLmdbStore({
    path: directory,
    durability: 'commit',
    saveIntervalMs: 1_000,
    tombstoneRetentionMs: 1_000,
    space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  });
  try {
    await opened.start({ onCommit: silent, onBreak: silent, onLost: () => report({ kind: 'lost' }) });
    const { items, position } = await readAll(opened);
    store = opened;
    report({ kind: 'opened', offset: position, values: items });
    writing = write(opened, owner);
  } catch (error) {
    await opened.close().catch(silent);
    report({ kind: 'refused', reason: String(error), milliseconds: Math.round(performance.now() - began) });
  }
}

async function readAll(opened: WritableStore): Promise<{ readonly items: Record<string, number>; readonly position: number }> {
  const snapshot = await opened.snapshot(GROUP);
  const items: Record<string, number> = {};
  try {
    for await (const chunk of snapshot.chunks()) for (const { item, data } of chunk) items[item] = Number(data);
  } finally {
    snapshot.close();
  }
  return { items, position: snapshot.position.offset };
}

async function write(opened: WritableStore, owner: string): Promise<void> {
  for (let value = 1; store === opened; value++) {
    try {
      const result = await opened.apply({ kind: 'set', ...GROUP, item: owner, data: String(value) });
      if (result.kind === 'applied') report({ kind: 'written', owner, offset: result.position.offset, value });
    } catch (error) {
      report({ kind: 'write_failed', code: error instanceof Error && 'code' in error ? String(error.code) : String(error) });
      return;
    }
  }
}

async function close(): Promise<void> {
  const closing = store;
  store = undefined;
  await writing;
  await closing?.close();
  report({ kind: 'closed' });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by the campaign
  const command = JSON.parse(line) as AgentCommand;
  (command.kind === 'open' ? open(command) : close()).catch((error: unknown) => {
    throw error;
  });
});
report({ kind: 'ready' });
