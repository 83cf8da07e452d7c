import { deepEqual } from 'node:assert/strict';
import type { NamesPage, PageBounds, StreamStore } from '@rivulet/engine/store';
import { clause, type OpenStore } from './factory.js';

const ALL = Number.POSITIVE_INFINITY;
/** Names whose order in UTF-8 differs from their order in UTF-16. */
const NAMES = [
  '',
  'a',
  'a b',
  'a:b',
  'a\u{1F642}',
  'a\uE000',
  'a\uFFFD',
  'b',
  'é',
  '\uFF21',
  '\uFF21\u{1F642}',
  '\uFF21\uE000',
  '\uD7FF',
].concat(['\u{1F642}', '\u{1F642}\uE000', '\u{1F642}\u{1F642}', '\u{1F642}a', '\u{10FFFF}', '\uE000', '\uE000a']);

type ReadPage = (bounds: PageBounds) => Promise<NamesPage>;

/** Reads all pages. Fails when a page is larger than `most`, or when it does not continue after the page before. */
async function walk(read: ReadPage, after: string | undefined, limit: number, chars: number): Promise<string[]> {
  const names: string[] = [];
  for (let behind = after; ; ) {
    const page = await read({ after: behind, limit, chars });
    if (page.names.length > limit) throw new Error(`a page of at most ${limit} names has ${page.names.length}`);
    const used = page.names.reduce((sum, name) => sum + name.length + 3, 0);
    if (page.names.length > 1 && used > chars) throw new Error(`a page of at most ${chars} characters has ${used}`);
    names.push(...page.names);
    behind = page.names.at(-1);
    if (!page.more) return names;
    if (behind === undefined) throw new Error('a page is empty, and says that there are more names');
  }
}

async function requirePages(read: ReadPage, sorted: readonly string[]): Promise<void> {
  for (const [limit, chars] of [
    [1, ALL],
    [3, ALL],
    [sorted.length, ALL],
    [ALL, ALL],
    [ALL, 1],
    [ALL, 12],
    [2, 12],
  ] as const)
    deepEqual(await walk(read, undefined, limit, chars), sorted, `pages of ${limit} names and ${chars} characters`);
  // A page may begin after a name that exists, and after one that does not.
  for (const after of sorted) {
    const behind = sorted.filter((name) => name > after);
    deepEqual(await walk(read, after, 3, ALL), behind, `behind ${JSON.stringify(after)}`);
    const none = `${after}!`;
    const rest = sorted.filter((name) => name > none);
    deepEqual(await walk(read, none, 3, ALL), rest, `behind ${JSON.stringify(none)}`);
  }
}

async function fill(open: OpenStore): Promise<void> {
  for (const name of NAMES) {
    await open.set('m', '1', { stream: 'paged', group: name });
    await open.set('m', '1', { stream: name, group: 'g' });
  }
  await open.set('m', '1', { stream: 'a', group: 'other' });
  // Groups and streams without items are in no page.
  for (const gone of ['0', 'a!', '\u{1F643}', 'z']) {
    await open.set('m', '1', { stream: 'paged', group: gone });
    await open.delete('m', { stream: 'paged', group: gone });
    await open.set('m', '1', { stream: gone, group: 'g' });
    await open.delete('m', { stream: gone, group: 'g' });
  }
}

export const nameClauses = [
  clause('E9 pages of groups and streams follow each other in the order of the whole list, each name once', async (open) => {
    const store: StreamStore = open.store;
    if (store.groupsPage === undefined && store.streamsPage === undefined) return;
    await fill(open);
    const groups = [...NAMES].sort();
    const streams = [...NAMES, 'paged'].sort();
    deepEqual(await store.groups('paged'), groups);
    deepEqual(await store.streams(), streams);
    const missing: NamesPage = { names: [], more: false };
    if (store.groupsPage !== undefined)
      await requirePages(async (bounds) => (await store.groupsPage?.('paged', bounds)) ?? missing, groups);
    if (store.streamsPage !== undefined) await requirePages(async (bounds) => (await store.streamsPage?.(bounds)) ?? missing, streams);
    const nowhere = await store.groupsPage?.('nowhere', { after: undefined, limit: 5, chars: ALL });
    deepEqual(nowhere ?? missing, missing);
  }),
  clause('E9 a snapshot after an item has the items that were created after it, at one position', async (open) => {
    const { store } = open;
    if (store.snapshotAfter === undefined) return;
    const ref = { stream: 's', group: 'g' };
    for (let n = 0; n < 600; n++) await open.set(`i${n}`, String(n), ref);
    await open.set('i3', '"changed"', ref);
    await open.delete('i599', ref);
    for (const [item, first] of [
      ['i0', 1],
      ['i3', 4],
      ['i597', 598],
      ['i598', 599],
    ] as const) {
      const snapshot = await store.snapshotAfter(ref, item);
      const found: string[] = [];
      for await (const chunk of snapshot?.chunks() ?? []) found.push(...chunk.map((each) => each.item));
      snapshot?.close();
      deepEqual(
        found,
        Array.from({ length: 599 - first }, (_, n) => `i${first + n}`),
      );
      deepEqual(snapshot?.position, (await store.get(ref, 'i0')).position);
    }
    for (const missing of ['i599', 'nobody']) deepEqual(await store.snapshotAfter(ref, missing), undefined);
    deepEqual(await store.snapshotAfter({ stream: 's', group: 'nowhere' }, 'i0'), undefined);
  }),
];
