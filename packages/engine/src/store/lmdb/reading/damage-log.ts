import type { Logger } from '../../../logging/logger.js';
import type { GroupRef } from '../../store.js';

/** Places that are remembered, so that each has one line in the log. Others are not logged. */
const REMEMBERED = 1_000;

/** A place where a read found damage. */
export interface DamagedPlace extends Partial<GroupRef> {
  readonly item?: string;
  readonly problem: string;
}

/** Logs each damaged place once. A damaged record would otherwise write a line with each read of its group. */
export class DamageLog {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #known = new Set<string>();

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  report(place: DamagedPlace): void {
    const { stream = '', group = '', item = '', problem } = place;
    const name = [stream, group, item, problem].join('\u0000');
    if (this.#known.has(name) || this.#known.size >= REMEMBERED) return;
    this.#known.add(name);
    const consequence = 'reads leave it out; write or delete it, or run rivulet check while no engine runs';
    this.#logger.error('store_item_damaged', { path: this.#path, code: 'CORRUPT_ITEM', ...place, consequence });
  }
}
