import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../config-files.js';

const SOURCES = join(ROOT, 'packages/engine/src');

/** Calls whose argument is the name of an event. The name of a group, if there is one, is the level. */
const CALLS: readonly RegExp[] = [
  /[lL]ogger\.(?<level>debug|info|warn|error)\(\s*'(?<event>[a-z_]+)'/g,
  /findings\.(?<level>warn|note)\(\s*'(?<event>[a-z_]+)'/g,
  /(?:[lL]ogger|findings)\.(?<level>debug|info|warn|error)\([^'();]*\? '(?<event>[a-z_]+)' : '(?<other>[a-z_]+)'/g,
  /[lL]ogger\[[^\]]*\]\(\s*'(?<event>[a-z_]+)'/g,
  /(?<level>giveUp)\(\s*'(?<event>[a-z_]+)'/g,
  /#(?<level>debug|warn|warnOf)\(\s*(?:binding, )?'(?<event>[a-z_]+)'/g,
  /(?:\bcontext\.|worker\.)(?<level>warn)(?:Once)?\(\s*'(?<event>[a-z_]+)'/g,
  /readToken\([^;]*?'(?<event>[a-z]+_token_short)'/g,
  /problemUnlessLenient\(\s*'(?<event>[a-z_]+)'/g,
  /(?<level>warn)ings\.add\(\s*'(?<event>[a-z_]+)'/g,
];
/** Warnings of the configuration, which the start logs. */
const CONFIG_CODE = /code: '(?<event>[a-z_]+)'/g;
const LEVELS: Readonly<Record<string, string>> = { note: 'info', giveUp: 'error', warnOf: 'warn' };

/** Returns the levels of each event in the sources. A level that is chosen at run time is left out. */
function eventsOfSources(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const name of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((each) => each.endsWith('.ts'))) {
    const text = readFileSync(join(SOURCES, name), 'utf8');
    const patterns = name.startsWith('config') ? [...CALLS, CONFIG_CODE] : CALLS;
    for (const { groups = {} } of patterns.flatMap((pattern) => [...text.matchAll(pattern)])) {
      for (const event of [groups.event, groups.other].filter((each) => each !== undefined)) {
        const levels = found.get(event) ?? new Set();
        if (groups.level !== undefined) levels.add(LEVELS[groups.level] ?? groups.level);
        found.set(event, levels);
      }
    }
  }
  return found;
}

const rows = [
  ...readFileSync(join(ROOT, 'docs/log-events.md'), 'utf8').matchAll(/^\| <a id="([a-z_]+)"><\/a>`\1` \| (\w+) \| (.+) \| (.+) \|$/gm),
].map(([, event = '', level = '', meaning = '', remedy = '']) => ({ event, level, meaning, remedy }));

it('docs/log-events.md has a row for each event of the engine, with its level, and no others', () => {
  const events = eventsOfSources();
  expect(events.size).toBeGreaterThan(120);
  expect(rows.map(({ event }) => event).toSorted()).toEqual([...events.keys()].toSorted());
  const wrong = rows.filter(({ event, level }) => {
    const levels = events.get(event) ?? new Set();
    return levels.size > 0 && !levels.has(level);
  });
  expect(wrong).toEqual([]);
  for (const { meaning, remedy } of rows) expect(meaning.length > 10 && remedy.length > 5).toBe(true);
});
