import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export interface Bundle {
  readonly code: string;
  /** Every module that is in it. */
  readonly modules: readonly string[];
  /** What it imports from outside: nothing, if it is to run in a page. */
  readonly imports: readonly string[];
  readonly gzipBytes: number;
}

/** `entry`, relative to this folder, as a bundler for pages packs it: minified, one script that sets `globalThis[name]`. */
export async function bundle(entry: string, name: string, external: readonly string[] = []): Promise<Bundle> {
  const build = await rolldown({
    input: file(entry),
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] }, alias: { '@rivulet/protocol': file('../../protocol/src/index.ts') } },
    transform: { define: { 'process.env.NODE_ENV': '"development"' } },
    external: [/^node:/, ...external],
  });
  const { output } = await build.generate({ format: 'iife', name, minify: true, globals: { react: 'React' } });
  await build.close();
  const [chunk] = output;
  return { code: chunk.code, modules: chunk.moduleIds, imports: chunk.imports, gzipBytes: gzipSync(chunk.code).length };
}
