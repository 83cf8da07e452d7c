import type { AgentReport } from './agent-messages.js';

/** Collects the reports of all agents, and notes what must not happen. */
export class Ledger {
  readonly #wrong: string[] = [];
  /** The owner of each offset. */
  readonly #offsets = new Map<number, string>();
  /** The last acknowledged value of each owner, and its offset. */
  readonly #last = new Map<string, { readonly value: number; readonly offset: number }>();
  /** Agents that have the store open, with the offset at which they opened it. */
  readonly #open = new Map<string, number>();
  /** Agents that lost the store, with the number of their writes that were reported later. */
  readonly #lost = new Map<string, number>();
  #writes = 0;

  get wrong(): readonly string[] {
    return this.#wrong;
  }

  get writes(): number {
    return this.#writes;
  }

  /** Number of agents that lost the store. */
  get lost(): number {
    return this.#lost.size;
  }

  hasLost(agent: string): boolean {
    return this.#lost.has(agent);
  }

  note(what: string): void {
    this.#wrong.push(what);
  }

  add(agent: string, report: AgentReport): void {
    switch (report.kind) {
      case 'opened':
        this.#opened(agent, report);
        return;
      case 'written':
        this.#written(agent, report);
        return;
      case 'lost':
        this.#lost.set(agent, 0);
        this.ended(agent);
        return;
      case 'ready':
      case 'refused':
      case 'write_failed':
      case 'closed':
        return;
      default:
        report satisfies never;
    }
  }

  /** The agent has no store any more. */
  ended(agent: string): void {
    this.#open.delete(agent);
  }

  #opened(agent: string, { offset, values }: Extract<AgentReport, { kind: 'opened' }>): void {
    this.#open.set(agent, offset);
    for (const [owner, last] of this.#last) {
      if ((values[owner] ?? 0) < last.value) this.note(`${agent} opened the store without value ${last.value} of ${owner}`);
      if (last.offset > offset) this.note(`${agent} opened the store at ${offset}, and ${owner} had written ${last.offset}`);
    }
  }

  #written(agent: string, { owner, offset, value }: Extract<AgentReport, { kind: 'written' }>): void {
    this.#writes++;
    const other = this.#offsets.get(offset);
    if (other !== undefined) this.note(`offset ${offset} was given to ${other} and to ${owner}`);
    this.#offsets.set(offset, owner);
    this.#last.set(owner, { value, offset });
    this.#countAfterLoss(agent, offset);
    for (const [rival, from] of this.#open) {
      if (rival !== agent && offset > from && (this.#open.get(agent) ?? 0) < from) {
        this.note(`${agent} gave out offset ${offset} after ${rival} had opened the store at ${from}`);
      }
    }
  }

  /** One write may be on its way while the agent notices the loss. The next owner waits for it, and has it. */
  #countAfterLoss(agent: string, offset: number): void {
    const after = this.#lost.get(agent);
    if (after === undefined) return;
    this.#lost.set(agent, after + 1);
    if (after > 0) this.note(`${agent} gave out offset ${offset} after it had lost the store`);
  }
}
