import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openPage } from '@rivulet/testkit/browser';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import type { Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../board.mjs', import.meta.url));

/** The example as `npm start` runs it, on free ports. It ends with the test. */
export interface Board {
  readonly address: string;
  readonly workerUrl: string;
  /** Writes a command, as a person does in the terminal. */
  command(line: 'kill' | 'start'): void;
}

export async function startBoard(): Promise<Board> {
  const data = await mkdtemp(join(tmpdir(), 'rivulet-board-'));
  const ports = await stablePorts(['worker', 'stream']);
  const env = { ...process.env, PORT: '0', WORKER_PORT: `${ports.worker}`, STREAM_PORT: `${ports.stream}`, DATA: data };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(data, { recursive: true, force: true });
  });
  return {
    address: await addressOf(child),
    workerUrl: `ws://127.0.0.1:${ports.worker}`,
    command: (line) => void child.stdin?.write(`${line}\n`),
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null || child.stderr === null) throw new Error('the example has no output');
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const address = /^board on (\S+)$/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once('exit', () => reject(new Error(`the example ended before it was ready:\n${said.join('\n')}`)));
  });
}

/** The board in a browser of its own, as one person sees it. */
export class Visitor {
  readonly page: Page;
  /** Errors of the script, and what the browser refuses because of the rules of the page. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    // These bounds only end a test that hangs.
    page.setDefaultTimeout(120_000);
    page.on('pageerror', ({ message }) => this.problems.push(message));
  }

  static async logIn(board: Board, name: string, color: string): Promise<Visitor> {
    const visitor = new Visitor(await openPage());
    const { page } = visitor;
    await page.goto(board.address);
    await page.fill('#name', name);
    await page.check(`input[value=${color}]`);
    await page.click('button[type=submit]');
    await page.waitForSelector('[data-card]');
    return visitor;
  }

  /** Resolves when the columns show these cards, in this order. */
  async sees(column: string, ...cards: readonly string[]): Promise<void> {
    await this.page.waitForFunction(
      ([id, expected]) =>
        [...document.querySelectorAll<HTMLElement>(`[data-column=${id}] [data-card]`)].map(({ dataset }) => dataset['card']).join() ===
        expected,
      [column, cards.join()] as const,
    );
  }

  async titleOf(card: string): Promise<string | null> {
    return this.page.locator(`[data-card="${card}"] .title`).textContent();
  }

  /** Resolves when no card has a change that the server has not confirmed. */
  async isSaved(): Promise<void> {
    await this.page.waitForFunction(() => document.querySelector('.pending') === null);
  }

  /** Writes down each text that the title of a card has from now on. Returns a function that reads them. */
  async recordTitles(card: string): Promise<() => Promise<string[]>> {
    await this.page.evaluate((id) => {
      const titles: string[] = [];
      const look = () => {
        const title = document.querySelector(`[data-card="${id}"] .title`)?.textContent;
        if (title !== undefined && title !== null && titles.at(-1) !== title) titles.push(title);
      };
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
      look();
      Object.assign(window, { titles });
    }, card);
    return () => this.page.evaluate(() => (window as unknown as { titles: string[] }).titles);
  }

  async edit(card: string, title: string): Promise<void> {
    await this.page.dblclick(`[data-card="${card}"] .title`);
    await this.page.fill(`[data-card="${card}"] textarea`, title);
    await this.page.keyboard.press('Enter');
  }
}
