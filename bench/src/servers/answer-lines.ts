import { createInterface } from 'node:readline';

declare const gc: (() => void) | undefined;

/** Answers each command, a line on the standard input, with one line of JSON. The command `gc` collects garbage first. */
export function answerLines(commands: Readonly<Record<string, () => unknown>>): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'gc') {
      gc?.();
      gc?.();
    }
    process.stdout.write(`${JSON.stringify(commands[line]?.() ?? {})}\n`);
  });
}
