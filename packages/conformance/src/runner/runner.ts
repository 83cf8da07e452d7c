import { Mismatch } from '../peers/check.js';
import { type Addresses, type Case, CaseContext } from './case.js';
import { NOT_SHOWN } from './not-shown.js';
import { RULES } from './rules.js';

export interface CaseOutcome {
  readonly title: string;
  readonly rules: readonly string[];
  readonly outcome: 'fails' | 'ok' | 'skipped';
  /** Only of a failed case. */
  readonly expected?: string;
  /** Only of a failed case. */
  readonly seen?: string;
  /** The message of the failure, or why the case was skipped. */
  readonly why?: string;
}

export interface RuleOutcome {
  readonly id: string;
  readonly title: string;
  /** `fails` when any case fails; `ok` when at least one case passed and none failed. */
  readonly outcome: 'fails' | 'not tested' | 'ok';
  readonly cases: readonly CaseOutcome[];
  /** Why the rule was not tested, or which cases were skipped. */
  readonly why?: string;
}

export interface RunOptions {
  readonly addresses: Addresses;
  /** Longest time of one case, in milliseconds. */
  readonly timeoutMs: number;
  /** Rules by their id (`WP-4`) or their family (`WP`). Empty: all rules. */
  readonly only: readonly string[];
}

/** Whether the option `only` selects a rule. */
export function isWanted(id: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((wanted) => id === wanted || (!wanted.includes('-') && id.startsWith(`${wanted}-`)));
}

/** Runs the cases one after another. A misbehaving server never makes it reject. */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<RuleOutcome[]> {
  const outcomes: CaseOutcome[] = [];
  for (const each of cases) {
    if (each.rules.some((id) => isWanted(id, options.only))) outcomes.push(await runCase(each, options));
  }
  return RULES.filter(({ id }) => isWanted(id, options.only)).map((rule) => ({ ...rule, ...judge(rule.id, outcomes) }));
}

function judge(id: string, outcomes: readonly CaseOutcome[]): Pick<RuleOutcome, 'cases' | 'outcome' | 'why'> {
  const cases = outcomes.filter(({ rules }) => rules.includes(id));
  if (cases.some(({ outcome }) => outcome === 'fails')) return { outcome: 'fails', cases };
  const skipped = cases.filter(({ outcome }) => outcome === 'skipped');
  if (skipped.length < cases.length) {
    const [first] = skipped;
    return { outcome: 'ok', cases, ...(first === undefined ? {} : { why: `${skipped.length} of ${cases.length} cases: ${first.why}` }) };
  }
  return { outcome: 'not tested', cases, why: NOT_SHOWN[id] ?? cases[0]?.why ?? 'has no case' };
}

async function runCase(each: Case, { addresses, timeoutMs }: RunOptions): Promise<CaseOutcome> {
  const { title, rules } = each;
  const missing = each.needs.filter((need) => addresses[need] === undefined);
  if (missing.length > 0) return { title, rules, outcome: 'skipped', why: `needs --${missing.join(', --')}` };
  // A wait inside a case ends before the case, so that its message names the awaited event.
  const context = new CaseContext(addresses, Math.floor(timeoutMs / 2));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Mismatch(title, `an end within ${timeoutMs} ms`, 'none')), timeoutMs);
  });
  const running = each.run(context);
  running.catch(() => {});
  try {
    await Promise.race([running, late]);
    return { title, rules, outcome: 'ok' };
  } catch (error) {
    if (error instanceof Mismatch)
      return { title, rules, outcome: 'fails', expected: error.expected, seen: error.seen, why: error.message };
    return { title, rules, outcome: 'fails', expected: title, seen: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
    await endWithin(context.end(), timeoutMs);
  }
}

async function endWithin(end: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([end, late]);
  clearTimeout(timer);
}
