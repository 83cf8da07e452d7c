/** A release line of Node: its first version with all security fixes known at the time of writing, and its last day with fixes. */
interface NodeLine {
  readonly fixedIn: readonly [minor: number, patch: number];
  readonly lastDay: string;
}

const LINES: Readonly<Record<number, NodeLine>> = {
  20: { fixedIn: [20, 0], lastDay: '2026-04-30' },
  22: { fixedIn: [22, 0], lastDay: '2027-04-30' },
  24: { fixedIn: [13, 0], lastDay: '2028-04-30' },
};

/** The newest release line in the table. Newer ones count as supported. */
const NEWEST = Math.max(...Object.keys(LINES).map(Number));

/** Returns a warning about the version of Node, such as `20.20.2`, on a day. Returns `undefined` if the version gets security fixes. */
export function nodeWarning(version: string, today: Date): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major > NEWEST && major % 2 === 0) return undefined;
  const line = LINES[major];
  const ended = line === undefined || Number(today) > Date.parse(`${line.lastDay}T23:59:59Z`);
  if (ended) return `Node ${major} gets no security fixes any more; run the engine on a supported even version, such as ${NEWEST}`;
  const [fixedMinor, fixedPatch] = line.fixedIn;
  if (minor > fixedMinor || (minor === fixedMinor && patch >= fixedPatch)) return undefined;
  return `Node ${version} lacks security fixes; update to ${major}.${fixedMinor}.${fixedPatch} or newer`;
}
