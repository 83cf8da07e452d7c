import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { output } from '../../packing/output.mjs';
import { tryPage } from '../browser.mjs';
import { install, versionOf } from '../packages.mjs';
import { FRAMEWORKS } from './page-sources.mjs';

/** @import { Trial } from './all.mjs' */

const FILES = {
  'app/layout.jsx': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n',
  'app/page.jsx': `import { Notes } from './notes';
export const dynamic = 'force-dynamic';
export default () => <Notes url={process.env.STREAM_URL} />;
`,
  'app/notes.jsx': `'use client';
import { useEffect, useState } from 'react';
import { connect } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { StreamProvider, useCall, useStreamGroup } from '@rivulet/client/react';

const draft = (draft, { id, text }) => draft.group('notes', 'next').set(id, { text });
const List = () => {
  const { items, status } = useStreamGroup('notes', 'next');
  const { call } = useCall('notes::add', { optimistic: draft });
  const own = items.find(({ id }) => id === 'own');
  useEffect(() => { if (own) (window.states ??= []).push(own.pending ? 'pending' : 'stored'); }, [own]);
  return <>
    <button id="add" onClick={() => call({ group: 'next', id: 'own', text: 'from the page' })}>add</button>
    <p>{status}</p><ul>{items.map(({ id, data }) => <li key={id}>{data.text}</li>)}</ul>
  </>;
};
export const Notes = ({ url }) => {
  const [client] = useState(() => connect(url, { optimistic }));
  return <StreamProvider client={client}><List /></StreamProvider>;
};
`,
  'app/icon.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>',
  'next.config.mjs': 'export default { turbopack: { root: import.meta.dirname } };\n',
};

/** @type {Trial['run']} */
export async function tryNext({ packed, backend, browser }) {
  const { react, 'react-dom': dom } = FRAMEWORKS;
  const ours = ['@rivulet/protocol', '@rivulet/client'];
  const folder = await install(packed, 'next', { ours, dependencies: { react, 'react-dom': dom, next: '~16.4.0' }, files: FILES });
  const env = { NEXT_TELEMETRY_DISABLED: '1', STREAM_URL: backend.streamUrl };
  await output(folder, process.execPath, [join(folder, 'node_modules/next/dist/bin/next'), 'build'], env);
  const server = spawn(
    process.execPath,
    [join(folder, 'node_modules/next/dist/bin/next'), 'start', '--port', '0', '--hostname', '127.0.0.1'],
    {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const closed = once(server, 'close');
  try {
    let printed = '';
    let url;
    for await (const part of server.stdout) {
      printed += String(part);
      url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0];
      if (url !== undefined && printed.includes('Ready')) break;
    }
    if (url === undefined) throw new Error(`next start named no URL: ${printed}`);
    const html = await (await fetch(url)).text();
    if (!html.includes('<p>connecting</p>')) throw new Error(`the server rendered ${html}`);
    await tryPage(browser, backend, url, 'next');
    return [
      `next ${versionOf(folder, 'next')} build; the rendered page shows the status "connecting"`,
      'the page in the browser hydrates, shows the note of the worker, and its own at once as pending (useCall, optimistic)',
    ];
  } finally {
    server.kill('SIGTERM');
    await closed;
  }
}
