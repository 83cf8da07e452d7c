import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { SpanEnd, SpanSubject } from '../../src/core/fabric/tracing.js';
import { ATTRIBUTES } from '../../src/tracing/span-attributes.js';

const DOCUMENT = readFileSync(new URL('../../../../docs/tracing.md', import.meta.url), 'utf8');
/** The names of the kinds of spans in the document. */
const KINDS: Readonly<Record<SpanSubject['kind'], string>> = { call: 'Call', write: 'Write', trigger: 'Trigger', request: 'HTTP request' };
/** Ends that `rivulet.outcome` shows. A request shows its status instead. */
const OUTCOMES: Readonly<Record<Exclude<SpanEnd['outcome'], 'response'>, true>> = {
  ok: true,
  error: true,
  cancelled: true,
  conflict: true,
  replayed: true,
  unchanged: true,
  skipped: true,
};

function tableOf(title: string): readonly (readonly string[])[] {
  const section = DOCUMENT.slice(DOCUMENT.indexOf(`## ${title}`)).split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

it('docs/tracing.md has a row for each attribute and each kind of span, and for no others', () => {
  const named = tableOf('Attributes').map(([name = '']) => name.replaceAll('`', ''));
  expect(named.toSorted()).toEqual(Object.values(ATTRIBUTES).toSorted());
  expect(
    tableOf('Spans')
      .map(([name]) => name)
      .toSorted(),
  ).toEqual(Object.values(KINDS).toSorted());
});

it('docs/tracing.md names each outcome', () => {
  const row = tableOf('Attributes').find(([name]) => name === '`rivulet.outcome`') ?? [];
  const outcomes = [...(row[2] ?? '').matchAll(/`([a-z]+)`/g)].map(([, name]) => name);
  expect(outcomes.toSorted()).toEqual(Object.keys(OUTCOMES).toSorted());
});
