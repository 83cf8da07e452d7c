import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Connection {
  readonly local: number;
  readonly remote: number;
}

const ESTABLISHED = '01';

/** Returns the ports of the TCP connections that a process has open, from the tables of Linux in /proc. */
export function connectionsOf(pid: number): readonly Connection[] {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(targetOf(`/proc/${pid}/fd/${fd}`)) ?? [];
    if (inode !== undefined) inodes.add(inode);
  }
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode = '']) => state === ESTABLISHED && inodes.has(inode))
      .map(([, local, remote]) => ({ local: portOf(local), remote: portOf(remote) })),
  );
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // The process has closed the descriptor since it was listed.
    return '';
  }
}

function portOf(address = ''): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16);
}
