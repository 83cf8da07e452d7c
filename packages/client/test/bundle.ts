import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type InputOptions, rolldown } from 'rolldown';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The sources of our packages. A longer name stands before its beginning. */
const ALIASES = {
  '@rivulet/protocol': file('../../protocol/src/index.ts'),
  '@rivulet/client/react': file('../src/react.ts'),
  '@rivulet/client/vue': file('../src/vue.ts'),
  '@rivulet/client/svelte': file('../src/svelte.ts'),
  '@rivulet/client': file('../src/index.ts'),
};

/** The values that bundlers write into React and Vue. */
const DEFINITIONS = {
  'process.env.NODE_ENV': '"development"',
  __VUE_OPTIONS_API__: 'false',
  __VUE_PROD_DEVTOOLS__: 'false',
  __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
};

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

/** The name of a module that only a test has. */
const PAGE = 'page-of-a-test';

/** Packs a page that imports values of the client: the names of the values by the path of their module, relative to this folder. */
export function bundlePage(values: Readonly<Record<string, string>>, external: readonly (string | RegExp)[] = []): Promise<Bundle> {
  const lines = Object.entries(values).map(([path, names]) => `export { ${names} } from ${JSON.stringify(file(path))};`);
  const load = (id: string) => (id === PAGE ? lines.join('\n') : null);
  return bundle(PAGE, 'page', external, 'es', { plugins: [{ name: PAGE, resolveId: (id) => (id === PAGE ? id : null), load }] });
}

/**
 * Packs `entry`, a path relative to this folder, as a bundler for pages does: minified. `iife`: one script that sets `globalThis[name]`,
 * with everything that a page may load later. `es`: the module that a page loads at first.
 */
export async function bundle(
  entry: string,
  name: string,
  external: readonly (string | RegExp)[] = [],
  format: 'iife' | 'es' = 'iife',
  options: Pick<InputOptions, 'platform' | 'plugins'> = {},
): Promise<Bundle> {
  const build = await rolldown({
    input: entry === PAGE ? entry : file(entry),
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] }, alias: ALIASES },
    transform: { define: DEFINITIONS },
    external: [/^node:/, ...external],
    ...options,
    onLog: (level, log, report) => {
      // React's directive has a meaning in the file of the package, and none in a script.
      if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
    },
  });
  const { output } = await build.generate({ format, name, minify: true, globals: { react: 'React' } });
  await build.close();
  const [{ code, moduleIds, imports }, ...others] = output;
  const later = Object.fromEntries(others.flatMap((other) => (other.type === 'chunk' ? [[other.fileName, other.code]] : [])));
  return { code, modules: moduleIds, imports, gzipBytes: gzipSync(code).length, later };
}
