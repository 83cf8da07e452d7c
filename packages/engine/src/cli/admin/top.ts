import { field, isJsonObject, type JsonObject, stringField } from '@rivulet/protocol';
import { printable } from '../../logging/printable.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { failureOf } from '../command/failure.js';
import { untilInterrupted } from '../command/interrupt.js';
import { readCount, readDuration } from '../command/numbers.js';
import { ADMIN_OPTIONS, type AdminApi, withAdmin } from './admin-api.js';
import { type MetricTotals, readTotals } from './metric-totals.js';

const DEFAULT_EVERY_MS = 2_000;
const LEAST_EVERY_MS = 200;
/** Clears the terminal and goes to its first line. */
const CLEAR = '\u001b[H\u001b[2J';

/** The counters whose rates are shown, by their names in the output. */
const RATES = {
  changes: 'rivulet_stream_changes_total',
  deliveries: 'rivulet_stream_deliveries_total',
  lagged: 'rivulet_stream_lagged_total',
  joins: 'rivulet_stream_joins_total',
  writes: 'rivulet_store_changes_total',
  calls: 'rivulet_calls_total',
  triggers: 'rivulet_triggers_fired_total',
  cpu: 'process_cpu_seconds_total',
} as const;

export const topCommand: Command = {
  name: 'top',
  options: {
    ...ADMIN_OPTIONS,
    every: { type: 'value', value: 'TIME', description: 'the pause between two looks, from 200ms; else 2s' },
    count: { type: 'value', value: 'NUMBER', description: 'end after that many looks; else never' },
    json: { type: 'flag', description: 'print one JSON value a line' },
  },
  notes: [
    'Shows what the engine does now, again and again. Rates are those since the look before. It goes on after a restart of the engine.\n' +
      'Ctrl-C ends it, with exit code 0.',
  ],
  run: (input, context) =>
    withAdmin(input, context, async (api) => {
      await untilInterrupted(watchFigures(api, input, context), context);
      return EXIT.ok;
    }),
};

async function watchFigures(api: AdminApi, input: CommandInput, context: CommandContext): Promise<ExitCode> {
  const everyMs = Math.max(readDuration(input, 'every') ?? DEFAULT_EVERY_MS, LEAST_EVERY_MS);
  const json = input.flag('json');
  let before: Look | undefined;
  for (let rest = readCount(input, 'count'); rest > 0; rest--) {
    if (before !== undefined) await new Promise((resolve) => setTimeout(resolve, everyMs));
    const look = before === undefined ? await lookAt(api) : await lookAgain(api, everyMs, context);
    const rates = before === undefined ? undefined : ratesOf(before, look);
    if (json) context.out(`${JSON.stringify({ ...look.engine, rates: rates ?? null })}\n`);
    else context.out(`${context.columns === undefined ? '' : CLEAR}${linesOf(look, rates)}\n`);
    before = look;
  }
  return EXIT.ok;
}

interface Look {
  readonly atMs: number;
  readonly engine: JsonObject;
  readonly totals: MetricTotals;
}

async function lookAt(api: AdminApi): Promise<Look> {
  const [engine, metrics] = await Promise.all([api.get('engine'), api.metrics()]);
  return { atMs: performance.now(), engine, totals: readTotals(metrics, Object.values(RATES)) };
}

/** Looks until the engine answers. An operator watches it over a restart. */
async function lookAgain(api: AdminApi, everyMs: number, context: CommandContext): Promise<Look> {
  for (;;) {
    try {
      return await lookAt(api);
    } catch (error) {
      const { code, message, exit } = failureOf(error);
      if (exit !== EXIT.unreachable && exit !== EXIT.busy) throw error;
      context.err(`note: ${printable(message)} (${printable(code)})\n`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

type Rates = Readonly<Record<string, number>>;

/** Returns the growth of each counter in a second. A counter that the engine does not have is left out. */
function ratesOf(before: Look, now: Look): Rates {
  const seconds = Math.max(now.atMs - before.atMs, 1) / 1_000;
  return Object.fromEntries(
    Object.entries(RATES).flatMap(([name, metric]) => {
      const growth = (now.totals.get(metric) ?? Number.NaN) - (before.totals.get(metric) ?? Number.NaN);
      return Number.isNaN(growth) ? [] : [[name, Math.round((Math.max(growth, 0) / seconds) * 100) / 100]];
    }),
  );
}

function linesOf({ engine }: Look, rates: Rates | undefined): string {
  const text = (name: string) => stringField(engine, name) ?? JSON.stringify(field(engine, name) ?? '-');
  const pair = (name: string, heading = name) => `${heading} ${text(name)}`;
  const rate = ([name, value]: readonly [string, number]) =>
    name === 'cpu' ? `processor ${Math.round(value * 100)} %` : `${name} ${value}/s`;
  const lines = [
    `rivulet ${text('version')}, process ${text('pid')}, up ${text('uptime_s')} s, ${field(engine, 'ready') === true ? 'ready' : 'NOT READY'}`,
    ...reasonsOf(engine),
    [pair('sessions'), pair('watched_groups', 'watched groups'), pair('workers'), pair('functions'), pair('triggers')].join('  '),
    [pair('http_requests', 'HTTP requests'), pair('channels'), pair('channel_bytes', 'channel bytes'), pair('log_bytes', 'log bytes')].join(
      '  ',
    ),
    ...storesOf(engine),
    rates === undefined ? 'rates come with the next look' : Object.entries(rates).map(rate).join('  '),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function reasonsOf(engine: JsonObject): readonly string[] {
  const reasons = field(engine, 'reasons');
  return (Array.isArray(reasons) ? reasons.filter(isJsonObject) : []).map(
    (reason) => `  ${stringField(reason, 'code') ?? ''}: ${stringField(reason, 'message') ?? ''}`,
  );
}

function storesOf(engine: JsonObject): readonly string[] {
  const stores = field(engine, 'stores');
  return Object.entries(isJsonObject(stores) ? stores : {}).map(([name, figures]) => {
    const words = Object.entries(isJsonObject(figures) ? figures : {}).map(
      ([key, value]) => `${key.replaceAll('_', ' ')} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    return `store ${name}: ${words.join('  ')}`;
  });
}
