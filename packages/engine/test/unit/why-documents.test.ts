import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ENDS, MISSING } from '../../src/why/answer-text.js';
import { CAUSES } from '../../src/why/causes.js';

const DOCUMENT = readFileSync(new URL('../../../../docs/why.md', import.meta.url), 'utf8');

/** Returns the names in the first column of the table below a line. */
function namesBelow(line: string): string[] {
  const after = DOCUMENT.slice(DOCUMENT.indexOf(line));
  const table = /^\|.*\n\| --- .*\n((?:\|.*\n)*)/m.exec(after)?.[1] ?? '';
  return table.split('\n').flatMap((row) => /^\| `([a-z_]+)`/.exec(row)?.[1] ?? []);
}

describe('docs/why.md', () => {
  it('has a row for each cause, in the order of the code', () => {
    expect(namesBelow('## The causes')).toEqual(Object.keys(CAUSES));
  });

  it('has a row for each end of a session', () => {
    expect(namesBelow('### Ends of sessions')).toEqual(Object.keys(ENDS));
  });

  it('has a row for each fact that may be lost', () => {
    expect(namesBelow('`missing` names the fact')).toEqual(Object.keys(MISSING));
  });
});
