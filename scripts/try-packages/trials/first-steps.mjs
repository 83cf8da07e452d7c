import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { tryNotes } from '../browser.mjs';
import { PROJECTS, projectOf } from '../install-page.mjs';
import { write } from '../packages.mjs';
import { freePorts, Steps } from '../steps.mjs';

/** @import { Trial } from './all.mjs' */

const MOST_COMMANDS = 10;
const MOST_SECONDS = 300;
/** The line that a program prints when it is ready, by the begin of its command. */
const READY = {
  'npx rivulet': /^ready /m,
  'node dist/worker': /^open$/m,
  'npx vite': /Local:/,
  'npx next': /Ready/,
  'node dist/server': /^http:/m,
};

/**
 * Does in an empty folder what docs/install.md says, with its files and its commands: install, types, engine, worker and page. The page
 * shows the note of the worker, and one that it adds itself. Only the ports and the folder of the packages differ from the document.
 *
 * @param {keyof typeof PROJECTS} name
 * @returns {Trial['run']}
 */
export const tryFirstSteps =
  (name) =>
  async ({ packed, browser }) => {
    const { files, commands } = projectOf(name);
    const [worker, stream, page] = await freePorts(3);
    const packages = dirname([...packed.tarballs.values()][0] ?? '');
    const ports = new Map([
      ['49134', worker],
      ['3112', stream],
      [PROJECTS[name].port, page],
    ]);
    const adapted = (/** @type {string} */ text) =>
      text
        .replaceAll('/path/to/packages', packages)
        .replaceAll(/(?<=[: ])\d{4,5}\b|(?<=listen\()\d{4}/g, (port) => `${ports.get(port) ?? port}`);
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-first-'));
    const steps = new Steps(folder, { NEXT_TELEMETRY_DISABLED: '1' });
    try {
      write(folder, Object.fromEntries(Object.entries(files).map(([path, text]) => [path, adapted(text)])));
      const [toTheEnd = [], servers = []] = commands;
      for (const command of toTheEnd) await steps.run(adapted(command));
      for (const command of servers) await steps.start(adapted(command), readyOf(command));
      const url = `http://${name === 'vite' ? 'localhost' : '127.0.0.1'}:${page}/`;
      await tryNotes(browser, { note: async () => undefined }, url, 'all', async () => undefined);
      const { count, seconds } = steps;
      if (count > MOST_COMMANDS || seconds > MOST_SECONDS)
        throw new Error(`${count} commands in ${seconds} s:\n${steps.transcript.join('\n')}`);
      return [`${count} commands in ${seconds} s; the page shows the note of the worker and its own`, ...steps.transcript];
    } finally {
      await steps.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  };

/** @param {string} command */
function readyOf(command) {
  const found = Object.entries(READY).find(([start]) => command.startsWith(start));
  if (found === undefined) throw new Error(`this trial does not know when "${command}" is ready`);
  return found[1];
}
