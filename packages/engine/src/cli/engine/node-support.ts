import type { Logger } from '../../logging/logger.js';

/**
 * A release line of Node. `lastDay` is its last day with fixes, `end` in the schedule of the Node project:
 * https://github.com/nodejs/Release/blob/main/schedule.json, as of November 2026. `fixedIn` is the first version with all security fixes of
 * that time; a line that had ended by then has none.
 */
interface NodeLine {
  readonly lastDay: string;
  readonly fixedIn?: readonly [minor: number, patch: number];
}

const LINES: Readonly<Record<number, NodeLine>> = {
  20: { lastDay: '2026-04-30', fixedIn: [20, 0] },
  21: { lastDay: '2024-06-01' },
  22: { lastDay: '2027-04-30', fixedIn: [22, 0] },
  23: { lastDay: '2025-06-01' },
  24: { lastDay: '2028-04-30', fixedIn: [13, 0] },
  25: { lastDay: '2026-06-01' },
  26: { lastDay: '2029-04-30', fixedIn: [0, 0] },
};

/**
 * The line that messages recommend: it has fixes for longer than all others that have left their first half year. From line 27 on each line
 * has fixes for three years, and a line that is not in the table counts as supported.
 */
const RECOMMENDED = 24;

/** Why a version of Node should be replaced. `lastDay` is there when its line has reached its end of life. */
export interface NodeProblem {
  readonly message: string;
  readonly lastDay?: string;
}

/** The versions of the runtime, from `process.versions`. Bun names a version of Node too, whose interfaces it has. */
export interface RuntimeVersions {
  readonly node: string;
  readonly bun?: string | undefined;
}

/** Returns why a version of Node, such as `20.20.2`, should be replaced on a day. Returns `undefined` if it gets security fixes. */
export function findNodeProblem(version: string, today: Date): NodeProblem | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const line = LINES[major];
  if (line === undefined) return undefined;
  const { lastDay, fixedIn: [fixedMinor, fixedPatch] = [0, 0] } = line;
  if (Number(today) > Date.parse(`${lastDay}T23:59:59Z`))
    return { message: `Node ${major} gets no security fixes since ${lastDay}; run the engine on Node ${RECOMMENDED}`, lastDay };
  if (minor > fixedMinor || (minor === fixedMinor && patch >= fixedPatch)) return undefined;
  return { message: `Node ${version} lacks security fixes; update to ${major}.${fixedMinor}.${fixedPatch} or newer` };
}

/** Logs once if the engine runs on a version of Node that should be replaced. */
export function reportRuntime(logger: Logger, { node, bun }: RuntimeVersions, today: Date): void {
  const problem = bun === undefined ? findNodeProblem(node, today) : undefined;
  if (problem === undefined) return;
  const { message, lastDay } = problem;
  if (lastDay === undefined) logger.warn('node_outdated', { version: node, message });
  else logger.warn('node_end_of_life', { version: node, last_day: lastDay, message });
}
