import { LIMITS, RivuletError } from '@rivulet/protocol';
import type { ControlOperation } from './control-socket.js';
import type { Conversation } from './conversation.js';

/** A store that can show one moment of its data file. */
export interface BackupSource {
  readonly name: string;
  /** The disk of the store is nearly full. */
  readonly isFull: boolean;
  hold(): Promise<() => void>;
  capture(): SourceCapture;
}

interface SourceCapture {
  readonly storeId: string;
  readonly metaPages: Buffer;
  readonly usedBytes: number;
  readonly inode: number;
  readonly release: () => void;
}

/**
 * Returns the operation `backup`. The engine shows the tool one moment of all stores, and keeps the pages of this moment until the tool has
 * copied the files. The engine copies nothing itself.
 *
 * ```
 * tool:   {"op":"backup"}
 * engine: {"captured":[{"name":"stream","storeId":"…","metaPages":"<base64>","usedBytes":…,"inode":…},…]}
 * tool:   {"op":"alive"}     at least every 30 s, answered by {"alive":true}
 * tool:   {"op":"finish"}    answered by {"finished":true}: the pages stayed as they were until now
 * ```
 *
 * While the pages are kept, the files grow with each write. If a disk becomes nearly full, the engine ends the backup with STORE_FULL.
 */
export function backupOperation(sources: readonly BackupSource[]): ControlOperation {
  let isRunning = false;
  return async (_request, conversation) => {
    if (isRunning) throw new RivuletError('OVERLOADED', 'another backup of this engine runs; wait until it has ended');
    isRunning = true;
    try {
      await show(sources, conversation);
    } finally {
      isRunning = false;
    }
  };
}

async function show(sources: readonly BackupSource[], conversation: Conversation): Promise<void> {
  requireFreeSpace(sources);
  const captures = await captureAll(sources);
  try {
    conversation.send({
      captured: captures.map(({ storeId, metaPages, usedBytes, inode }, index) => {
        const { name } = sources[index] as BackupSource;
        return { name, storeId, usedBytes, inode, metaPages: metaPages.toString('base64') };
      }),
    });
    for (;;) {
      const { op } = await conversation.receive(LIMITS.backupSilenceMs);
      requireFreeSpace(sources);
      if (op === 'finish') return conversation.send({ finished: true });
      if (op !== 'alive')
        throw new RivuletError('INVALID_ARGUMENTS', 'a backup knows "alive" and "finish" only; use one version on both sides');
      conversation.send({ alive: true });
    }
  } finally {
    for (const { release } of captures) release();
  }
}

function requireFreeSpace(sources: readonly BackupSource[]): void {
  const full = sources.find(({ isFull }) => isFull);
  if (full === undefined) return;
  throw new RivuletError(
    'STORE_FULL',
    `the disk of the ${full.name} store is nearly full, so the backup ended; give it room and try again`,
  );
}

/** Captures all stores in one turn, while no transaction is in flight in any of them. */
async function captureAll(sources: readonly BackupSource[]): Promise<readonly SourceCapture[]> {
  const holds = sources.map((source) => source.hold());
  const releases = await within(LIMITS.backupHoldMs, Promise.all(holds)).catch((error: unknown) => {
    for (const hold of holds) hold.then((release) => release()).catch(() => {});
    throw error;
  });
  const captures: SourceCapture[] = [];
  try {
    for (const source of sources) captures.push(source.capture());
    return captures;
  } catch (error) {
    for (const { release } of captures) release();
    throw error;
  } finally {
    for (const release of releases) release();
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `a write takes longer than ${milliseconds} ms, so the backup did not begin; look at the disk, then try again`;
    timer = setTimeout(() => reject(new RivuletError('OVERLOADED', message)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
