import { Figures, target } from '../../measure/figures.js';
import { quantile } from '../../measure/statistics.js';
import type { Effort, Scenario } from '../../scenario.js';
import { BoardPage, CARD, OTHER_CARD } from './board-page.js';
import { BoardProcess } from './board-process.js';

/** Milliseconds between two moves of the other person, while both write. */
const OTHER_EVERY_MS = 50;
/** The most random milliseconds between two measured moves, so that they fall anywhere in an animation frame. */
const MOST_PAUSE_MS = 30;

/**
 * Measures examples/board in two browsers: the time from a click to the moved card, on the own page and on the other one. The peer is a
 * bare WebSocket in the other page, which does nothing but receive the change.
 */
export const board: Scenario = {
  name: 'board',
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      say(`board run ${run + 1}/${effort.runs}`);
      const example = await BoardProcess.start();
      const pages: BoardPage[] = [];
      try {
        for (const name of ['Ann', 'Bob']) pages.push(await BoardPage.open(example.address, name));
        await measure(pages as [BoardPage, BoardPage], effort, figures);
      } finally {
        for (const page of pages) await page.close();
        await example.stop();
      }
    }
    return {
      scenario: board.name,
      title: 'A task board in two browsers: from a click to the card in its new place',
      figures: figures.list(),
      targets: ['one writes', 'both write'].flatMap((who) => [
        target(
          `${who}: own moves in the page before the next animation frame, in %`,
          figures.median(`${who}: own, before the frame`),
          'at least',
          99,
        ),
        target(`${who}: moves in the other page, p99 in ms`, figures.median(`${who}: other page p99`), 'at most', 100),
      ]),
      notes: [
        'The engine writes each move to the disk before it sends it. Two chromium processes, the engine, the worker and the web server share the processors.',
        `While both write, the other person moves another card every ${OTHER_EVERY_MS} ms.`,
      ],
    };
  },
};

async function measure([own, other]: readonly [BoardPage, BoardPage], { warmUpMs, windowMs }: Effort, figures: Figures): Promise<void> {
  await other.listen();
  let count = 0;
  const moveFor = async (ms: number) => {
    const samples: Sample[] = [];
    const until = performance.now() + ms;
    do {
      count++;
      const seen = [own.seen(count), other.seen(count), other.received(count)] as const;
      const { at, beforeFrame } = await own.move(CARD);
      const [shown, delivered, received] = await Promise.all(seen);
      samples.push({ beforeFrame, own: shown - at, other: delivered - at, bare: received - at });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * MOST_PAUSE_MS));
    } while (performance.now() < until);
    return samples;
  };
  await moveFor(warmUpMs);
  report('one writes', await moveFor(windowMs), figures);
  const stop = await other.keepMoving(OTHER_CARD, OTHER_EVERY_MS);
  report('both write', await moveFor(windowMs), figures);
  await stop();
}

interface Sample {
  readonly beforeFrame: boolean;
  readonly own: number;
  readonly other: number;
  readonly bare: number;
}

function report(who: string, samples: readonly Sample[], figures: Figures): void {
  const at = (key: 'own' | 'other' | 'bare', q: number) =>
    quantile(
      samples.map((sample) => sample[key]),
      q,
    );
  figures.add(`${who}: own, before the frame`, '%', (100 * samples.filter(({ beforeFrame }) => beforeFrame).length) / samples.length);
  for (const [name, key] of [
    ['own page', 'own'],
    ['other page', 'other'],
    ['bare WebSocket', 'bare'],
  ] as const) {
    figures.add(`${who}: ${name} p50`, 'ms', at(key, 0.5));
    figures.add(`${who}: ${name} p99`, 'ms', at(key, 0.99));
  }
}
