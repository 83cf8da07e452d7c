import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PACKAGES = ['engine', 'protocol', 'sdk', 'client'];

interface Exception {
  readonly place: string;
  readonly rule: string;
  readonly reason: string | undefined;
}

function exceptions(): Exception[] {
  return PACKAGES.flatMap((name) => {
    const folder = join(ROOT, 'packages', name, 'src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
    return files.flatMap((file) =>
      readFileSync(join(folder, file), 'utf8')
        .split('\n')
        .flatMap((line, index) => {
          const [, rule, , reason] =
            /oxlint-disable\S* (eslint\/no-restricted-\w+|eslint\/no-void|typescript\/no-floating-promises)( -- (.+))?/.exec(line) ?? [];
          return rule === undefined ? [] : [{ place: `${name}/src/${file}:${index + 1}`, rule, reason }];
        }),
    );
  });
}

describe('an exception from the rules about what throws on peer data', () => {
  it('has its reason beside it', () => {
    const all = exceptions();
    expect(all.length).toBeGreaterThan(20);
    expect(all.filter(({ reason }) => reason === undefined || reason.length < 12)).toEqual([]);
  });

  it('lets no promise go without an owner', () => {
    expect(exceptions().filter(({ rule }) => !rule.startsWith('eslint/no-restricted'))).toEqual([]);
  });

  it('is an exception from rules that the lint has', () => {
    const { overrides } = JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')) as {
      readonly overrides: readonly { readonly files: readonly string[]; readonly rules: Readonly<Record<string, unknown>> }[];
    };
    const rulesOf = (files: string) => overrides.find((override) => override.files.includes(files))?.rules ?? {};
    expect(rulesOf('packages/*/src/**')).toMatchObject({
      'typescript/no-floating-promises': ['error', { ignoreVoid: false }],
      'eslint/no-void': 'error',
    });
    const strict = rulesOf(`packages/{${PACKAGES.join(',')}}/src/**`);
    expect(Object.keys(strict)).toEqual(['eslint/no-restricted-globals', 'eslint/no-restricted-properties']);
  });
});
