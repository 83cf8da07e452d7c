import { output } from '../../packing/output.mjs';
import { entriesOf, install, versionOf, write } from '../packages.mjs';
import { FRAMEWORKS, OF_PAGES } from './page-sources.mjs';

/** @import { Trial } from './all.mjs' */

/** The test kit runs the engine. The types of the engine need those of LMDB, which have errors. */
const OURS = [...OF_PAGES, '@rivulet/engine'];
const COMPILERS = { 'typescript-5': 'npm:typescript@5.9.3', 'typescript-7': 'npm:typescript@7.0.2' };

const MAIN = `import { connect, StreamError, type ConnectOptions, type GroupView, type Item } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { createHooks } from '@rivulet/client/react';
import { InvocationError, registerWorker, stream, type ISdk } from '@rivulet/sdk';
import { startTestEngine, type TestEngine } from '@rivulet/sdk/testing';
import { WebSocket } from 'ws';

interface Note { readonly text: string }
interface Streams { notes: Note }
interface Functions { 'notes::add': { payload: { id: string; text: string }; result: null } }

async function main(): Promise<void> {
  const rivulet: TestEngine = await startTestEngine({ streams: { expose_functions: ['match("notes::*")'] } });
  const worker: ISdk = registerWorker(rivulet.workerUrl);
  worker.registerFunction('notes::add', async ({ id, text }: { id: string; text: string }) => {
    await stream<Note>(worker).set('notes', 'all', id, { text });
    return null;
  });
  await rivulet.settled();
  const options: ConnectOptions = { WebSocket, optimistic };
  const client = connect<Streams, Functions>(rivulet.streamUrl, options);
  const { useStreamGroup } = createHooks(client);
  const notes: GroupView<Note> = client.subscribeGroup('notes', 'all');
  await notes.whenLive();
  await stream<Note>(worker).set('notes', 'all', 'n1', { text: 'typed' });
  await rivulet.settled();
  const [first]: readonly Item<Note>[] = notes.items;
  const called = client.call('notes::add', { id: 'n2', text: 'called' }, {
    optimistic: (draft) => draft.group('notes', 'all').set('n2', { text: 'called' }),
  });
  console.log(first?.data.text, notes.items.at(-1)?.pending, await called);
  console.log(typeof StreamError, typeof InvocationError, typeof useStreamGroup);
  // @ts-expect-error the function has no such payload
  void client.call('notes::add', { id: 2 }).catch(() => {});
  // @ts-expect-error a note has no number
  const wrong: number = first?.data.text;
  await client.close();
  await worker.shutdown();
  await rivulet.stop();
  if (wrong === undefined) throw new Error('no note');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
`;

const COMMON = { strict: true, target: 'es2023', lib: ['es2023', 'dom'], types: ['node'], jsx: 'react-jsx', skipLibCheck: false };
const PROJECTS = {
  node16: { ...COMMON, module: 'node16', moduleResolution: 'node16', outDir: 'out-node16' },
  nodenext: { ...COMMON, module: 'nodenext', moduleResolution: 'nodenext', outDir: 'out-nodenext' },
  bundler: { ...COMMON, module: 'esnext', moduleResolution: 'bundler', noEmit: true },
};

/**
 * A project of CommonJS, compiled by two compilers. The declarations of the packages are checked too.
 *
 * @type {Trial['run']}
 */
export async function tryTypeScript({ packed }) {
  const dependencies = {
    ...FRAMEWORKS,
    ws: '8.23.0',
    '@types/ws': '8',
    '@types/node': '20',
    '@types/react': '19',
    '@types/react-dom': '19',
    ...COMPILERS,
  };
  const folder = await install(packed, 'typescript', { ours: OURS, dependencies, type: 'commonjs' });
  const entries = entriesOf(folder, OF_PAGES);
  const imports = (/** @type {typeof entries} */ some) =>
    `${some.map(({ specifier }, index) => `import * as entry${index} from '${specifier}';`).join('\n')}\nexport const entries = [${some.map((_, index) => `entry${index}`).join(', ')}];\n`;
  write(folder, {
    'main.ts': MAIN,
    'entries.ts': imports(entries.filter(({ isRequired }) => isRequired)),
    'entries.mts': imports(entries),
  });
  const lines = [];
  for (const [name, compilerOptions] of Object.entries(PROJECTS))
    write(folder, { [`tsconfig.${name}.json`]: JSON.stringify({ compilerOptions, files: ['main.ts', 'entries.ts', 'entries.mts'] }) });
  for (const compiler of Object.keys(COMPILERS)) {
    for (const name of Object.keys(PROJECTS)) {
      await output(folder, process.execPath, [`node_modules/${compiler}/bin/tsc`, '-p', `tsconfig.${name}.json`]);
      if (name === 'bundler') continue;
      const printed = await output(folder, process.execPath, [`out-${name}/main.js`]);
      if (printed !== 'typed true null\nfunction function function\n') throw new Error(`the program of ${name} printed ${printed}`);
      await output(folder, process.execPath, [`out-${name}/entries.js`]);
      await output(folder, process.execPath, [`out-${name}/entries.mjs`]);
    }
    lines.push(
      `TypeScript ${versionOf(folder, compiler)}: node16 and nodenext (CommonJS) compile and run, bundler compiles; ${entries.length} entries`,
    );
  }
  return lines;
}
