/** Number of files that the table shows of each kind. */
const SHOWN = 12;

/**
 * The fields of a vitest test module that the table needs.
 * @typedef {{
 *   relativeModuleId: string,
 *   diagnostic(): { duration: number, collectDuration: number },
 *   meta(): object,
 * }} TimedModule
 */

/**
 * Returns a table of the files that take longest and of the files that use most processor time. A file that takes much longer than its
 * processor time waits, and can run beside others.
 *
 * @param {Iterable<TimedModule>} modules
 * @returns {string}
 */
export function heaviestFiles(modules) {
  const files = [...modules].map(timed);
  const longest = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, SHOWN);
  const costliest = files.toSorted((a, b) => b.processor - a.processor).slice(0, SHOWN);
  const rows = costliest.concat(longest.filter((file) => !costliest.includes(file)));
  const all = { name: `all ${files.length} files`, seconds: 0, processor: 0 };
  for (const { seconds, processor } of files) {
    all.seconds += seconds;
    all.processor += processor;
  }
  return [' seconds  processor', ...[...rows, all].map(row)].join('\n');
}

/** @param {TimedModule} module */
function timed(module) {
  const { duration, collectDuration } = module.diagnostic();
  const meta = module.meta();
  const processor = 'processorSeconds' in meta ? Number(meta.processorSeconds) : 0;
  return { name: module.relativeModuleId, seconds: (duration + collectDuration) / 1_000, processor };
}

/** @param {{ name: string, seconds: number, processor: number }} file */
function row({ name, seconds, processor }) {
  return `${seconds.toFixed(1).padStart(8)} ${processor.toFixed(1).padStart(10)}  ${name}`;
}
