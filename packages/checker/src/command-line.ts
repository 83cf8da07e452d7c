/** Returns the number of an option. Throws for a text that is no whole number of at least 0. */
export function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} must be a whole number, not ${text}`);
  return value;
}

/** Prints a line. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
