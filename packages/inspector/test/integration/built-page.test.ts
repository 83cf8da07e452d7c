import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The built page, which the set-up of the tests keeps as new as its sources. */
const PAGE = fileURLToPath(new URL('../../../engine/inspector', import.meta.url));
const MOST_SCRIPT_BYTES = 300_000;

const files = readdirSync(join(PAGE, 'assets'));

test.each(['gz', 'br'])('all scripts of the page have at most 300 kB, compressed as %s', (coding) => {
  const scripts = files.filter((name) => name.endsWith(`.js.${coding}`));
  expect(scripts).not.toEqual([]);
  expect(scripts.reduce((sum, name) => sum + readFileSync(join(PAGE, 'assets', name)).length, 0)).toBeLessThanOrEqual(MOST_SCRIPT_BYTES);
});

test('the document and the styles have no absolute address, and the scripts have none that a browser would load', () => {
  const texts = [join(PAGE, 'index.html'), ...files.filter((name) => name.endsWith('.css')).map((name) => join(PAGE, 'assets', name))];
  expect(texts.length).toBeGreaterThan(1);
  for (const file of texts) expect(readFileSync(file, 'utf8')).not.toMatch(/(https?:|wss?:)?\/\/[\w.-]+\.\w/);
  const scripts = files.filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(PAGE, 'assets', name), 'utf8'));
  const hosts = scripts.flatMap((text) => [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host));
  // React names its page of errors in messages, and the namespaces of SVG, MathML and XML are names. The page shows no link to them.
  expect([...new Set(hosts)].filter((host) => host !== 'react.dev' && host !== 'www.w3.org')).toEqual([]);
});
