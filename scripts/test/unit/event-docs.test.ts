import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventDocs } from '../../set-up/event-docs.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const text = readFileSync(join(ROOT, 'docs/log-events.md'), 'utf8');

it('the inspector has the meaning and the remedy of each event that the docs list', () => {
  const docs = eventDocs(text);
  const listed = [...text.matchAll(/^\| <a id="(\w+)">/gm)].map(([, event]) => event);
  expect(listed.length).toBeGreaterThan(50);
  expect(Object.keys(docs)).toEqual(listed);
  for (const { meaning, remedy } of Object.values(docs)) {
    expect(meaning).not.toBe('');
    expect(remedy).not.toMatch(/^$|\]\(/);
  }
});

it('links become their texts', () => {
  const row = '| <a id="foreign_files"></a>`foreign_files` | warn | A directory has `a.mdb` | [Import](backup.md#x) them |';
  expect(eventDocs(row)).toEqual({ foreign_files: { meaning: 'A directory has `a.mdb`', remedy: 'Import them' } });
});
