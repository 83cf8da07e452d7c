import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../set-up/workspace.mjs';

/** Returns the entries of a list in Markdown, each in one line. */
const entriesOf = (text: string): string[] => text.split(/^- /m).map((entry) => entry.replaceAll(/\s+/g, ' ').trim());

it('CHANGELOG.md has each entry once, which a merge of two branches may repeat', () => {
  const entries = entriesOf(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'));
  expect(entries.length).toBeGreaterThan(50);
  expect(entries.filter((entry, index) => entries.indexOf(entry) !== index)).toEqual([]);
});
