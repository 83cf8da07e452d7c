import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENDS, EXPLANATIONS, explanationOf, MISSING, REFUSERS } from '../../src/why/explanation.js';
import { Details } from '../../src/why/why-wire.js';

const detail = new Map<string, unknown>();

test.each(Object.keys(EXPLANATIONS))('the cause %s has a sentence, even for an answer without details', (cause) => {
  const { title, text, advice } = explanationOf(cause);
  const sentences = [
    title,
    text(new Details({ cause, at: undefined, offset: undefined, detail })),
    advice?.(new Details({ cause, at: undefined, offset: undefined, detail })) ?? '',
  ];
  expect(sentences.join(' ')).not.toMatch(/undefined|NaN|\[object/);
  expect(title).not.toBe('');
});

test('a cause that the page does not know has its name', () => {
  expect(explanationOf('eaten_by_a_dog').title).toBe('eaten by a dog');
  expect(explanationOf('constructor').tone).toBe('info');
});

test('each cause of docs/why.md has an explanation, and nothing else has', () => {
  const [, table = ''] = readFileSync(new URL('../../../../docs/why.md', import.meta.url), 'utf8').split('## The causes');
  const documented = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, cause]) => cause);
  const causes = documented.slice(0, documented.indexOf('not_known_any_more') + 1);
  expect(causes).toEqual(Object.keys(EXPLANATIONS));
});

test('each word of docs/why.md that a detail may have is explained', () => {
  const text = readFileSync(new URL('../../../../docs/why.md', import.meta.url), 'utf8');
  const namesBelow = (line: string) =>
    Array.from((text.split(line)[1] ?? '').split('\n\n| ')[1]?.matchAll(/^\| `(\w+)` \|/gm) ?? [], ([, name]) => name);
  expect(namesBelow('### Ends of sessions')).toEqual(Object.keys(ENDS));
  expect(namesBelow('`missing` names the fact')).toEqual(Object.keys(MISSING));
  const refusers = ['join_refused', 'upgrade_refused'].flatMap((cause) => {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${cause}\``)) ?? '';
    return Array.from((/`by`: ([^;]*)/.exec(row)?.[1] ?? '').matchAll(/`(\w+)`/g), ([, name]) => name);
  });
  expect(new Set(refusers)).toEqual(new Set(Object.keys(REFUSERS)));
});
