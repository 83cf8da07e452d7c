import type { Plugin } from 'rolldown';
import { compile } from 'svelte/compiler';
import type { InitialState, StreamClient } from '../src/index.js';
import { bundle } from './bundle.js';
import type * as server from './pages/svelte-server.js';

/** Compiles the components of Svelte that a bundle imports. */
export function svelteComponents(generate: 'client' | 'server'): Plugin {
  return {
    name: 'svelte-components',
    transform: {
      filter: { id: /\.svelte$/ },
      handler: (source, filename) => ({ code: compile(source, { filename, generate }).js.code, moduleType: 'js' }),
    },
  };
}

/** Returns the HTML of the page of `rooms.svelte`, built as for a server. */
export async function renderOnServer(client: StreamClient, initial: InitialState<unknown>): Promise<string> {
  const { code } = await bundle('./pages/svelte-server.ts', 'server', [], 'es', {
    plugins: [svelteComponents('server')],
    platform: 'node',
  });
  const module = (await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)) as typeof server;
  return module.renderPage(client, initial);
}
