// Bundles the page: its components, React and the client in one script.
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** Resolves with the code of the page. It takes less than a second, so nothing keeps the result. */
export async function bundlePage() {
  const build = await rolldown({
    input: fileURLToPath(new URL('page/main.tsx', import.meta.url)),
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } },
    transform: { jsx: 'react-jsx', define: { 'process.env.NODE_ENV': '"production"' } },
    // React's directive has a meaning for bundlers of servers, and none in a script.
    onLog: (level, log, report) => log.code === 'MODULE_LEVEL_DIRECTIVE' || report(level, log),
  });
  const { output } = await build.generate({ format: 'iife', minify: true, codeSplitting: false });
  await build.close();
  return output[0].code;
}
