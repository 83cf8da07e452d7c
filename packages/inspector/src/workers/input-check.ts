import { parseJson } from '@rivulet/protocol';
import { formatJson } from '../json/format-json.js';
import { checkAgainst, type SchemaProblem } from './schema-check.js';

/** The judgement of the page about the text of an input, before the call. */
export type InputCheck =
  | { readonly kind: 'not_json'; readonly message: string }
  | { readonly kind: 'no_schema' }
  | { readonly kind: 'fits'; readonly unchecked: readonly string[] }
  | { readonly kind: 'differs'; readonly problems: readonly SchemaProblem[] };

/** Checks the text of an input against the schema of its function. An empty input counts as `null`, as the engine takes it. */
export function checkInput(schema: unknown, text: string): InputCheck {
  const form = text.trim() === '' ? undefined : formatJson(text);
  if (form?.kind === 'fault') return { kind: 'not_json', message: `Line ${form.line}, column ${form.column}: ${form.message}.` };
  const value = form === undefined ? null : parseJson(text);
  if (schema === undefined || schema === null) return { kind: 'no_schema' };
  const { problems, unchecked } = checkAgainst(schema, value);
  return problems.length === 0 ? { kind: 'fits', unchecked } : { kind: 'differs', problems };
}
