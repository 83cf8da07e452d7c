import { randomBytes, randomUUID } from 'node:crypto';

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Makes ids of sessions that show which run of the engine made them: all ids of one run begin with the same eight digits. */
export class SessionIds {
  readonly #run = randomBytes(4).toString('hex');

  make(): string {
    return this.#run + randomUUID().slice(8);
  }

  /** Returns where an id comes from: this run of the engine, another run or engine, or no engine at all. */
  originOf(text: string): 'this_run' | 'another_run' | 'no_id' {
    if (!ID.test(text)) return 'no_id';
    return text.startsWith(this.#run) ? 'this_run' : 'another_run';
  }
}
