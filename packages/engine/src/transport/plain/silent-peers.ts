import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { comparableAddress } from '../../structures/ip-address.js';

/** A TCP connection whose peer answers nothing: the kernel has sent bytes again, or has asked a full peer for room. */
export interface SilentPeer {
  readonly localPort: number;
  readonly remotePort: number;
  /** As `comparableAddress` returns it. */
  readonly remoteAddress: string;
  /** Bytes that the kernel has taken and the peer has not confirmed. */
  readonly unconfirmed: number;
}

/** Tables of Linux with a line for each connection. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
/** The kernel returns one page in each read, whatever the room. */
const READ_BYTES = 8_192;
/** Columns of a line behind the addresses: state, queues, timer, attempts to send again, user, probes without an answer. */
const FACTS = /^01 ([\dA-F]{8}):[\dA-F]{8} [\dA-F]{2}:[\dA-F]+ ([\dA-F]{8}) +\d+ +(\d+) /;
const NOTHING_UNCONFIRMED = '01 00000000:';
const IS_LITTLE = endianness() === 'LE';

/**
 * Returns the connections of this machine whose peers answer nothing now. The kernel counts the attempts of a connection from the last
 * answer of its peer, so a peer that lives is not among them for longer than one round trip. Other systems than Linux have no such table:
 * then the list is empty. Node offers no way to ask for one connection.
 */
export async function readSilentPeers(tables: readonly string[] = TABLES): Promise<readonly SilentPeer[]> {
  const silent: SilentPeer[] = [];
  for (const table of tables) await readTable(table, silent);
  return silent;
}

async function readTable(table: string, silent: SilentPeer[]): Promise<void> {
  const file = await open(table, 'r').catch(() => undefined);
  if (file === undefined) return;
  const buffer = Buffer.alloc(READ_BYTES);
  let rest = '';
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
      if (bytesRead === 0) return;
      const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const peer = readSilentPeer(line);
        if (peer !== undefined) silent.push(peer);
      }
    }
  } finally {
    await file.close();
  }
}

/** Reads one line of the table. Returns `undefined` unless the peer is silent. */
export function readSilentPeer(line: string): SilentPeer | undefined {
  const local = line.indexOf(':') + 2;
  const address = line.indexOf(':', local) - local;
  const remote = local + address + 6;
  const facts = remote + address + 6;
  if (line.startsWith(NOTHING_UNCONFIRMED, facts)) return undefined;
  const [, unconfirmed = '', attempts = '', probes = ''] = FACTS.exec(line.slice(facts)) ?? [];
  if (unconfirmed === '' || (Number.parseInt(attempts, 16) === 0 && Number(probes) === 0)) return undefined;
  return {
    localPort: Number.parseInt(line.slice(local + address + 1, remote - 1), 16),
    remotePort: Number.parseInt(line.slice(remote + address + 1, facts - 1), 16),
    remoteAddress: readAddress(line.slice(remote, remote + address)),
    unconfirmed: Number.parseInt(unconfirmed, 16),
  };
}

/** Reads an address of 4 or 16 bytes. The kernel writes each word of 4 bytes as a number of this machine. */
function readAddress(hex: string): string {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => Buffer.from(word, 'hex')).map((word) => (IS_LITTLE ? word.reverse() : word));
  const [only] = words;
  if (words.length === 1 && only !== undefined) return comparableAddress(only.join('.'));
  return comparableAddress((Buffer.concat(words).toString('hex').match(/.{4}/g) ?? []).join(':'));
}
