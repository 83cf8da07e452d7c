import { type Browser, chromium, type Page } from 'playwright-core';
import { type CpuTime, cpuTime } from '../../measure/process-usage.js';

/** The inspector in a chromium of its own. */
export class InspectorPage {
  readonly #browser: Browser;
  readonly #page: Page;

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser;
    this.#page = page;
  }

  /** Opens the page with an empty cache. Resolves when the overview shows its figures. */
  static async open(address: string): Promise<InspectorPage> {
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });
    const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
    await page.goto(address);
    await page.getByText('Ready', { exact: true }).waitFor();
    return new InspectorPage(browser, page);
  }

  /** Returns the milliseconds from the navigation to the first contentful paint. */
  firstPaint(): Promise<number> {
    return this.#page.evaluate(() => {
      const [paint] = performance.getEntriesByName('first-contentful-paint');
      if (paint === undefined) throw new Error('the browser reports no first contentful paint');
      return paint.startTime;
    });
  }

  /** Shows a view, such as `/connections`. Resolves when it has this text. */
  async show(view: string, text: string): Promise<void> {
    await this.#page.evaluate((to) => {
      location.hash = `#${to}`;
    }, view);
    await this.#page.locator('#main').getByText(text).first().waitFor();
  }

  /** Returns the processor time of all renderer processes of this browser. */
  async rendererTime(): Promise<CpuTime> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    const times = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => cpuTime(id));
    if (times.length === 0) throw new Error('the browser has no renderer process');
    return times.reduce((sum, time) => ({ user: sum.user + time.user, system: sum.system + time.system }));
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}
