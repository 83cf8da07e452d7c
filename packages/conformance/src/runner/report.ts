import type { RuleOutcome } from './runner.js';

export interface Count {
  readonly hold: number;
  readonly fail: number;
  readonly notTested: number;
}

export function count(rules: readonly RuleOutcome[]): Count {
  const of = (wanted: RuleOutcome['outcome']) => rules.filter(({ outcome }) => outcome === wanted).length;
  return { hold: of('ok'), fail: of('fails'), notTested: of('not tested') };
}

/** Returns one line for each rule. Under a rule that fails, each failed case follows with its expected and its seen text. */
export function asText(rules: readonly RuleOutcome[]): string {
  const { hold, fail, notTested } = count(rules);
  const total = `${hold} hold, ${fail} fail, ${notTested} not tested here`;
  return [...rules.flatMap(ruleLines), '', total, ''].join('\n');
}

function ruleLines({ id, title, outcome, cases, why }: RuleOutcome): string[] {
  const head = `${id.padEnd(6)} ${outcome === 'not tested' ? 'not tested here' : outcome}  ${title}${why === undefined ? '' : ` (${why})`}`;
  const failing = cases.filter((each) => each.outcome === 'fails');
  return [
    head,
    ...failing.flatMap((each) => [`       ${each.title}`, `         expected: ${each.expected}`, `         seen:     ${each.seen}`]),
  ];
}

export function asJson(rules: readonly RuleOutcome[]): string {
  return `${JSON.stringify({ count: count(rules), rules }, undefined, 2)}\n`;
}
