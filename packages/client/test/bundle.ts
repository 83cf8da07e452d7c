import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export interface Bundle {
  readonly code: string;
  /** The modules of the bundle. */
  readonly modules: readonly string[];
  /** The modules that the bundle imports. A bundle for pages must import none. */
  readonly imports: readonly string[];
  readonly gzipBytes: number;
}

/** Packs `entry`, a path relative to this folder, as a bundler for pages does: minified, in one script that sets `globalThis[name]`. */
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
