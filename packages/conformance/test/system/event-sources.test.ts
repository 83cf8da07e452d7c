import { openPage, servePage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EventCutter } from '@rivulet/testkit/links/event-cutter';
import { ExactEvents } from '@rivulet/testkit/peers/exact-events';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { Random } from '@rivulet/testkit/random';
import { EventSource as NodeEventSource } from 'eventsource';
import { expect, test } from 'vitest';

/** Readers of each test. */
const READERS = 20;
/** Cuts of each test, of all readers together. */
const CUTS = 80;
const GROUPS = ['chat/room-1', 'chat/room-2', 'chat/room-3'];

/** A report of one `EventSource` of a page: a message, with the last id, or an error. */
type Seen = { readonly data: string; readonly lastEventId: string } | 'error';

declare global {
  interface Window {
    seen_: Seen[][];
    sources_: EventSource[];
  }
}

/** Starts an engine and proxies before it. Browsers open six connections to one origin, so each proxy gets five readers. */
async function start(seed: number) {
  const engine = await startTestEngine();
  const worker = await RawWorker.connect(engine.workerUrl);
  const random = new Random(seed);
  const cutters = await Promise.all(
    Array.from({ length: READERS / 5 }, () =>
      EventCutter.to(engine.streamUrl.replace('ws:', 'http:'), { random: random.fork(), cutWithin: 8, retryMs: 20 }),
    ),
  );
  const items = new Map(GROUPS.map((path) => [path, new Map<string, unknown>()]));
  const offsets = new Map(GROUPS.map((path) => [path, 0]));
  const write = async (path: string) => {
    const [stream_name, group_id] = path.split('/');
    const of = { stream_name, group_id };
    const next = offsets.get(path) ?? 0;
    const writes = Array.from({ length: random.between(1, 3) }, (_, n) => ({
      type: 'set',
      item_id: `i${random.below(9)}`,
      data: next + n,
    }));
    const isEvent = random.chance(0.2);
    if (isEvent) await worker.result('stream::send', { ...of, type: 'note', data: { n: next } });
    else await worker.result('stream::batch', { ...of, writes });
    if (!isEvent) for (const { item_id, data } of writes) items.get(path)?.set(item_id, data);
    offsets.set(path, next + (isEvent ? 1 : writes.length));
  };
  for (const path of GROUPS) await write(path);
  /** Writes until the proxies have cut often enough. Most readers of each proxy are connected at each write. */
  const writeUntilCut = async () => {
    while (cutters.reduce((sum, { cuts }) => sum + cuts, 0) < CUTS) {
      await Promise.all(cutters.map((cutter) => cutter.whenOpen(3)));
      await write(random.pick(GROUPS));
    }
    for (const cutter of cutters) cutter.cutting = false;
    for (const path of GROUPS) await write(path);
  };
  /** Every third reader has all groups in one stream. */
  const readers = Array.from({ length: READERS }, (_, n) => {
    const exact = new ExactEvents(n % 3 === 0 ? GROUPS : [GROUPS[n % GROUPS.length] as string]);
    return { exact, url: `${cutters[n % cutters.length]?.url}${exact.target}` };
  });
  const check = () => {
    for (const { exact } of readers) {
      expect(exact.figures).toMatchObject({ lost: 0, doubled: 0, wrongIds: 0, replaced: 0, compacted: 0 });
      for (const path of exact.paths) {
        expect(exact.offsetOf(path)).toBe(offsets.get(path));
        expect(exact.itemsOf(path)).toEqual(items.get(path));
      }
    }
    const resumed = readers.reduce((sum, { exact }) => sum + exact.figures.resumed, 0);
    expect(resumed).toBeGreaterThan(CUTS / 4);
  };
  return { readers, offsets, writeUntilCut, check };
}

/** Gives a reader what an `EventSource` has reported. A message without an id repeats the last one, or has none. */
function take(exact: ExactEvents, seen: Seen): void {
  if (seen === 'error') return exact.cut();
  const { data, lastEventId } = seen;
  exact.take({ data, id: lastEventId === '' || lastEventId === exact.lastId ? undefined : lastEventId });
}

test(`RV-53 ${READERS} readers with the package eventsource that are cut behind any event resume: none lost, none doubled`, async () => {
  const { readers, offsets, writeUntilCut, check } = await start(1);
  const sources = readers.map(({ exact, url }) => {
    const source = new NodeEventSource(url);
    source.onmessage = ({ data, lastEventId }) => take(exact, { data: String(data), lastEventId });
    source.onerror = () => take(exact, 'error');
    return source;
  });
  try {
    await writeUntilCut();
    const isAtEnd = () => readers.every(({ exact }) => exact.paths.every((path) => exact.offsetOf(path) === offsets.get(path)));
    await expect.poll(isAtEnd).toBe(true);
    check();
  } finally {
    for (const source of sources) source.close();
  }
});

test(`RV-53 ${READERS} EventSources of a browser that are cut behind any event resume by themselves: none lost, none doubled`, async () => {
  const { readers, offsets, writeUntilCut, check } = await start(2);
  const page = await openPage();
  await page.goto(await servePage());
  await page.evaluate(
    (urls) => {
      window.seen_ = urls.map(() => []);
      window.sources_ = urls.map((url, index) => {
        const source = new EventSource(url);
        const seen = window.seen_[index] ?? [];
        source.onmessage = ({ data, lastEventId }) => seen.push({ data: String(data), lastEventId });
        source.onerror = () => seen.push('error');
        return source;
      });
    },
    readers.map(({ url }) => url),
  );
  await writeUntilCut();
  const ends = readers.map(({ exact }) => exact.paths.map((path) => `:${offsets.get(path)}`));
  // An id is a position for each group of the stream.
  await page.waitForFunction(
    (all) =>
      all.every((of, index) => {
        const last = window.seen_[index]?.at(-1);
        if (last === undefined || last === 'error') return false;
        const parts = last.lastEventId.split(',');
        return of.every((end, at) => parts[at]?.endsWith(end) === true);
      }),
    ends,
    { timeout: 60_000 },
  );
  const all = await page.evaluate(() => window.seen_);
  for (const [index, { exact }] of readers.entries()) for (const seen of all[index] ?? []) take(exact, seen);
  check();
});
