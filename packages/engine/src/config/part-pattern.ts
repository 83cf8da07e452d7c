/**
 * A pattern of parts with a separator between them, such as `chat/*`. The part `*` is any one part, and `null` stands for it here. Every
 * other part is literal.
 */
export type PartPattern = readonly (string | null)[];

/** Returns the parts of a pattern, or `undefined` when a part is empty, or has a `*` beside other characters. */
export function readPartPattern(text: string, separator: string): PartPattern | undefined {
  const parts = text.split(separator).map((part) => (part === '*' ? null : part));
  return parts.every((part) => part === null || (part !== '' && !part.includes('*'))) ? parts : undefined;
}

/** Returns whether a pattern has as many parts as there are, and each of them fits. `*` fits no part that contains the separator. */
export function matchesParts(pattern: PartPattern, parts: readonly string[], separator: string): boolean {
  if (pattern.length !== parts.length) return false;
  return pattern.every((wanted, index) => {
    const part = parts[index] ?? '';
    return wanted === null ? part !== '' && !part.includes(separator) : wanted === part;
  });
}
