import { parseArgs } from 'node:util';
import { count, say } from '../command-line.js';
import { measureRoom, ROOM_CASES } from './measure.js';

const USAGE = `usage: npm run store-room -- [--records N]
  --records N   records of each kind (default 100000)`;

/** Runs the command `npm run store-room`: prints the bytes of the data file for each kind of record. Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let records: number;
  try {
    const { values } = parseArgs({ args: [...args], options: { records: { type: 'string', default: '100000' } } });
    records = count('records', values.records);
    if (records < 1) throw new Error('--records must be at least 1');
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  for (const each of ROOM_CASES) {
    const { bytes, tables } = await measureRoom(each, records);
    const parts = Object.entries(tables).map(([name, cost]) => `${name} ${Math.round(cost)}`);
    say(`${String(Math.round(bytes)).padStart(5)} bytes  ${each.name} (${parts.join(', ')})`);
  }
  return 0;
}
