/** System calls that change a file or put it on the disk, read from the output of strace. */

/** A call begins, and ends later: other threads may run between the two. Only calls that succeeded are reported as ended. */
export interface CallEvent {
  readonly stage: 'begin' | 'end';
  readonly call: DiskCall;
}

export type DiskCall =
  | { readonly kind: 'open'; readonly path: string; readonly creates: boolean; readonly truncates: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly data: Buffer; readonly at: number | undefined; readonly isSynced: boolean }
  | { readonly kind: 'resize'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'sync'; readonly path: string }
  | { readonly kind: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink' | 'mkdir' | 'rmdir'; readonly path: string };

const TRACED = [
  'open,openat,creat,lseek,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate',
  'rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir',
  'fsync,fdatasync,sync,syncfs,sync_file_range,msync,copy_file_range,sendfile',
  'clone,clone3,fork,vfork',
].join(',');

/** The command that records a program. All texts are hexadecimal, so no character of them needs an escape. */
export function straceCommand(output: string): readonly string[] {
  const most = String(1 << 26);
  return ['strace', '-f', '--seccomp-bpf', '-qq', '-y', '-xx', '-s', most, '-o', output, '-e', `trace=${TRACED}`, '--'];
}

const HEX = new Uint8Array(256);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

/** Decodes `\x41\x42…`. */
function decodeHex(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(text.length / 4);
  for (let at = 0; at < bytes.length; at++)
    bytes[at] = ((HEX[text.charCodeAt(at * 4 + 2)] as number) << 4) | (HEX[text.charCodeAt(at * 4 + 3)] as number);
  return bytes;
}

const asText = (hex: string) => decodeHex(hex).toString('utf8');

/** Turns the output of strace into calls on files below one directory. */
export class CallReader {
  readonly #root: string;
  /** The first half of calls that were interrupted by another thread. */
  readonly #unfinished = new Map<string, string>();
  /** The calls of these threads that have begun and not ended. */
  readonly #begun = new Map<string, CallEvent>();
  /** Calls that failed after they had begun, or of which strace did not report the end. */
  readonly #abandoned = new Set<CallEvent>();
  /** The process of each thread. */
  readonly #processes = new Map<string, string>();
  /** Descriptors with O_SYNC or O_DSYNC, as `process:number`. */
  readonly #synced = new Set<string>();
  /** Positions of descriptors that are written without an offset. */
  readonly #positions = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The calls that a killed program has begun and not ended. The system may have executed them, or not, or a write in part. */
  get unfinished(): ReadonlySet<CallEvent> {
    return new Set([...this.#begun.values(), ...this.#abandoned]);
  }

  /** The renames that a killed program has begun and not ended. The system may have executed them, or not. */
  get unfinishedRenames(): readonly DiskCall[] {
    const calls = [...this.#unfinished].map(([thread, text]) =>
      text.startsWith('rename') ? this.#decode(thread, `${text}) = ?`) : undefined,
    );
    return calls.filter((call) => call !== undefined);
  }

  /** Returns the events of one line of strace. */
  read(line: string): readonly CallEvent[] {
    const space = line.indexOf(' ');
    const thread = line.slice(0, space);
    const text = line.slice(space).trimStart();
    const cut = text.indexOf(' <unfinished ...>');
    if (cut >= 0) {
      this.#unfinished.set(thread, text.slice(0, cut));
      return this.#begin(thread, `${text.slice(0, cut)}) = ?`);
    }
    // The program was killed in this call.
    const isLast = text.slice(-40).includes(' = ?');
    if (text.startsWith('<... ')) {
      if (isLast) return [];
      const first = this.#unfinished.get(thread) ?? '';
      this.#unfinished.delete(thread);
      const call = this.#decode(thread, first + text.slice(text.indexOf('resumed>') + 'resumed>'.length));
      const begun = this.#begun.get(thread);
      this.#begun.delete(thread);
      // A program that is killed in a write may have written less.
      const isShort = call?.kind === 'write' && begun?.call.kind === 'write' && call.data.length < begun.call.data.length;
      if (begun !== undefined && (call === undefined || isShort)) this.#abandoned.add(begun);
      return call === undefined || isShort ? [] : [{ stage: 'end', call }];
    }
    if (isLast && text.startsWith('rename')) this.#unfinished.set(thread, text.slice(0, text.lastIndexOf(')')));
    if (isLast) return this.#begin(thread, `${text.slice(0, text.lastIndexOf(' = ?'))} = ?`);
    const call = this.#decode(thread, text);
    return call === undefined
      ? []
      : [
          { stage: 'begin', call },
          { stage: 'end', call },
        ];
  }

  /** Only a call whose effect may be on the disk before it returns has a begin of its own. */
  #begin(thread: string, text: string): readonly CallEvent[] {
    const call = /^(p?writev?2?|pwrite64|fdatasync|fsync|ftruncate)\(/.test(text) ? this.#decode(thread, text) : undefined;
    if (call === undefined) return [];
    const event: CallEvent = { stage: 'begin', call };
    const before = this.#begun.get(thread);
    if (before !== undefined) this.#abandoned.add(before);
    this.#begun.set(thread, event);
    return [event];
  }

  #decode(thread: string, text: string): DiskCall | undefined {
    const open = text.indexOf('(');
    const name = text.slice(0, open);
    const equals = text.lastIndexOf(' = ');
    const result = text.slice(equals + 3);
    if (open < 0 || equals < 0 || result.startsWith('-1')) return undefined;
    const args = text.slice(open + 1, equals);
    if (name.startsWith('clone') || name.endsWith('fork')) return this.#follow(thread, args, result);
    if (/^(open|openat|creat)$/.test(name)) return this.#open(thread, name, args, result);
    const quoted = () => [...args.matchAll(/"((?:\\x..)*)"/g)].map(([, hex = '']) => asText(hex));
    switch (name) {
      case 'rename':
      case 'renameat':
      case 'renameat2':
      case 'link':
      case 'linkat': {
        const [from = '', to = ''] = quoted();
        return this.#isBelow(from) || this.#isBelow(to) ? { kind: name.startsWith('rename') ? 'rename' : 'link', from, to } : undefined;
      }
      case 'unlink':
      case 'unlinkat':
      case 'mkdir':
      case 'mkdirat':
      case 'rmdir': {
        const [path = ''] = quoted();
        const kind = name.startsWith('mkdir') ? 'mkdir' : name === 'rmdir' || args.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink';
        return this.#isBelow(path) ? { kind, path } : undefined;
      }
    }
    return this.#onDescriptor(thread, name, args, result);
  }

  #follow(thread: string, args: string, result: string): undefined {
    const child = result.split(' ')[0] ?? '';
    this.#processes.set(child, args.includes('CLONE_THREAD') ? this.#processOf(thread) : child);
  }

  #open(thread: string, name: string, args: string, result: string): DiskCall | undefined {
    const [descriptor = ''] = result.split('<');
    const [, hex = ''] = /"((?:\\x..)*)"/.exec(args) ?? [];
    const path = asText(hex);
    if (!this.#isBelow(path)) return undefined;
    const id = `${this.#processOf(thread)}:${descriptor}`;
    if (/O_D?SYNC/.test(args)) this.#synced.add(id);
    else this.#synced.delete(id);
    if (args.includes('O_APPEND')) this.#positions.delete(id);
    else this.#positions.set(id, 0);
    return {
      kind: 'open',
      path,
      creates: name === 'creat' || args.includes('O_CREAT'),
      truncates: name === 'creat' || args.includes('O_TRUNC'),
    };
  }

  /** A call whose first argument is a descriptor, such as `17<\x2f\x74>`. */
  #onDescriptor(thread: string, name: string, args: string, result: string): DiskCall | undefined {
    const [, descriptor = '', hex = ''] = /^(\d+)<((?:\\x..)*)>/.exec(args) ?? [];
    const rest = args.slice(descriptor.length + hex.length + 2);
    const path = hex === '' ? '' : asText(hex);
    if (path !== this.#root && !this.#isBelow(path)) return undefined;
    // A file without a name is lost in any case.
    if (rest.startsWith('(deleted)')) return undefined;
    const id = `${this.#processOf(thread)}:${descriptor}`;
    switch (name) {
      case 'write':
      case 'pwrite64':
      case 'writev':
      case 'pwritev':
      case 'pwritev2':
        return this.#write(name, id, path, rest, result);
      case 'lseek':
        this.#positions.set(id, Number(result));
        return undefined;
      case 'fsync':
      case 'fdatasync':
        return { kind: 'sync', path };
      case 'ftruncate':
        return { kind: 'resize', path, bytes: Number(/\d+/.exec(rest)?.[0]) };
      default:
        throw new Error(`the model of the disk does not know ${name} of ${path}`);
    }
  }

  #write(name: string, id: string, path: string, rest: string, result: string): DiskCall {
    const all = Buffer.concat([...rest.matchAll(/"((?:\\x..)*)"/g)].map(([, hex = '']) => decodeHex(hex)));
    const data = result === '?' ? all : all.subarray(0, Number(result));
    const isSynced = this.#synced.has(id);
    if (name.startsWith('p')) return { kind: 'write', path, data, at: Number(/(\d+)\D*$/.exec(rest)?.[1]), isSynced };
    const at = this.#positions.get(id);
    if (at !== undefined && result !== '?') this.#positions.set(id, at + data.length);
    return { kind: 'write', path, data, at, isSynced };
  }

  #processOf(thread: string): string {
    return this.#processes.get(thread) ?? this.#main(thread);
  }

  /** Threads of which nothing is known yet belong to the recorded program. */
  #main(thread: string): string {
    if (this.#processes.size === 0) this.#processes.set(thread, thread);
    return this.#processes.values().next().value as string;
  }

  #isBelow(path: string): boolean {
    return path.startsWith(`${this.#root}/`);
  }
}
