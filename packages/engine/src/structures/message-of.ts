/** Returns the message of anything that was thrown. It never throws, whatever the value is. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'a value without a text';
  }
}
