import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readDeclarations } from '../../public-surface/declarations.mjs';
import { IMPORTED, publicSurface } from '../../public-surface/report.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-declarations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the public surface', () => {
  it.each(IMPORTED)('of %s is the one in docs/api; `npm run api` writes it anew after a change', (name) => {
    const file = join(ROOT, 'docs/api', `${name}.api.txt`);
    expect(existsSync(join(ROOT, 'packages', name, 'dist')), 'build the packages first: npx tsc -b').toBe(true);
    expect(publicSurface(ROOT, name)).toBe(readFileSync(file, 'utf8'));
  });

  it('is read from declarations without comments and private members', () => {
    const file = join(folder, 'a.d.ts');
    writeFileSync(
      file,
      [
        "import { type B, C as D } from './b.js';",
        "export * from './all.js';",
        "export { E as F } from 'other';",
        '/** A comment. */',
        'export declare class A extends D {',
        '    #private;',
        '    /** Another. */',
        '    readonly b: B;',
        '}',
        'type Hidden = {',
        "    kind: 'x';",
        '} | undefined;',
        'export declare function f(a: number): void;',
        'export declare function f(a: string): void;',
        '//# sourceMappingURL=a.d.ts.map',
      ].join('\n'),
    );
    const { declared, scope, exported, reexported } = readDeclarations(file);
    expect(Object.fromEntries(declared)).toEqual({
      A: ['class A extends D {\n    readonly b: B;\n}'],
      Hidden: ["type Hidden = {\n    kind: 'x';\n} | undefined;"],
      f: ['function f(a: number): void;', 'function f(a: string): void;'],
    });
    expect([...exported]).toEqual([
      ['F', { file: 'other', name: 'E' }],
      ['A', { file, name: 'A' }],
      ['f', { file, name: 'f' }],
    ]);
    expect(scope.get('D')).toEqual({ file: join(folder, 'b.d.ts'), name: 'C' });
    expect(reexported).toEqual([join(folder, 'all.d.ts')]);
  });
});
