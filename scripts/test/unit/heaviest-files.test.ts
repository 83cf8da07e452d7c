import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { heaviestFiles } from '../../testing/heaviest-files.mjs';
import { STARTED_FIRST } from '../../testing/started-first.mjs';

const fileOf = (name: string, seconds: number, processorSeconds: number | undefined) => ({
  relativeModuleId: name,
  diagnostic: () => ({ duration: seconds * 1_000 - 100, collectDuration: 100 }),
  meta: () => (processorSeconds === undefined ? {} : { processorSeconds }),
});

it('the table shows files that compute first, then files that take long, and the sum of all', () => {
  const small = Array.from({ length: 11 }, (_, n) => fileOf(`small-${n}`, 2, 1));
  const lines = heaviestFiles([...small, fileOf('tiny', 0.5, undefined), fileOf('waits', 70, 0.5), fileOf('computes', 1, 30)]).split('\n');
  expect(lines[1]).toBe('     1.0       30.0  computes');
  expect(lines).toContain('    70.0        0.5  waits');
  expect(lines.join('\n')).not.toContain('tiny');
  expect(lines.at(-1)).toBe('    93.5       41.5  all 14 files');
});

it.each(STARTED_FIRST)('%s, which starts first, exists', (name) => {
  expect(existsSync(fileURLToPath(new URL(`../../../${name}.test.ts`, import.meta.url)))).toBe(true);
});
