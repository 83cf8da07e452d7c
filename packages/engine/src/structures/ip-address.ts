import { isIPv4, isIPv6 } from 'node:net';

/** Leading 16-bit groups of an IPv6 address that a provider usually gives to one customer (a /64 network). */
const CUSTOMER_GROUPS = 4;

/** Returns the 8 groups of an IPv6 address, or the 4 bytes of an IPv4 address. Returns `undefined` for any other text. */
function partsOf(address: string): readonly number[] | undefined {
  if (isIPv4(address)) return address.split('.').map(Number);
  if (!isIPv6(address)) return undefined;
  const zone = address.indexOf('%');
  let text = zone < 0 ? address : address.slice(0, zone);
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  if (tail.includes('.')) {
    const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
    text = `${text.slice(0, lastColon + 1)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', rest] = text.split('::');
  const before = readGroups(head);
  if (rest === undefined) return unmapped(before);
  const after = readGroups(rest);
  return unmapped([...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]);
}

function readGroups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

/** Returns the IPv4 address inside `::ffff:a.b.c.d`. An IPv6 socket shows an IPv4 peer by such an address. */
function unmapped(groups: readonly number[]): readonly number[] {
  const [a, b, c, d, e, mark, high = 0, low = 0] = groups;
  if (a !== 0 || b !== 0 || c !== 0 || d !== 0 || e !== 0 || mark !== 0xffff) return groups;
  return [high >> 8, high & 255, low >> 8, low & 255];
}

/** Returns an address in its one spelling. A mapped IPv4 address becomes plain IPv4. A text that is no address stays as it is. */
export function plainAddress(address: string): string {
  const parts = partsOf(address);
  if (parts === undefined) return address;
  return parts.length === 4 ? parts.join('.') : address.toLowerCase();
}

/** Returns a text that all spellings of an address share, with or without a zone. A text that is no address stays as it is. */
export function comparableAddress(address: string): string {
  return (
    partsOf(address)
      ?.map((part) => part.toString(16))
      .join(' ') ?? address
  );
}

/** Returns the key by which limits count an address: the IPv4 address itself, or the /64 network of an IPv6 address. */
export function addressGroup(address: string): string {
  const parts = partsOf(address);
  if (parts === undefined) return address;
  if (parts.length === 4) return parts.join('.');
  const network = parts.slice(0, CUSTOMER_GROUPS).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** Returns whether packets to this host never leave the machine. `host` is an address or the name `localhost`. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const parts = partsOf(host);
  if (parts === undefined) return false;
  return parts.length === 4 ? parts[0] === 127 : parts.every((group, index) => group === (index === 7 ? 1 : 0));
}

interface AddressRange {
  readonly parts: readonly number[];
  readonly bits: number;
}

/** A list of addresses and CIDR ranges such as `10.0.0.0/8` or `fd00::/8`. */
export class AddressRanges {
  readonly #ranges: readonly AddressRange[];

  /** Ignores every text that `isRange` refuses. */
  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map(readRange).filter((range) => range !== undefined);
  }

  /** Returns whether a text is an address or a CIDR range. */
  static isRange(text: string): boolean {
    return readRange(text) !== undefined;
  }

  /** Returns whether the address lies in one of the ranges. */
  contains(address: string): boolean {
    if (this.#ranges.length === 0) return false;
    const parts = partsOf(address);
    return parts !== undefined && this.#ranges.some((range) => covers(range, parts));
  }
}

function readRange(text: string): AddressRange | undefined {
  const [address = '', length, more] = text.split('/');
  const parts = address.includes('%') ? undefined : partsOf(address);
  if (parts === undefined || more !== undefined) return undefined;
  const most = parts.length === 4 ? 32 : 128;
  if (length === undefined) return { parts, bits: most };
  // The prefix length of a mapped range includes the 96 bits in front of the IPv4 address.
  const bits = /^\d{1,3}$/.test(length) ? Number(length) - (parts.length === 4 && address.includes(':') ? 96 : 0) : -1;
  return bits < 0 || bits > most ? undefined : { parts, bits };
}

function covers({ parts, bits }: AddressRange, address: readonly number[]): boolean {
  if (parts.length !== address.length) return false;
  const width = parts.length === 4 ? 8 : 16;
  let left = bits;
  for (let index = 0; left > 0; index++, left -= width) {
    const shift = Math.max(0, width - left);
    if ((parts[index] ?? 0) >> shift !== (address[index] ?? 0) >> shift) return false;
  }
  return true;
}
