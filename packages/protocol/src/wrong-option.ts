/**
 * The options that a function takes: the name of each option, and the values that it may have, in words. The words are the rule, and the
 * error message repeats them:
 *
 * - A value must have a type that the words name as `typeof` does: `a string or an object`. The word `null` allows `null`.
 * - The first number in the words is the smallest number that is allowed, the second one the largest: `a number from 0 to 10`.
 * - Words that begin with a quoted text allow the quoted texts only: `"protocol" or "query"`.
 */
export type OptionRules = Readonly<Record<string, string>>;

/**
 * Returns what is wrong with the first unknown or wrong option, or `undefined` if all of them are right. An option that is `undefined`
 * counts as absent. Pages load this code, so it is small.
 */
export function wrongOption(options: object, rules: OptionRules): string | undefined {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) return `unknown option "${name}"; ${hint(name, Object.keys(rules))}`;
    if (value !== undefined && !isAllowed(value, rule)) return `option "${name}" must be ${rule}`;
  }
  return undefined;
}

function isAllowed(value: unknown, rule: string): boolean {
  if (typeof value === 'string' && rule.startsWith('"')) return rule.includes(`"${value}"`);
  if (typeof value === 'number') {
    const [least, most] = rule.match(/-?\d+/g) ?? [];
    return value >= Number(least) && !(value > Number(most));
  }
  return rule.includes(value === null ? 'null' : typeof value);
}

/** Returns the known name with the longest common beginning, or all known names if none begins alike. */
function hint(unknown: string, known: readonly string[]): string {
  const common = (name: string) => {
    let at = 0;
    while (name[at] !== undefined && name[at]?.toLowerCase() === unknown[at]?.toLowerCase()) at++;
    return at;
  };
  const [nearest = ''] = [...known].sort((one, other) => common(other) - common(one));
  return common(nearest) > 1 ? `did you mean "${nearest}"?` : `known: ${known.join(', ')}`;
}
