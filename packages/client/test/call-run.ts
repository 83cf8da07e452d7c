import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { StreamClient } from '../src/index.js';
import type { CallerPage, Question } from './pages/callers.js';

declare global {
  interface Window {
    caller: CallerPage;
    callerClient: StreamClient;
    answered: string[];
  }
}

/**
 * Starts an engine with the function `app::answer`. A call ends when the test releases its text, and then `work` has run. The text `bad` is
 * refused at once.
 */
export async function startCallEngine(work: (question: Question, worker: RawWorker) => Promise<unknown> = () => Promise.resolve()) {
  const { streamUrl, workerUrl } = await startTestEngine({ stream: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] } });
  const worker = await RawWorker.connect(workerUrl);
  const waiting = new Map<string, () => void>();
  await worker.serve('app::answer', async (payload) => {
    const question = payload as Question;
    const { text } = question;
    if (text === 'bad') throw new WorkerError({ code: 'BAD_QUESTION', message: 'ask another one' });
    await new Promise<void>((resolve) => waiting.set(text, resolve));
    await work(question, worker);
    return `answer to ${text}`;
  });
  const release = async (text: string) => {
    await expect.poll(() => waiting.has(text)).toBe(true);
    waiting.get(text)?.();
  };
  return { streamUrl, release };
}

/** Makes calls in a page that has set `window.caller`, and checks what it shows of them. */
export async function expectCalls(tab: Page, release: (text: string) => Promise<void>): Promise<void> {
  const shows = (line: string) => tab.waitForFunction((text) => document.querySelector('#caller')?.textContent === text, line);
  const call = (...texts: readonly string[]) =>
    tab.evaluate((all) => {
      for (const text of all) {
        window.caller.call({ text }).then(
          (answer) => window.answered.push(answer),
          ({ code }: { code: string }) => window.answered.push(code),
        );
      }
    }, texts);
  await tab.evaluate(() => {
    window.answered = [];
    window.caller.show(window.callerClient);
  });
  await shows('idle, result none, error none');
  await call('a', 'b');
  await shows('pending, result none, error none');
  await release('b');
  await shows('pending, result answer to b, error none');
  await release('a');
  // The answer of an older call does not replace that of a newer one.
  await shows('idle, result answer to b, error none');
  await call('c', 'bad');
  await shows('pending, result answer to b, error BAD_QUESTION');
  await release('c');
  await shows('idle, result answer to c, error BAD_QUESTION');
  await call('d');
  await shows('pending, result answer to c, error none');
  await tab.evaluate(() => window.caller.reset());
  await shows('pending, result none, error none');
  await release('d');
  await shows('idle, result answer to d, error none');
  // The page ignores this promise, and its rejection is reported nowhere.
  await tab.evaluate(() => void window.caller.call({ text: 'bad' }));
  await shows('idle, result answer to d, error BAD_QUESTION');
  await call('e');
  await tab.evaluate(() => window.caller.end());
  await release('e');
  await tab.waitForFunction(() => window.answered.length === 6);
  expect(await tab.evaluate(() => window.answered)).toEqual([
    'answer to b',
    'answer to a',
    'BAD_QUESTION',
    'answer to c',
    'answer to d',
    'answer to e',
  ]);
}
