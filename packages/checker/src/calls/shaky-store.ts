import type { GroupRef, ItemRead, StreamStore, Write, WriteResult } from '@rivulet/engine/stores';
import { RivuletError } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import { AlteredStore } from '../bugs/altered-store.js';
import type { VirtualTime } from '../simulation/virtual-time.js';

export interface ShakyStoreDeps {
  readonly time: VirtualTime;
  readonly random: Random;
  /** Longest time of one way to the disk, in milliseconds, and the probability that a way fails. */
  readonly mood: { readonly delayMs: number; readonly failing: number };
}

/** The connection of one engine to a store that outlives it. A call may fail before it took effect, or after. */
export class ShakyStore extends AlteredStore {
  readonly #deps: ShakyStoreDeps;
  #isDead = false;

  constructor(disk: StreamStore, deps: ShakyStoreDeps) {
    super(disk);
    this.#deps = deps;
  }

  /** Ends the engine. Its writes that are on their way may still take effect, and nobody learns of it. */
  die(): void {
    this.#isDead = true;
  }

  override write(write: Write): Promise<WriteResult> {
    return this.#there(() => super.write(write));
  }

  override get(ref: GroupRef, item: string): Promise<ItemRead> {
    return this.#there(() => super.get(ref, item));
  }

  async #there<T>(act: () => Promise<T>): Promise<T> {
    await this.#way();
    const result = await act();
    await this.#way();
    if (this.#isDead) await new Promise(() => {});
    return result;
  }

  async #way(): Promise<void> {
    const { time, random, mood } = this.#deps;
    await time.pause(random.between(0, mood.delayMs));
    if (this.#isDead && random.chance(0.5)) await new Promise(() => {});
    if (random.chance(mood.failing)) throw new RivuletError('STORE_UNAVAILABLE', 'the way to the store is cut');
  }
}
