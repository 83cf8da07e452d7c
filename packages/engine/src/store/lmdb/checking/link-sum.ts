/**
 * A sum over links between records, independent of their order. Two tables that describe the same links have equal sums. So tables of any
 * size are compared without keeping their links in memory.
 */
export class LinkSum {
  count = 0;
  #first = 0;
  #second = 0;

  /** Adds a link: bytes and numbers below 2^48. */
  add(bytes: Buffer, ...numbers: readonly number[]): void {
    let first = 0x811c9dc5;
    let second = 0x01000193;
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index] as number;
      first = Math.imul(first ^ byte, 0x01000193);
      second = Math.imul(second ^ byte, 0x85ebca6b);
    }
    for (const number of numbers) {
      const low = number >>> 0;
      const high = Math.floor(number / 2 ** 32);
      first = Math.imul(mixed(first ^ low), 0x01000193) ^ high;
      second = Math.imul(mixed(second ^ high), 0xc2b2ae35) ^ low;
    }
    this.count++;
    this.#first = (this.#first + mixed(first)) >>> 0;
    this.#second = (this.#second + mixed(second)) >>> 0;
  }

  equals(other: LinkSum): boolean {
    return this.count === other.count && this.#first === other.#first && this.#second === other.#second;
  }
}

function mixed(number: number): number {
  const once = Math.imul(number ^ (number >>> 16), 0x7feb352d);
  return once ^ (once >>> 15);
}
