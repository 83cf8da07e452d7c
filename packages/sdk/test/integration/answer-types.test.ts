import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const run = promisify(execFile);

/** The types that the functions in the examples of the documents must have, by function id. */
const TYPES: Readonly<Record<string, string>> = {
  'app::auth': 'WorkerAuth',
  'app::stream-auth': 'StreamAuth',
  'app::may-join': 'Join',
  'app::here': 'Join',
};

const HEAD = `
import type { StreamAuthInput, StreamAuthResult, StreamJoinLeaveEvent, StreamJoinResult, WorkerAuthInput, WorkerAuthResult } from '${ROOT}packages/sdk/src/stream.js';
type Answer<T> = T | Promise<T>;
type WorkerAuth = (input: WorkerAuthInput) => Answer<WorkerAuthResult>;
type StreamAuth = (input: StreamAuthInput) => Answer<StreamAuthResult>;
type Join = (event: StreamJoinLeaveEvent<{ user: string }>) => Answer<StreamJoinResult | null | undefined | void>;
declare function whoIs(token: string | undefined): Promise<string | undefined>;
declare function isMember(user: string | undefined, group: string): Promise<boolean>;
declare const process: { env: Record<string, string | undefined> };
`;

/** Returns the examples of the page that register one of these functions, each as an expression of its type. */
function examplesOf(page: string): string[] {
  const blocks = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  return blocks.flatMap((code) =>
    Object.entries(TYPES).flatMap(([id, type]) => {
      const start = code.indexOf(`worker.registerFunction('${id}', `);
      if (start < 0) return [];
      const handler = code.slice(start + `worker.registerFunction('${id}', `.length, code.indexOf('\n});', start) + 2);
      return [`(${handler}) satisfies ${type};`];
    }),
  );
}

/** Returns the fields in the first column of a table of the page. */
function fieldsOf(page: string, heading: string): string[] {
  const table = page.split(heading)[1]?.split('\n\n')[0] ?? '';
  return [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name);
}

async function compile(source: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-types-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'answers.ts');
  await writeFile(file, source);
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--module', 'nodenext', '--ignoreConfig'];
  return run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags, file], { cwd: ROOT }).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

test('C13 the examples and fields of auth and join answers in the documents type-check, and others do not', {
  timeout: 60_000,
}, async () => {
  const [access = '', streams = ''] = await Promise.all(
    ['access', 'streams'].map((page) => readFile(join(ROOT, `docs/${page}.md`), 'utf8')),
  );
  const examples = [access, streams].flatMap(examplesOf);
  expect(examples).toHaveLength(4);
  const fields = fieldsOf(access, '| Field | Default | Meaning |\n');
  expect(fields).toEqual(expect.arrayContaining(['allowed_functions', 'context', 'identity', 'expires_at_ms']));
  const answers = [
    `const fields: (keyof WorkerAuthResult)[] = ${JSON.stringify([...fields, 'unauthorized'])};`,
    `const missing: Exclude<keyof WorkerAuthResult, ${[...fields, 'unauthorized'].map((name) => `'${name}'`).join(' | ')}> extends never ? true : false = true;`,
    `({ unauthorized: null, context: 1, identity: 'ann', expires_at_ms: 1 }) satisfies StreamAuthResult;`,
    `({ unauthorized: false, lease: { item_id: 'a', data: {}, grace_ms: 5_000, client_data: true } }) satisfies StreamJoinResult;`,
    `// @ts-expect-error\n({ unauthorized: 'true' }) satisfies StreamAuthResult;`,
    `// @ts-expect-error\n({ identitiy: 'ann' }) satisfies WorkerAuthResult;`,
    `// @ts-expect-error\n({ lease: { item: 'a' } }) satisfies StreamJoinResult;`,
    `// @ts-expect-error\n(() => 'no') satisfies Join;`,
  ];
  expect(await compile([HEAD, ...examples, ...answers].join('\n'))).toBe('');
});
