import { Answerer } from './clients/answerer.js';
import type {
  LoadCommand,
  PaceCommand,
  ReturnReport,
  RoundCommand,
  SaturateCommand,
  StallCommand,
  TransferReport,
  WatchCommand,
  WatchEventsCommand,
  WindowReport,
} from './clients/commands.js';
import { Crowd } from './clients/crowd.js';
import { DIALECTS } from './clients/dialects.js';
import { placesOf } from './clients/places.js';
import { requestInTurn } from './clients/requester.js';
import { Sink } from './clients/sink.js';
import { transfer } from './clients/transfer.js';
import { Watcher } from './clients/watcher.js';
import { Meter } from './clients/window.js';
import { Writer } from './clients/writer.js';
import { EventWatcher } from './events/event-watcher.js';

// The load generator. It runs in its own process and executes the commands of its parent, one at a time.
const OPENING_AT_ONCE = 100;
const meter = new Meter();
const watchers: Watcher[] = [];
let stalled: readonly { close(): void }[] = [];
let crowd: Crowd | undefined;

async function watch({ dialect, url, count, group, apart = false, sampled = 0 }: WatchCommand): Promise<void> {
  for (let opened = 0; opened < count; opened += OPENING_AT_ONCE) {
    const batch = Array.from({ length: Math.min(OPENING_AT_ONCE, count - opened) }, (_, n) => opened + n);
    const open = (n: number) => Watcher.open(DIALECTS[dialect], url, apart ? `${group}-${n}` : group, meter, n < sampled);
    watchers.push(...(await Promise.all(batch.map(open))));
  }
}

async function watchEvents({ url, groups, count, sampled = 0 }: WatchEventsCommand): Promise<void> {
  for (let opened = 0; opened < count; opened += OPENING_AT_ONCE) {
    const batch = Array.from({ length: Math.min(OPENING_AT_ONCE, count - opened) }, (_, n) => opened + n);
    await Promise.all(batch.map((n) => EventWatcher.open(url, groups, meter, n < sampled)));
  }
}

async function stall({ binary, dialect, url, group, count, bytesPerSecond }: StallCommand): Promise<readonly (Sink | Watcher)[]> {
  const options = { dialect: DIALECTS[dialect], url, group };
  if (binary !== undefined) return [await Sink.open({ ...options, binary, count, bytesPerSecond })];
  const slow = await Promise.all(Array.from({ length: count }, () => Watcher.open(DIALECTS[dialect], url, group, meter, false)));
  for (const each of slow) each.slowDown(bytesPerSecond);
  return slow;
}

function attached(): Crowd {
  if (crowd === undefined) throw new Error('nobody is attached');
  return crowd;
}

/** Runs one writer while a window is measured. */
async function measured(
  command: PaceCommand | SaturateCommand,
  write: (writer: Writer, until: Promise<WindowReport>) => Promise<void>,
): Promise<WindowReport> {
  const writer = await Writer.open(DIALECTS[command.dialect], command.url, meter);
  const report = meter.window(command);
  await write(writer, report);
  writer.close();
  return report;
}

async function round({ dialect, url, groups, inFlight, ...where }: RoundCommand): Promise<void> {
  const writer = await Writer.open(DIALECTS[dialect], url, meter);
  await writer.round(placesOf({ ...where, groups }), groups, inFlight);
  writer.close();
}

async function run(command: LoadCommand): Promise<WindowReport | TransferReport | ReturnReport | undefined> {
  switch (command.kind) {
    case 'watch':
      await watch(command);
      return undefined;
    case 'sink':
      meter.sinks.push(await Sink.open({ ...command, dialect: DIALECTS[command.dialect] }));
      return undefined;
    case 'stall': {
      stalled = await stall(command);
      return undefined;
    }
    case 'watch-events':
      await watchEvents(command);
      return undefined;
    case 'stall-events': {
      const reader = await EventWatcher.open(command.url, command.groups, meter, false);
      reader.stall();
      stalled = [reader];
      return undefined;
    }
    case 'end-stall':
      for (const each of stalled) each.close();
      stalled = [];
      return undefined;
    case 'pace':
      return measured(command, (writer, until) => writer.pace(placesOf(command), command.rate, until));
    case 'saturate':
      return measured(command, (writer, until) => writer.saturate(placesOf(command), command.inFlight, until));
    case 'round':
      await round(command);
      return undefined;
    case 'answer':
      await Answerer.open(command.dialect, command.url);
      return undefined;
    case 'request': {
      const report = meter.window(command);
      await requestInTurn(command.url, meter, report);
      return report;
    }
    case 'transfer':
      return transfer(command);
    case 'attach':
      crowd = await Crowd.attach(command);
      return undefined;
    case 'publish':
      await attached().publish(command);
      return undefined;
    case 'jitter':
      return attached().jitter(command);
    case 'come-back':
      return attached().comeBack(command);
  }
}

process.on('message', (command: LoadCommand) => {
  run(command).then(
    (report) => process.send?.({ report }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
