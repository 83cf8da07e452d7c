import { type Browser, chromium, type Page } from 'playwright-core';
import { installHand, installWatch, type Move } from './in-page.js';

/** The card whose moves are measured, and one that moves meanwhile. */
export const CARD = 'first-0';
export const OTHER_CARD = 'first-1';

/** The board in a chromium of its own. Times are milliseconds since 1970, so that those of two browsers can be compared. */
export class BoardPage {
  readonly #browser: Browser;
  readonly #page: Page;

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser;
    this.#page = page;
  }

  static async open(address: string, name: string): Promise<BoardPage> {
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });
    const page = await browser.newPage();
    await page.goto(address);
    await page.fill('#name', name);
    await page.click('button[type=submit]');
    await page.waitForSelector(`[data-card=${CARD}]`);
    await page.evaluate(installWatch, CARD);
    await page.evaluate(installHand);
    return new BoardPage(browser, page);
  }

  /** Clicks the button that moves a card. Resolves after the next animation frame. */
  move(card: string): Promise<Move> {
    return this.#page.evaluate((id) => window.hand.move(id), card);
  }

  /** Resolves with the time at which the measured card was in another column for the `count`-th time. */
  seen(count: number): Promise<number> {
    return this.#page.evaluate((at) => window.watch.seen(at), count);
  }

  /** Resolves with the time at which a bare WebSocket of this page got the `count`-th change of the measured card. */
  received(count: number): Promise<number> {
    return this.#page.evaluate((at) => window.watch.received(at), count);
  }

  async listen(): Promise<void> {
    await this.#page.evaluate(() => window.watch.listen());
  }

  /** Moves a card again and again, until the function that it returns is called. */
  async keepMoving(card: string, everyMs: number): Promise<() => Promise<void>> {
    await this.#page.evaluate(([id, ms]) => window.hand.keepMoving(id, ms), [card, everyMs] as const);
    return () => this.#page.evaluate(() => window.hand.stop());
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}
