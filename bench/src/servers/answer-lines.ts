import { createInterface } from 'node:readline';

declare const gc: (() => void) | undefined;

/** Answers commands that come as lines on the standard input, each with one line of JSON; `gc` collects garbage first. */
export function answerLines(commands: Readonly<Record<string, () => unknown>>): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'gc') {
      gc?.();
      gc?.();
    }
    process.stdout.write(`${JSON.stringify(commands[line]?.() ?? {})}\n`);
  });
}
