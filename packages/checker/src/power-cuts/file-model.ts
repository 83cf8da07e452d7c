const SECTOR_BYTES = 512;
export const PAGE_SECTORS = 8;

/** One state of a sector. `moment` counts the writes to the file. */
export interface SectorVersion {
  readonly moment: number;
  readonly bytes: Buffer;
}

/**
 * Chooses what a power cut leaves of a sector that was written after the last sync: the number of versions that reached the disk. 0 is the
 * durable one. The disk may hold an older version of one sector beside a newer one of the next.
 */
export type SectorChoice = (sector: number, versions: readonly SectorVersion[]) => number;

/** One file: its durable content, and the versions of each sector that was written since. */
export class FileModel {
  #durable: Buffer = Buffer.alloc(0);
  #current: Buffer = Buffer.alloc(0);
  #durableSize = 0;
  #size = 0;
  readonly #pending = new Map<number, SectorVersion[]>();
  #sizes: { readonly moment: number; readonly bytes: number }[] = [];
  #moment = 0;

  /** A file whose content is on the disk. */
  static durable(content: Buffer): FileModel {
    const file = new FileModel();
    file.write(content, 0);
    file.settle(file.moment);
    return file;
  }

  /** The number of writes so far. */
  get moment(): number {
    return this.#moment;
  }

  get size(): number {
    return this.#size;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0 || this.#sizes.length > 0;
  }

  write(data: Buffer, at: number): void {
    const end = at + data.length;
    this.#moment++;
    this.#current = grown(this.#current, end);
    data.copy(this.#current, at);
    for (let sector = Math.floor(at / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) this.#keepVersion(sector);
    if (end > this.#size) this.#setSize(end);
  }

  resize(bytes: number): void {
    this.#moment++;
    if (bytes < this.#size) {
      this.#current.fill(0, bytes, this.#size);
      for (let sector = Math.floor(bytes / SECTOR_BYTES); sector * SECTOR_BYTES < this.#size; sector++) this.#keepVersion(sector);
    } else this.#current = grown(this.#current, bytes);
    this.#setSize(bytes);
  }

  /** Puts everything on the disk that was written up to a moment; with `from` and `to`, only the sectors of these bytes. */
  settle(moment: number, from = 0, to = Number.POSITIVE_INFINITY): void {
    for (const [sector, versions] of this.#pending) {
      if ((sector + 1) * SECTOR_BYTES <= from || sector * SECTOR_BYTES >= to) continue;
      const count = versions.findLastIndex((version) => version.moment <= moment) + 1;
      if (count === 0) continue;
      this.#durable = grown(this.#durable, (sector + 1) * SECTOR_BYTES);
      (versions[count - 1] as SectorVersion).bytes.copy(this.#durable, sector * SECTOR_BYTES);
      if (count === versions.length) this.#pending.delete(sector);
      else versions.splice(0, count);
    }
    const sizes = this.#sizes.filter((size) => size.moment <= moment);
    this.#durableSize = sizes.at(-1)?.bytes ?? this.#durableSize;
    this.#sizes = this.#sizes.slice(sizes.length);
  }

  /** Returns the content after a power cut. `sizes` chooses the number of pending sizes that reached the disk. */
  afterCut(choose: SectorChoice, sizes: (pending: number) => number): Buffer {
    const taken = sizes(this.#sizes.length);
    let size = taken === 0 ? this.#durableSize : (this.#sizes[taken - 1]?.bytes as number);
    const content = Buffer.from(grown(this.#durable, size));
    for (const [sector, versions] of this.#pending) {
      const count = choose(sector, versions);
      if (count === 0) continue;
      const { bytes } = versions[count - 1] as SectorVersion;
      if ((sector + 1) * SECTOR_BYTES > content.length) continue;
      bytes.copy(content, sector * SECTOR_BYTES);
    }
    size = Math.min(size, content.length);
    return content.subarray(0, size);
  }

  /** Returns the content that programs see. */
  content(): Buffer {
    return this.#current.subarray(0, this.#size);
  }

  #keepVersion(sector: number): void {
    const start = sector * SECTOR_BYTES;
    this.#current = grown(this.#current, start + SECTOR_BYTES);
    const bytes = Buffer.from(this.#current.subarray(start, start + SECTOR_BYTES));
    const versions = this.#pending.get(sector);
    if (versions === undefined) this.#pending.set(sector, [{ moment: this.#moment, bytes }]);
    else versions.push({ moment: this.#moment, bytes });
  }

  #setSize(bytes: number): void {
    this.#size = bytes;
    this.#sizes.push({ moment: this.#moment, bytes });
  }
}

/** Returns a buffer with at least this many bytes, and the same content. New bytes are 0. The length is a multiple of a sector. */
function grown(buffer: Buffer, bytes: number): Buffer {
  if (buffer.length >= bytes) return buffer;
  const least = Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
  const larger = Buffer.alloc(Math.max(least, buffer.length * 2, 4_096));
  buffer.copy(larger);
  return larger;
}
