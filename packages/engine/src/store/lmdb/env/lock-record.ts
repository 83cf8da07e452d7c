/** The facts about this process and this directory that a lock records, and that decide how a lock of another process is judged. */
export interface LockIdentity {
  /** In the PID namespace of the process. */
  readonly pid: number;
  readonly host: string;
  /** Id of this boot of the kernel. Empty where the system has none; then the host name takes its place. */
  readonly boot: string;
  /** `local` when only one kernel at a time can mount the file system of the directory. */
  readonly fileSystem: 'local' | 'shared';
}

/** The content of a lock file. */
export interface LockRecord extends LockIdentity {
  /** The process listens on the socket of its lock. Some file systems have no sockets. */
  readonly socket: boolean;
  /** The process changes `beat` every few hundred milliseconds. */
  readonly beats: boolean;
  /** `starting`: the process wants the lock. `holding`: it has the lock. */
  readonly state: 'starting' | 'holding';
  readonly beat: number;
}

/** The record of a process that has a socket, and whose lock file is damaged. No process has this pid. */
export const UNKNOWN_HOLDER: LockRecord = {
  pid: 0,
  host: 'unknown',
  boot: '',
  fileSystem: 'shared',
  socket: true,
  beats: false,
  state: 'holding',
  beat: 0,
};

const STATE_WIDTH = 8;
const BEAT_WIDTH = 16;

/** Returns the first line of a lock file, which never changes. */
export function headOf({ pid, host, boot, fileSystem, socket, beats }: Omit<LockRecord, 'state' | 'beat'>): string {
  return `${JSON.stringify({ pid, host, boot, fileSystem, socket, beats })}\n`;
}

/** Returns the second line of a lock file. All such lines have one length, so the process can overwrite its line in place. */
export function stateLine({ state, beat }: Pick<LockRecord, 'state' | 'beat'>): string {
  return `${state.padEnd(STATE_WIDTH)} ${String(beat).padStart(BEAT_WIDTH, '0')}\n`;
}

/** Returns the record of a lock file; `undefined` for a text that no engine has written as a whole, as a power cut may leave it. */
export function parseLock(text: string): LockRecord | undefined {
  const [head = '', line = ''] = text.split('\n');
  const [, state, beat] = /^(starting|holding) +(\d{16})$/.exec(line) ?? [];
  const fields = parseHead(head);
  if (fields === undefined || beat === undefined) return undefined;
  return { ...fields, state: state === 'holding' ? 'holding' : 'starting', beat: Number(beat) };
}

function parseHead(head: string): Omit<LockRecord, 'state' | 'beat'> | undefined {
  let value: unknown;
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try; the text is a file of the operator
    value = JSON.parse(head);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, host, boot, fileSystem, socket, beats } = value as Partial<Record<keyof LockRecord, unknown>>;
  if (typeof pid !== 'number' || typeof host !== 'string' || typeof boot !== 'string') return undefined;
  if (typeof socket !== 'boolean' || typeof beats !== 'boolean') return undefined;
  return { pid, host, boot, fileSystem: fileSystem === 'local' ? 'local' : 'shared', socket, beats };
}
