import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const ENTRY = fileURLToPath(new URL('../src/browser.ts', import.meta.url));
const source = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Bundle {
  readonly code: string;
  /** The modules of the bundle. */
  readonly modules: readonly string[];
  /** The modules that the bundle imports. A bundle for pages must import none. */
  readonly imports: readonly string[];
  readonly gzipBytes: number;
}

/** Packs the SDK as a bundler for pages does: minified, in one script that sets `globalThis.rivulet`. */
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
