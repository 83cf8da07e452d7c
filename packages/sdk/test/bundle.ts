import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const ENTRY = fileURLToPath(new URL('../src/browser.ts', import.meta.url));
const source = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Bundle {
  readonly code: string;
  /** Every module that is in it. */
  readonly modules: readonly string[];
  /** What it imports from outside: nothing, if it is to run in a page. */
  readonly imports: readonly string[];
  readonly gzipBytes: number;
}

/** The SDK as a bundler for pages packs it, minified, as one script that sets `globalThis.rivulet`. */
export async function bundleForBrowser(): Promise<Bundle> {
  const build = await rolldown({
    input: ENTRY,
    platform: 'browser',
    resolve: {
      extensionAlias: { '.js': ['.ts', '.js'] },
      alias: {
        '@rivulet/protocol': source('protocol/src/index.ts'),
        '@rivulet/client/connection': source('client/src/connection/connection.ts'),
      },
    },
    external: [/^node:/, 'ws'],
  });
  const { output } = await build.generate({ format: 'iife', name: 'rivulet', minify: true });
  await build.close();
  const [chunk] = output;
  return { code: chunk.code, modules: chunk.moduleIds, imports: chunk.imports, gzipBytes: gzipSync(chunk.code).length };
}
