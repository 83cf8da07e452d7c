/** A process that opens what power cuts left: one job on each line of its input, one report on each line of its output. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { OpenedStore, OpenJob, OpenReport } from './images.js';
import { FINGERPRINT, type MarkedKey, RETENTION_MS } from './marks.js';
import { readGroup, readGroups, STORES, STREAM, type Store, type StoredGroup, type StoreName, storeIn } from './stored-groups.js';

/** Newest keys of each store that are tried again. */
const MOST_KEYS = 3;
/** Time of the clock. It is before the expiry of every item, so that none expires while the image is judged. */
const NOW = 1;

async function replayKeys(store: Store, keys: readonly MarkedKey[], groups: Readonly<Record<string, StoredGroup>>): Promise<string[]> {
  const wrong: string[] = [];
  const present = keys.filter(({ group, offset }) => offset <= (groups[group]?.offset ?? 0)).slice(-MOST_KEYS);
  for (const { group, key, answer } of present) {
    const result = await store.write({
      kind: 'write',
      stream: STREAM,
      group,
      changes: [{ kind: 'set', item: 'again', data: '1' }],
      batch: false,
      once: { key, fingerprint: FINGERPRINT, retentionMs: RETENTION_MS, answer: () => 'new' },
    });
    if (result.kind !== 'replayed' || result.answer !== answer) wrong.push(`the key ${key} of ${group} was forgotten`);
  }
  return wrong;
}

/** Writes an item to each group, which must take the next offsets and change nothing else. */
async function writeProbes(store: Store, groups: Readonly<Record<string, StoredGroup>>): Promise<string[]> {
  const wrong: string[] = [];
  for (const [group, { epoch, offset, entries }] of Object.entries(groups)) {
    const result = await store.apply({ kind: 'set', stream: STREAM, group, item: 'probe', data: '"probe"' });
    if (result.kind !== 'applied' || result.position.epoch !== epoch || result.position.offset !== offset + 1)
      wrong.push(`${group}: a write after offset ${offset} got ${JSON.stringify(result)}`);
    const after = await readGroup(store, group);
    if (JSON.stringify(after.entries.slice(0, -1)) !== JSON.stringify(entries)) wrong.push(`${group}: a write of one item changed others`);
  }
  return wrong;
}

async function openStore(job: OpenJob, name: StoreName): Promise<OpenedStore> {
  const path = join(job.directory, name);
  const events = { onCommit() {}, onBreak() {} };
  const open = () => storeIn(path, job.durability, { now: () => NOW, log: () => {} });
  const store = open();
  try {
    await store.start(events);
  } catch (error) {
    return { kind: 'refused', error: String(error) };
  }
  try {
    const groups = await readGroups(store);
    const wrong = await replayKeys(store, job.keys[name], groups);
    if (job.reopens) {
      wrong.push(...(await writeProbes(store, groups)));
      const before = await readGroups(store);
      await store.close();
      const again = open();
      await again.start(events);
      const after = await readGroups(again);
      for (const [group, { epoch, entries }] of Object.entries(before)) {
        if (after[group]?.epoch !== epoch || JSON.stringify(after[group]?.entries) !== JSON.stringify(entries))
          wrong.push(`${group}: a clean restart after the power cut changed the group`);
      }
      await again.close();
    } else await store.close();
    return { kind: 'opened', groups, wrong };
  } catch (error) {
    return { kind: 'opened', groups: {}, wrong: [`reading failed: ${String(error)}`] };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by the parent process
  const job = JSON.parse(line) as OpenJob;
  const stores: Partial<Record<StoreName, OpenedStore>> = {};
  for (const name of STORES) stores[name] = await openStore(job, name);
  process.stdout.write(`${JSON.stringify({ id: job.id, stores } as OpenReport)}\n`);
}
