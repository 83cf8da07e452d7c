/**
 * Returns what is wrong with the first key of an options object that is not known; `undefined`: nothing. The nearest name is that with the
 * longest common beginning. Pages load this code, so it is small.
 */
export function unknownOption(options: object, known: readonly string[]): string | undefined {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return undefined;
  const common = (name: string) => {
    let at = 0;
    while (name[at] !== undefined && name[at]?.toLowerCase() === unknown[at]?.toLowerCase()) at++;
    return at;
  };
  const [nearest = ''] = [...known].sort((one, other) => common(other) - common(one));
  return `unknown option "${unknown}"; ${common(nearest) > 1 ? `did you mean "${nearest}"?` : `known: ${known.join(', ')}`}`;
}
