import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TOKEN_REFUSALS } from '../../src/core/jwt/token-refusal.js';
import { ROOT } from '../config-files.js';

it('docs/jwt.md has each reason of a refused token', () => {
  const [, section = ''] = readFileSync(join(ROOT, 'docs/jwt.md'), 'utf8').split('## Why a token is refused');
  const rows = Array.from(section.matchAll(/^\| `([a-z_]+)` \| (.+) \|$/gm), ([, reason, meaning]) => [reason, meaning]);
  expect(Object.fromEntries(rows)).toEqual(TOKEN_REFUSALS);
});
