import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { boundsByStream } from '../../src/store/shared/group-bounds.js';
import { load, problemsOf } from '../config-files.js';

const file = (entries: string, more = '') => `workers:\n  - name: iii-stream\n    config: { group_bounds: ${entries}${more} }\n`;
const messages = (entries: string, more = '') => problemsOf(file(entries, more)).map(({ key, message }) => `${key}: ${message}`);

describe('group_bounds', () => {
  it('are none without the key, and print as they were read', () => {
    expect(load('workers: [{ name: iii-stream }]').stream?.groupBounds).toEqual([]);
    const entries = '[{ streams: chat, max_items: 100, on_full: delete_oldest }, { streams: "*", max_age_ms: 1000, max_bytes: 5 }]';
    const config = load(file(entries));
    expect(config.stream?.groupBounds).toEqual([
      { streams: 'chat', maxItems: 100, maxBytes: undefined, maxAgeMs: undefined, onFull: 'delete_oldest' },
      { streams: '*', maxItems: undefined, maxBytes: 5, maxAgeMs: 1_000, onFull: 'refuse' },
    ]);
    const printed: unknown = parse(stringify(describeConfig(config)));
    expect(printed).toMatchObject({
      workers: expect.arrayContaining([
        expect.objectContaining({
          config: expect.objectContaining({
            group_bounds: [
              { streams: 'chat', max_items: 100, on_full: 'delete_oldest' },
              { streams: '*', max_bytes: 5, max_age_ms: 1_000, on_full: 'refuse' },
            ],
          }),
        }),
      ]),
    });
    expect(load(stringify(describeConfig(config))).stream?.groupBounds).toEqual(config.stream?.groupBounds);
  });

  it.each([
    ['[{ streams: chat, max_items: 0 }]', '.max_items: 0 is not valid; expected a whole number from 1 to'],
    ['[{ streams: chat, max_bytes: -1 }]', '.max_bytes: -1 is not valid'],
    ['[{ streams: chat, max_items: 1.5 }]', '.max_items: 1.5 is not valid'],
    ['[{ streams: chat, max_items: "5" }]', 'write it without quotes'],
    ['[{ streams: chat, max_age_ms: 999 }]', '.max_age_ms: 999 is not valid; expected a whole number from 1000'],
    ['[{ streams: "", max_items: 1 }]', '.streams: "" is not valid'],
    ['[{ max_items: 1 }]', '.streams: nothing is not valid'],
    ['[{ streams: "a\\u0000", max_items: 1 }]', 'without control characters'],
    ['[{ streams: chat, max_items: 1, on_full: drop }]', '.on_full: "drop" is not valid; expected refuse or delete_oldest'],
    ['[{ streams: chat }]', 'bounds nothing'],
    ['[{ streams: chat, max_age_ms: 5000, on_full: delete_oldest }]', 'on_full needs max_items or max_bytes'],
    ['[{ streams: chat, max_item: 1, max_bytes: 5 }]', 'did you mean "max_items"?'],
    ['[{ streams: "c*", max_items: 1 }, { streams: chat, max_items: 1 }]', 'the entry for "c*" comes first'],
    ['[{ streams: "c*", max_items: 1 }, { streams: "ch*t", max_items: 1 }]', 'the entry for "c*" comes first'],
    ['[chat]', 'expected a mapping'],
    ['{ chat: 5 }', 'expected a list'],
  ])('%s is refused', (entries, message) => {
    const problems = messages(entries);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });

  it('have at most 100 entries', () => {
    const entries = Array.from({ length: 101 }, (_, n) => ({ streams: `s${n}`, max_items: 1 }));
    expect(messages(JSON.stringify(entries.slice(1)))).toEqual([]);
    expect(messages(JSON.stringify(entries))).toEqual([expect.stringContaining('more than 100 entries')]);
  });

  it('are not those of an adapter of the operator', () => {
    expect(messages('[{ streams: chat, max_items: 1 }]', ', adapter: { module: ./a.mjs }')).toEqual([
      expect.stringContaining('an adapter of your own decides about its bounds'),
    ]);
    expect(messages('[]', ', adapter: { module: ./a.mjs }')).toEqual([]);
  });

  it('of a stream are those of the first entry that matches its whole name', () => {
    const boundsOf = boundsByStream([
      { streams: 'chat', maxItems: 1, onFull: 'refuse' },
      { streams: 'chat-*-log', maxItems: 2, onFull: 'refuse' },
      { streams: 'c*', maxItems: 3, onFull: 'refuse' },
    ]);
    const most = ['chat', 'chat-a-log', 'chat-a-logs', 'chats', 'xchat', ''].map((stream) => boundsOf(stream)?.maxItems);
    expect(most).toEqual([1, 2, 3, 3, undefined, undefined]);
  });
});
