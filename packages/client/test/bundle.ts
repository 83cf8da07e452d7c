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
  /** The code of each file that the script loads later, if it needs it. */
  readonly later: Readonly<Record<string, string>>;
}

/**
 * Packs `entry`, a path relative to this folder, as a bundler for pages does: minified. `iife`: one script that sets `globalThis[name]`,
 * with everything that a page may load later. `es`: the module that a page loads at first.
 */
export async function bundle(
  entry: string,
  name: string,
  external: readonly string[] = [],
  format: 'iife' | 'es' = 'iife',
): Promise<Bundle> {
  const build = await rolldown({
    input: file(entry),
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] }, alias: { '@rivulet/protocol': file('../../protocol/src/index.ts') } },
    transform: { define: { 'process.env.NODE_ENV': '"development"' } },
    external: [/^node:/, ...external],
  });
  const { output } = await build.generate({ format, name, minify: true, globals: { react: 'React' } });
  await build.close();
  const [{ code, moduleIds, imports }, ...others] = output;
  const later = Object.fromEntries(others.flatMap((other) => (other.type === 'chunk' ? [[other.fileName, other.code]] : [])));
  return { code, modules: moduleIds, imports, gzipBytes: gzipSync(code).length, later };
}
