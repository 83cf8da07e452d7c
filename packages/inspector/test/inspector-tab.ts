import { openPage } from '@rivulet/testkit/browser';
import axe from 'axe-core';
import type { Page, Request } from 'playwright-core';

/** Widths at which the tests and the pictures show the pages. */
export const SIZES = { desktop: { width: 1_280, height: 800 }, phone: { width: 390, height: 844 } } as const;
export type Size = keyof typeof SIZES;
export type Theme = 'light' | 'dark';

/** A browser tab with the inspector, and everything that went wrong in it. */
export interface InspectorTab {
  readonly page: Page;
  /** Errors of the console and of scripts, violations of the policy, and requests to other origins. */
  readonly problems: readonly string[];
  /** All requests to the admin API, with the path and the query. */
  readonly requests: readonly string[];
  /** Opens the inspector of another engine, in the same browser. */
  readonly visit: (adminUrl: string) => Promise<void>;
  /** Shows a view, such as `/streams/chat`, in the document that is open. */
  readonly show: (view: string) => Promise<void>;
}

declare global {
  interface Window {
    axe: typeof axe;
  }
}

/** Opens the inspector in a browser of its own. A `token` is given as a user would type it. */
export async function openInspector(adminUrl: string, token?: string): Promise<InspectorTab> {
  const page = await openPage();
  await page.setViewportSize(SIZES.desktop);
  let engine = new URL(adminUrl);
  const problems: string[] = [];
  const requests: string[] = [];
  // The browser itself reports each answer with an error status. The tests look at what the page makes of them.
  page.on('console', (message) => {
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
    problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
  page.on('request', (request: Request) => {
    const { origin: target, pathname, search } = new URL(request.url());
    if (target !== engine.origin) problems.push(`request to ${request.url()}`);
    if (pathname.startsWith('/api/')) requests.push(`${request.method()} ${pathname}${search}`);
  });
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== engine.host) problems.push(`socket to ${socket.url()}`);
  });
  await page.exposeFunction('reportViolation_', (text: string) => problems.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      (window as unknown as { reportViolation_: (text: string) => void }).reportViolation_(`${violatedDirective} ${blockedURI}`);
    });
  });
  await page.goto(`${adminUrl}/`);
  if (token !== undefined) {
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Open' }).click();
  }
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  const visit = async (url: string) => {
    engine = new URL(url);
    await page.goto(`${url}/`);
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  };
  return { page, problems, requests, visit, show: (view) => showView(page, view) };
}

async function showView(page: Page, view: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = `#${to}`;
  }, view);
  await page.locator('#main h1').first().waitFor();
}

/** Waits until no part of the page loads. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('#main .loading, #main [aria-busy="true"]') === null);
}

export async function dress(page: Page, size: Size, theme: Theme): Promise<void> {
  await page.setViewportSize(SIZES[size]);
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
}

/** Returns what axe finds wrong with the page, by the rules of WCAG 2.2 A and AA and the best practices. */
export async function axeProblems(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, {
      resultTypes: ['violations'],
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary ?? ''}`),
  );
}

/** Returns whether the page is wider than the window, so that a phone would scroll sideways. */
export function isTooWide(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}
