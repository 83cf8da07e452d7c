/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

declare global {
  interface Window {
    watch: Watch;
    hand: Hand;
  }
}

export interface Move {
  /** The time of the click. */
  readonly at: number;
  /** Whether the card was in its new column when the next animation frame began. */
  readonly beforeFrame: boolean;
}

/** Notes when a card moves. Times are milliseconds since 1970. */
interface Watch {
  readonly now: () => number;
  readonly columnOf: (card: string) => string | undefined;
  /** Resolves with the time of the `count`-th move in the page. */
  readonly seen: (count: number) => Promise<number>;
  /** Resolves with the time at which a bare WebSocket got the `count`-th change of the card. */
  readonly received: (count: number) => Promise<number>;
  /** Opens that WebSocket. */
  readonly listen: () => Promise<void>;
}

/** Moves cards as a person does. */
interface Hand {
  readonly move: (card: string) => Promise<Move>;
  readonly keepMoving: (card: string, everyMs: number) => void;
  readonly stop: () => void;
}

/** Runs in the page, so it uses nothing of this module. */
export function installWatch(card: string): void {
  const now = () => performance.timeOrigin + performance.now();
  const columnOf = (id: string) =>
    document.querySelector<HTMLElement>(`[data-card="${id}"]`)?.closest<HTMLElement>('[data-column]')?.dataset['column'];
  /** Keeps the times of events. `at` resolves with the time of the `count`-th event. */
  const timesOf = () => {
    const times: number[] = [];
    const waiting = new Map<number, (time: number) => void>();
    const add = () => {
      const time = now();
      times.push(time);
      waiting.get(times.length)?.(time);
      waiting.delete(times.length);
    };
    const at = async (count: number) => times[count - 1] ?? new Promise<number>((resolve) => waiting.set(count, resolve));
    return { add, at };
  };
  const [moves, frames] = [timesOf(), timesOf()];
  let column = columnOf(card);
  new MutationObserver(() => {
    const next = columnOf(card);
    if (next === undefined || next === column) return;
    column = next;
    moves.add();
  }).observe(document.body, { childList: true, subtree: true });

  const listen = async () => {
    const { streamUrl } = JSON.parse(document.querySelector('#settings')?.textContent ?? '{}');
    const token = await (await fetch('/token')).text();
    const socket = new WebSocket(`${streamUrl}/stream/board/main`, ['Authorization', token]);
    await new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => {
        const { id, event } = JSON.parse(data);
        if (event?.type === 'sync') resolve();
        else if (id === card) frames.add();
      };
    });
  };
  window.watch = { now, columnOf, seen: moves.at, received: frames.at, listen };
}

/** Runs in the page after `installWatch`. */
export function installHand(): void {
  const { now, columnOf } = window.watch;
  const click = (card: string) => {
    const name = columnOf(card) === 'todo' ? 'Move to Doing' : 'Move to To do';
    document.querySelector<HTMLElement>(`[data-card="${card}"] [aria-label="${name}"]`)?.click();
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  window.hand = {
    move(card) {
      const from = columnOf(card);
      const at = now();
      click(card);
      return new Promise((resolve) => requestAnimationFrame(() => resolve({ at, beforeFrame: columnOf(card) !== from })));
    },
    keepMoving(card, everyMs) {
      timer = setInterval(() => click(card), everyMs);
    },
    stop: () => clearInterval(timer),
  };
}
