import type { Mark, MarkedCommit } from './marks.js';
import { FEED, GROUPS, type StoredEntry, type StoredGroup } from './stored-groups.js';

/** A step of the history of one store: from here on, the store has this state. */
interface HistoryStep {
  /** Index of the moment at which it was reported. */
  readonly moment: number;
  /** `undefined` before the store existed. */
  readonly epoch: string | undefined;
  /** A later step belongs to the same batch, so no power cut may stop here. */
  readonly isPartial: boolean;
  /** Highest offset of each group, events included. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** The states that one store had, in order, as the recorded programs reported them. */
export class ExpectedHistory {
  readonly #steps: HistoryStep[] = [];
  /** For each group, its content from each step on at which it changed. */
  readonly #contents = new Map<string, { readonly step: number; readonly content: string }[]>();
  readonly #groups = new Map<string, Map<string, StoredEntry>>();
  readonly #offsets = new Map<string, number>();

  /** `groups`: what the store has before the first moment. Its epoch is not known, because an earlier power cut may change it. */
  constructor(groups: Readonly<Record<string, StoredGroup>> = {}) {
    for (const group of GROUPS) this.#groups.set(group, new Map());
    this.#setGroups(groups);
    this.#add({ moment: -1, epoch: undefined, isPartial: false }, GROUPS);
  }

  get length(): number {
    return this.#steps.length;
  }

  /** Takes a report into the history. */
  add(mark: Mark, moment: number): void {
    if (mark.m === 'base') this.#rebase(mark.groups, moment);
    else if (mark.m === 'commit') this.#commit(mark, moment);
  }

  /** Returns the last step that was reported before a moment. */
  stepBefore(moment: number): number {
    return this.#steps.findLastIndex((step) => step.moment < moment);
  }

  epochOf(step: number): string | undefined {
    return this.#steps[step]?.epoch;
  }

  /** Returns whether the store had this epoch at a step, or before it. */
  hadEpoch(epoch: string, until: number): boolean {
    return this.#steps.slice(0, until + 1).some((step) => step.epoch === epoch);
  }

  /** Returns the steps at which the store had exactly these groups; none when it never had. */
  stepsWith(groups: Readonly<Record<string, StoredGroup>>): readonly number[] {
    let steps = this.#steps.flatMap(({ isPartial }, step) => (isPartial ? [] : [step]));
    for (const group of GROUPS) {
      const found = groups[group];
      if (found === undefined) return [];
      const content = canonical(found.entries);
      const contents = this.#contents.get(group) ?? [];
      const matches = new Set<number>();
      for (const [index, { step, content: known }] of contents.entries()) {
        if (known !== content) continue;
        for (let at = step; at < (contents[index + 1]?.step ?? this.#steps.length); at++) matches.add(at);
      }
      steps = steps.filter((step) => matches.has(step) && this.#hasOffset(step, group, found.offset));
    }
    return steps;
  }

  /** Offsets of events are reserved in advance, so a group with events may continue at a higher offset. */
  #hasOffset(step: number, group: string, offset: number): boolean {
    const known = this.#steps[step]?.offsets.get(group) ?? 0;
    return group === FEED ? offset >= known : offset === known;
  }

  #rebase(groups: Readonly<Record<string, StoredGroup>>, moment: number): void {
    this.#setGroups(groups);
    this.#add({ moment, epoch: Object.values(groups)[0]?.epoch, isPartial: false }, GROUPS);
  }

  #setGroups(groups: Readonly<Record<string, StoredGroup>>): void {
    for (const [group, { entries, offset }] of Object.entries(groups)) {
      this.#groups.set(group, new Map(entries.map((entry) => [entry.item, entry])));
      this.#offsets.set(group, offset);
    }
  }

  #commit({ group, item, effect, epoch, offset, created, hash, isPartial }: MarkedCommit, moment: number): void {
    this.#offsets.set(group, offset);
    if (effect !== 'event')
      this.#groups.get(group)?.set(item, { item, created, changed: offset, ...(effect === 'delete' ? {} : { hash }) });
    this.#add({ moment, epoch, isPartial }, [group]);
  }

  #add(step: Omit<HistoryStep, 'offsets'>, changed: readonly string[]): void {
    const index = this.#steps.push({ ...step, offsets: new Map(this.#offsets) }) - 1;
    for (const group of changed) {
      const contents = this.#contents.get(group) ?? [];
      contents.push({ step: index, content: canonical([...(this.#groups.get(group)?.values() ?? [])]) });
      this.#contents.set(group, contents);
    }
  }
}

function canonical(entries: readonly StoredEntry[]): string {
  return [...entries]
    .sort((a, b) => a.changed - b.changed)
    .map(({ item, created, changed, hash = 'deleted' }) => `${item} ${created} ${changed} ${hash}`)
    .join('\n');
}
