import { join } from 'node:path';
import { OpenStore } from '@rivulet/conformance/store-contract/factory';
import { expireNow, lmdbFactory } from '@rivulet/testkit/stores/store-factories';
import { open } from 'lmdb';
import { onTestFinished, vi } from 'vitest';
import { type Logger, silentLogger } from '../src/logging/logger.js';
import type { BoundsOf } from '../src/store/bounds.js';
import { LmdbEnvironment, type Table } from '../src/store/lmdb/env/environment.js';
import { createLmdbStore } from '../src/store/lmdb/lmdb-store.js';

export const RETENTION = 1_000;

/** Returns a store with clocks that the test moves, and its log lines. */
export async function aged() {
  const factory = lmdbFactory();
  await factory.create(Date.now);
  onTestFinished(() => factory.dispose());
  const path = join(factory.directory());
  const time = { now: 1_700_000_000_000, elapsed: 0 };
  const lines: { event: string; fields: Record<string, unknown> }[] = [];
  /** Log of the damage that the start found. */
  const atStart: typeof lines = [];
  const note = (event: string, fields: object = {}) =>
    void (event === 'store_damaged' ? atStart : lines).push({ event, fields: { ...fields } });
  const logger: Logger = { ...silentLogger, warn: note, error: note };
  const clock = { now: () => time.now, monotonic: () => time.elapsed };
  const start = async (boundsOf?: BoundsOf) => {
    const options = { path, durability: 'commit', saveIntervalMs: 100, tombstoneRetentionMs: RETENTION, clock, logger } as const;
    const store = createLmdbStore({ ...options, ...(boundsOf && { boundsOf }) });
    const opened = await OpenStore.start(store);
    onTestFinished(() => store.close());
    const sweep = () => (store as unknown as { sweepNow(): Promise<void> }).sweepNow();
    return Object.assign(opened, { sweep, expire: () => expireNow(store) });
  };
  return { path, time, lines, atStart, start };
}

/** Flips the last bit of the records that `chosen` selects by their index. Returns the number of records in the table. */
export async function damage(path: string, table: string, chosen: (index: number) => boolean): Promise<number> {
  const environment = open({ path, noSubdir: false, maxDbs: 8, encoding: 'binary', keyEncoding: 'binary' });
  const records = environment.openDB<Buffer, Buffer>({ name: table, encoding: 'binary', keyEncoding: 'binary' });
  const all = [...records.getRange({})].map(({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }));
  for (const { key, value } of all.filter((_, index) => chosen(index))) {
    value.writeUInt8(value.readUInt8(value.length - 1) ^ 1, value.length - 1);
    await records.put(key, value);
  }
  await environment.close();
  return all.length;
}

/** Replaces the records of a table by what `change` returns for them. */
export async function rewrite(path: string, table: string, change: (key: Buffer, record: Buffer) => Buffer): Promise<void> {
  const environment = open({ path, noSubdir: false, maxDbs: 8, encoding: 'binary', keyEncoding: 'binary' });
  const records = environment.openDB<Buffer, Buffer>({ name: table, encoding: 'binary', keyEncoding: 'binary' });
  const all = [...records.getRange({})].map(({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }));
  for (const { key, value } of all) await records.put(key, change(key, value));
  await environment.close();
}

/** Makes stores that are opened from now on fail once, at a chosen call of a table. */
export function faulty() {
  const fault = { at: '', left: 0 };
  const strike = (call: string) => {
    if (call === fault.at && --fault.left === 0) throw new Error(`a fault of ${call}`);
  };
  const real = Reflect.get(LmdbEnvironment.prototype, 'table') as (this: LmdbEnvironment, name: string) => Table;
  const spy = vi.spyOn(LmdbEnvironment.prototype, 'table').mockImplementation(function (this: LmdbEnvironment, name) {
    const table = real.call(this, name);
    return {
      get: (key, options) => (options === undefined ? table.get(key) : table.get(key, options)),
      getRange: (range) => table.getRange(range),
      put: (key, value) => {
        strike(`${name}.put`);
        table.put(key, value);
      },
      remove: (key) => {
        strike(`${name}.remove`);
        table.remove(key);
      },
    };
  });
  onTestFinished(() => spy.mockRestore());
  return { set: (at: string, nth: number) => Object.assign(fault, { at, left: nth }) };
}

export async function count(path: string, table: string): Promise<number> {
  return damage(path, table, () => false);
}
