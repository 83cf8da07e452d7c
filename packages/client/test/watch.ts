import type { Change, GroupView, ItemView, ViewListeners } from '../src/index.js';

export interface Chat {
  readonly id: string;
  readonly text: string;
}

/** Records the events of a view, one line each. */
export class ViewLog {
  readonly lines: string[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  readonly listeners: ViewListeners<Chat> = {
    onChange: (change) => this.#add(describeChange(change)),
    onEvent: ({ name, data, id }) => this.#add(`event ${name} ${JSON.stringify(data)}${id === undefined ? '' : ` ${id}`}`),
    onReset: ({ reason, position }) => this.#add(`reset ${reason} ${position === undefined ? '-' : position.offset}`),
    onGap: ({ after, through, count }) => this.#add(`gap ${after} ${through} ${count ?? '?'}`),
  };

  /** Resolves when the log has `count` lines. */
  until(count: number): Promise<void> {
    return this.lines.length >= count ? Promise.resolve() : new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  #add(line: string): void {
    this.lines.push(line);
    for (const { count, resolve } of this.#waiting) if (this.lines.length >= count) resolve();
  }
}

function describeChange(change: Change<Chat>): string {
  const { type, id, offset } = change;
  if (type === 'create') return `${offset} create ${id} ${change.data.text}`;
  if (type === 'update') return `${offset} update ${id} ${change.old.text}>${change.data.text}`;
  return `${offset} delete ${id} ${change.old.text}`;
}

export const texts = (view: GroupView<Chat>) => view.items.map(({ id, data }) => `${id}:${data.text}`);

/** Resolves when `holds` returns true. The function is called again after each change of the view. */
export function whenView<V extends GroupView<unknown> | ItemView<unknown>>(view: V, holds: (view: V) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds(view)) return;
      end();
      resolve();
    };
    const end = view.subscribe(look);
    look();
  });
}
