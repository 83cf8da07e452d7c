import { mkdirSync } from 'node:fs';
import { salvage } from '@rivulet/engine/parts';
import { createLmdbStore } from '@rivulet/engine/stores';
import { CLOCK, silent } from './deps.js';
import { codeOf, type Expected } from './observe.js';

/** The result of `rivulet salvage` for a damaged store, as plain data. */
export interface ObservedSalvage {
  /** Set when the command refused, or failed. */
  readonly refusal?: string;
  /** The items of each expected group, in their order. */
  readonly groups: readonly (readonly (readonly [item: string, data: string])[])[];
  /** Values of groups whose name was lost, by their items. */
  readonly unnamed: readonly (readonly [item: string, data: string])[];
  readonly lostCount: number;
  readonly damagedRecords: number;
  /** Items of which the command says that they may have an older value. */
  readonly unconfirmed: number;
}

/** Salvages a store into a new directory, starts a store there, and reads it. */
export async function observeSalvage(directory: string, target: string, { groups }: Expected): Promise<ObservedSalvage> {
  mkdirSync(target, { mode: 0o700 });
  const nothing = { groups: [], unnamed: [], lostCount: 0, damagedRecords: 0, unconfirmed: 0 };
  try {
    const { lostCount, damagedRecords, unconfirmed } = await salvage(directory, target);
    const store = createLmdbStore({ ...CLOCK, path: target, tombstoneRetentionMs: 60_000, logger: silent(), preflight: 'inline' });
    await store.start({ onCommit: () => {}, onBreak: () => {} });
    const read = async (stream: string, group: string) => {
      const snapshot = await store.snapshot({ stream, group });
      const items: [string, string][] = [];
      for await (const chunk of snapshot.chunks()) for (const { item, data } of chunk) items.push([item, data]);
      return items;
    };
    const found: [string, string][][] = [];
    for (const { stream, group } of groups) found.push(await read(stream, group));
    const unnamed: [string, string][] = [];
    for (const group of await store.groups('salvaged')) unnamed.push(...(await read('salvaged', group)));
    await store.close();
    return { groups: found, unnamed, lostCount, damagedRecords, unconfirmed };
  } catch (error) {
    return { ...nothing, refusal: codeOf(error) };
  }
}
