import { TOKEN_BOUND } from '../keys/worker-listener-keys.js';
import type { KeyPath } from './config-source.js';
import type { Findings } from './findings.js';

const SHORT_TOKEN = 16;
/** Text that `print-config` writes in place of every token. */
export const HIDDEN_TOKEN = '***';

/** Reads a token. No message shows its value, not even a wrong one. `shortCode`: the warning of a token that can be guessed. */
export function readToken(value: unknown, path: KeyPath, shortCode: string, findings: Findings): string | undefined {
  if (value === undefined) return undefined;
  const key = path.at(-1);
  if (value === null || value === '') {
    findings.problem(path, `${key} is empty, which would let in every peer; give it a value, or remove the key`);
  } else if (typeof value !== 'string' || !/^[\x21-\x7e]{1,1024}$/.test(value) || value === HIDDEN_TOKEN) {
    findings.problem(path, `this value is not valid; expected ${TOKEN_BOUND}`);
  } else {
    if (value.length < SHORT_TOKEN)
      findings.warn(shortCode, path, `${key} has fewer than ${SHORT_TOKEN} characters and can be guessed; use a random one`);
    return value;
  }
  return undefined;
}
