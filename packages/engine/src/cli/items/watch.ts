import type { Item, StreamClient, StreamError, View, ViewListeners } from '@rivulet/client';
import { formatPosition } from '@rivulet/protocol';
import { printable } from '../../logging/printable.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { CommandFailure, fail } from '../command/failure.js';
import { untilInterrupted } from '../command/interrupt.js';
import { readCount, readDuration } from '../command/numbers.js';
import { GROUP_WORDS } from './item-words.js';
import { connectStreams, STREAM_OPTIONS, streamFailure } from './stream-connection.js';
import { UnreadChanges } from './unread-changes.js';

const DEFAULT_TIMEOUT_MS = 30_000;
/** The most characters of changes that wait for a slow reader of the output. */
const MOST_UNREAD = 16_777_216;

export const watchCommand: Command = {
  name: 'watch',
  positionals: [...GROUP_WORDS, { name: 'ITEM', description: 'watch this item only', optional: true }],
  options: {
    ...STREAM_OPTIONS,
    timeout: { type: 'value', value: 'TIME', description: 'the longest wait for the present items, such as 30s; else 30s' },
    count: { type: 'value', value: 'NUMBER', description: 'end after that many changes and events; else never' },
    json: { type: 'flag', description: 'print one JSON value a line' },
  },
  notes: [
    'Prints the present items, then each change and event as it comes. Ctrl-C ends it, with exit code 0. It connects again by itself and\n' +
      'prints what it missed.',
  ],
  run: async (input, context) => {
    let client: StreamClient | undefined;
    try {
      const count = readCount(input, 'count');
      const timeoutMs = readDuration(input, 'timeout') ?? DEFAULT_TIMEOUT_MS;
      client = connectStreams(input, context);
      await untilInterrupted(watch(client, input, context, { count, timeoutMs }), context);
      return EXIT.ok;
    } catch (error) {
      return fail(error, context, input.flag('json'));
    } finally {
      await client?.close();
    }
  },
};

interface Bounds {
  readonly count: number;
  readonly timeoutMs: number;
}

/** Prints everything that the view shows. Resolves after `count` changes and events. Rejects if the view cannot become live. */
function watch(client: StreamClient, input: CommandInput, context: CommandContext, { count, timeoutMs }: Bounds): Promise<ExitCode> {
  const [stream = '', group = '', item] = input.words;
  const unread = new UnreadChanges(context.unread);
  const out = (text: string) => {
    unread.add(text.length);
    context.out(text);
  };
  const print = input.flag('json') ? jsonPrinter(out) : linePrinter(out, context.columns);
  return new Promise((resolve, reject) => {
    let rest = count;
    let wasLive = false;
    const timer = setTimeout(() => reject(new CommandFailure('TIMEOUT', 'the present items did not come in time', EXIT.busy)), timeoutMs);
    const counted = (type: string, fields: Fields) => {
      if (rest <= 0) return;
      print(type, fields);
      if (unread.length > MOST_UNREAD)
        reject(new CommandFailure('OVERLOADED', 'the output is not read fast enough; read it faster, or watch less', EXIT.busy));
      if (--rest === 0) resolve(EXIT.ok);
    };
    const onError = (error: StreamError) => {
      const failure = streamFailure(error);
      if (!wasLive || error.code === 'INVALID_ID') reject(failure);
      else context.err(`note: ${printable(failure.message)} (${printable(failure.code)})\n`);
    };
    const listeners: ViewListeners<unknown> = {
      onReset: ({ reason }) =>
        unread.printPresent(() => {
          print('reset', { reason });
          for (const { id, data, offset } of items()) print('item', { id, data, offset });
        }),
      onChange: (change) =>
        counted(change.type, { id: change.id, ...('data' in change ? { data: change.data } : {}), offset: change.offset }),
      onEvent: ({ name, data, id, offset }) => counted('event', { name, ...(id === undefined ? {} : { id }), data, offset }),
      onGap: ({ after, through, count: lost }) => print('gap', { after, through, count: lost }),
      onStatus: (status) => {
        if (status === 'live') {
          wasLive = true;
          clearTimeout(timer);
        }
        if (wasLive) print(status, view.position === undefined ? {} : { position: formatPosition(view.position) });
      },
    };
    client.onError(onError);
    const { view, items } = open(client, stream, group, item);
    view.on(listeners);
  });
}

/** Opens the view of a group or an item. */
function open(
  client: StreamClient,
  stream: string,
  group: string,
  item: string | undefined,
): { readonly view: View<unknown>; readonly items: () => readonly Item<unknown>[] } {
  if (item === undefined) {
    const view = client.subscribeGroup(stream, group);
    return { view, items: () => view.items };
  }
  const view = client.subscribeItem(stream, group, item);
  return { view, items: () => (view.item === undefined ? [] : [view.item]) };
}

type Fields = Readonly<Record<string, unknown>>;
type Print = (type: string, fields: Fields) => void;

function jsonPrinter(out: CommandContext['out']): Print {
  return (type, fields) => out(`${JSON.stringify({ type, ...fields })}\n`);
}

/** Prints lines such as `12:34:56 update m1 {"text":"hi"}`, in local time. */
function linePrinter(out: CommandContext['out'], columns = Number.POSITIVE_INFINITY): Print {
  return (type, { name, id, data, offset: _offset, ...others }) => {
    if (others.reason === 'first') return;
    const words = [name, id].filter((word) => typeof word === 'string').map((word) => printable(word));
    const rest = Object.entries(others).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
    );
    const value = data === undefined ? [] : [printable(JSON.stringify(data))];
    const line = [new Date().toTimeString().slice(0, 8), type.padEnd(6), ...words, ...rest, ...value].join(' ').trimEnd();
    out(`${line.length > columns ? `${line.slice(0, columns - 1)}…` : line}\n`);
  };
}
