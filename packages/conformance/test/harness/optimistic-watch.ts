import type { GroupView, ItemView } from '@rivulet/client';

type Shown = GroupView<unknown> & ItemView<unknown>;

/** An item that one page writes: its calls, and the values that a view may show. */
export class TrackedItem {
  /** Writes without an end, in the order of the calls. */
  #open: number[] = [];
  /** The newest write that was confirmed. */
  #confirmed = 0;
  /** Later writes that may have taken effect or not. */
  #unknown: number[] = [];
  /** Writes that did not take effect. */
  readonly rolledBack = new Set<number>();
  readonly ends: string[] = [];
  /** The calls and their ends, in order. */
  readonly story: string[] = [];

  called(n: number): void {
    this.#open.push(n);
    this.story.push(`${n} called`);
  }

  confirmed(n: number): void {
    this.#close(n, 'confirmed');
    this.#confirmed = Math.max(this.#confirmed, n);
    this.#unknown = this.#unknown.filter((each) => each > n);
  }

  failed(n: number, code: string, isUnknown: boolean): void {
    this.#close(n, code);
    if (isUnknown) this.#unknown.push(n);
    else this.rolledBack.add(n);
  }

  /** Returns the values that a view may show now. A view shows the newest write that is pending or confirmed. */
  get allowed(): readonly number[] {
    const newest = this.#open.at(-1) ?? 0;
    return newest > this.#confirmed ? [newest, ...this.#unknown.filter((n) => n > newest)] : [this.#confirmed, ...this.#unknown];
  }

  #close(n: number, end: string): void {
    this.ends.push(end);
    this.story.push(`${n} ${end}`);
    this.#open = this.#open.filter((each) => each !== n);
  }
}

/** Compares the views of a page with its calls, whenever the page could draw. */
export class OptimisticWatch {
  readonly views: Shown[] = [];
  readonly findings = new Set<string>();
  /** `shown`: the number that the view showed last, by item. */
  readonly #rows: { readonly view: Shown; readonly group: string; readonly ids: readonly string[]; readonly shown: Map<string, number> }[] =
    [];
  readonly #items = new Map<string, TrackedItem>();

  add(view: GroupView<unknown> | ItemView<unknown>, group: string, ids: readonly string[]): void {
    const shown = view as Shown;
    this.views.push(shown);
    this.#rows.push({ view: shown, group, ids, shown: new Map() });
    view.subscribe(() => setImmediate(() => this.look()));
  }

  item(group: string, id: string): TrackedItem {
    const key = `${group}/${id}`;
    const item = this.#items.get(key) ?? new TrackedItem();
    this.#items.set(key, item);
    return item;
  }

  /** Notes each view that shows a value which it may not show now. */
  look(): void {
    for (const { view, group, ids, shown } of this.#rows) {
      for (const id of ids) {
        const { allowed, rolledBack, story } = this.item(group, id);
        const n = numberIn(view.get(id));
        // A view that knows no state yet shows nothing.
        if (n === undefined) continue;
        // A view shows a refused write until it has reached the position of the answer, and then never again.
        const isFading = rolledBack.has(n) && shown.get(id) === n;
        shown.set(id, n);
        if (allowed.includes(n) || isFading) continue;
        const may = allowed.join(' or ');
        this.findings.add(`${group}/${id} ${view.status}: shows ${n}, and may show ${may}: ${story.slice(-6).join(', ')}`);
      }
    }
  }

  /** Returns what the views of a whole group show of these items. */
  shownIn(group: string, ids: readonly string[]): readonly unknown[] {
    const row = this.#rows.find((each) => each.group === group && each.ids.length === ids.length);
    return ids.map((id) => {
      const item = row?.view.get(id);
      return { n: numberIn(item), pending: item?.pending };
    });
  }

  /** Returns how many calls ended in each way. */
  ends(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { ends } of this.#items.values()) for (const end of ends) counts[end] = (counts[end] ?? 0) + 1;
    return counts;
  }
}

function numberIn(item: { readonly data: unknown } | undefined): number | undefined {
  return (item?.data as { readonly n: number } | undefined)?.n;
}
