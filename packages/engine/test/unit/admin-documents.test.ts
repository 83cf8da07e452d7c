import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adminRoutes } from '../../src/admin/api/admin-module.js';
import type { EngineParts } from '../../src/metrics/engine-parts.js';
import { ROOT } from '../config-files.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs/admin.md'), 'utf8');
const NEEDS = { probe: 'nothing', page: 'nothing', scrape: 'token or loopback', viewer: 'viewer', full: 'full' } as const;

describe('docs/admin.md', () => {
  it('lists each path with what it needs', () => {
    const rows = [...DOCUMENT.matchAll(/^\| (GET|PUT|POST|DELETE) \| `([^`]+)` \| ([^|]+) \|/gm)].map(([, method, path, need]) => [
      method,
      path,
      need,
    ]);
    // The routes are read only, so the parts of an engine are not needed.
    const routes = adminRoutes({} as EngineParts, async () => ({ text: '', type: '' }));
    expect(rows).toEqual(routes.map(({ method, path, need }) => [method, path, NEEDS[need]]));
  });
});
