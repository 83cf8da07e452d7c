/** A process of readers: it opens event streams, cuts them, and compares what they got with what was written. */
import { setTimeout as pause } from 'node:timers/promises';
import { noFigures } from '@rivulet/testkit/peers/exact-events';
import { Random } from '@rivulet/testkit/random';
import { RawEventSource } from './raw-event-source.js';
import type { ReaderCommand, ReaderHeads, ReaderJob, ReaderReport, ReaderTotals } from './reader-messages.js';

/** Client addresses of one process. */
const ADDRESSES = 8;
/** One reader in five has several groups. */
const SEVERAL = 0.2;
/** Milliseconds between two first connections, on average. */
const OPENING_MS = 1;
const CHECK_MS = 50;
/** Time without an event after which the readers that are not at the end count as unfinished. */
const QUIET_MS = 60_000;

let readers: { readonly source: RawEventSource; readonly paths: readonly string[] }[] = [];

process.on('message', (command: ReaderCommand) => {
  const work = command.kind === 'start' ? start(command) : finish(command);
  work.catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit());

function report(message: ReaderReport): void {
  process.send?.(message);
}

async function start({ port, seed, index, groups, cutWithin, readers: count }: ReaderJob): Promise<void> {
  const random = new Random(seed);
  readers = Array.from({ length: count }, (_, n) => {
    const first = random.below(groups.length);
    const size = Math.min(groups.length, random.chance(SEVERAL) ? random.between(2, 4) : 1);
    const paths = Array.from({ length: size }, (_unused, step) => groups[(first + step) % groups.length] as string);
    const localAddress = `127.0.${index + 1}.${1 + (n % ADDRESSES)}`;
    return {
      paths,
      source: new RawEventSource({ port, localAddress, paths, random: random.fork(), cutWithin, openWithinMs: 1 + count * OPENING_MS }),
    };
  });
  while (!readers.every(({ source }) => source.events.hasBegun)) await pause(CHECK_MS);
  report({ kind: 'open' });
}

async function finish(heads: ReaderHeads): Promise<void> {
  for (const { source } of readers) source.cutting = false;
  const isAtEnd = ({ source, paths }: (typeof readers)[number]) =>
    paths.every((path) => source.events.offsetOf(path) >= (heads.offsets[path] ?? 0));
  let applied = -1;
  for (let quiet = 0; !readers.every(isAtEnd) && quiet < QUIET_MS; quiet += CHECK_MS) {
    await pause(CHECK_MS);
    const now = readers.reduce((sum, { source }) => sum + source.events.figures.applied, 0);
    if (now !== applied) quiet = 0;
    applied = now;
  }
  const totals: ReaderTotals = { ...noFigures(), cuts: 0, dropped: 0, unfinished: 0, wrongStates: 0 };
  for (const reader of readers) {
    const { source, paths } = reader;
    const { figures } = source.events;
    for (const name of Object.keys(figures) as (keyof typeof figures)[]) totals[name] += figures[name];
    totals.cuts += source.cuts;
    totals.dropped += source.dropped;
    if (!isAtEnd(reader)) totals.unfinished++;
    for (const path of paths) if (!isEqual(source.events.itemsOf(path), heads.items[path] ?? {})) totals.wrongStates++;
    source.end();
  }
  report({ kind: 'done', totals });
}

function isEqual(items: ReadonlyMap<string, unknown>, truth: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(truth);
  return names.length === items.size && names.every((name) => JSON.stringify(items.get(name)) === JSON.stringify(truth[name]));
}
