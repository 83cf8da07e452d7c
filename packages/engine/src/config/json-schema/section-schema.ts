import { z } from 'zod';
import type { Keys } from '../keys/key.js';
import type { JsonSchema } from './json-schema.js';

/** Returns the JSON schema of a section from the table of its keys. `special` has the schemas of keys that code beside the table reads. */
export function sectionSchema(keys: Keys, special: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
  const entries = Object.values(keys);
  const required = entries.filter(({ schema }) => !schema.safeParse(undefined).success).map(({ name }) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map((entry) => [entry.name, keySchema(entry, special[entry.name])])),
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  };
}

function keySchema({ schema, meaning }: Keys[string], special: JsonSchema | undefined): JsonSchema {
  const { $schema: _draft, ...own } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' });
  const bound = schema.description;
  const description = `${plainText(meaning)}.${bound === undefined ? '' : ` Value: ${bound}.`}`;
  // A reference has no notes beside it in this draft, so the one entry of `allOf` has it.
  const value = special === undefined ? own : '$ref' in special ? { allOf: [special] } : special;
  const standard = schema.safeParse(undefined).data ?? undefined;
  return { ...value, description, ...(standard === undefined ? {} : { default: standard }) };
}

/** Replaces the links of a text for docs/configuration.md by the names of their pages. */
function plainText(markdown: string): string {
  return markdown
    .replace(/, see (?:above|below)/, '')
    .replaceAll(/(\()?\[([^\]]+)\]\(([^)]+)\)(\))?/g, (_link, open = '', text: string, target: string, close = '') => {
      const page = `docs/${target.startsWith('#') ? `configuration.md${target}` : target}`;
      const isName = text === 'below' || text === 'above' || page.startsWith(`docs/${text}`);
      return `${open}${isName ? page : `${text}, ${page}`}${close}`;
    });
}
