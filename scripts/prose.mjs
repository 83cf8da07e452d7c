import './set-up/node-version.mjs';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { proseFindings } from './prose/rules.mjs';
import { ROOT } from './set-up/workspace.mjs';

// `npm run prose [-- paths]`: checks comments and documents against the rules of prose. Without paths it checks the whole repository.
// Exits with 1 when it finds something.

const CHECKED = /\.(ts|tsx|mjs|js|cjs|lua|md)$/;
/** Generated files and results of programs. */
const GENERATED = /^(bench\/results\/|docs\/api\/|package-lock\.json)/;
/** Files that list or quote forbidden words. */
const LISTS = /^scripts\/(prose\/(rules|retired-names)\.mjs|test\/unit\/prose\.test\.ts)$/;

const paths = process.argv.slice(2);
const files = execFileSync('git', ['ls-files', '--', ...paths], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((file) => CHECKED.test(file) && !GENERATED.test(file) && !LISTS.test(file) && existsSync(join(ROOT, file)));
const findings = files.flatMap((file) => proseFindings(file, readFileSync(join(ROOT, file), 'utf8')));
for (const { file, line, rule, text } of findings)
  process.stdout.write(`${file}:${line}: ${rule}${text === '' ? '' : `: ${text.slice(0, 160)}`}\n`);
process.stdout.write(`prose: ${files.length} files, ${findings.length} findings\n`);
process.exitCode = findings.length > 0 ? 1 : 0;
