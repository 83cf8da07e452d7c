import { createInterface } from 'node:readline/promises';
import { CreateFailure } from './failure.js';
import { requireTemplate } from './read-words.js';
import { DEFAULT_TEMPLATE, TEMPLATES, type TemplateName } from './templates.js';

/** Returns the answer to a question; an empty answer is the default. */
export type Ask = (question: string, byDefault: string) => Promise<string>;

const DEFAULT_DIRECTORY = 'my-app';

export async function askDirectory(ask: Ask): Promise<string> {
  return ask('Directory of the project', DEFAULT_DIRECTORY);
}

export async function askTemplate(ask: Ask): Promise<TemplateName> {
  const list = Object.entries(TEMPLATES).map(([name, { summary }]) => `  ${name}: ${summary}\n`);
  return requireTemplate(await ask(`${list.join('')}Template`, DEFAULT_TEMPLATE));
}

/** Runs `use` with a terminal. The end of the input rejects with `CANCELLED`. */
export async function withTerminal<T>(use: (ask: Ask) => Promise<T>): Promise<T> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const ended = new AbortController();
  terminal.once('close', () => ended.abort());
  try {
    return await use(async (question, byDefault) => {
      try {
        const answer = await terminal.question(`${question} (${byDefault}): `, { signal: ended.signal });
        return answer.trim() || byDefault;
      } catch (error) {
        throw new CreateFailure('CANCELLED', 'nothing was made, because the input has ended', { cause: error });
      }
    });
  } finally {
    terminal.close();
  }
}
