import { GROUP_BOUNDS_KEYS } from '../keys/group-bounds-keys.js';
import { JWT_KEYS } from '../keys/jwt-keys.js';
import { RBAC_KEYS } from '../keys/rbac-keys.js';
import type { JsonSchema } from './json-schema.js';
import { sectionSchema } from './section-schema.js';

/** Returns a reference to a definition. */
export const ref = (name: string): JsonSchema => ({ $ref: `#/definitions/${name}` });

/** A secret between a listener and its peers. */
export const TOKEN: JsonSchema = { type: 'string', minLength: 1, maxLength: 1_024, pattern: '^[\\x21-\\x7e]+$' };
export const EXPOSE_FUNCTIONS: JsonSchema = { type: ['array', 'null'], maxItems: 1_000, items: ref('rule') };
export const RBAC = ref('rbac');
export const AUTH = ref('auth');
export const GROUP_BOUNDS: JsonSchema = { type: 'array', maxItems: 100, items: ref('group-bounds') };

const PATTERNS: JsonSchema = { type: ['array', 'null'], maxItems: 100, items: { type: 'string', minLength: 1, maxLength: 1_024 } };

/** Definitions of sections in which an unknown key is always an error, because an ignored rule would allow too much. */
export const RULE_DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  rbac: sectionSchema(RBAC_KEYS, { auth: AUTH, expose_functions: EXPOSE_FUNCTIONS }),
  rule: {
    description: 'match("pattern"), { match: pattern, namespace: name } or { metadata: { key: value } }',
    anyOf: [
      { type: 'string', pattern: '^\\s*match\\(\\s*("[^"]+"|\'[^\']+\')\\s*\\)\\s*$' },
      {
        type: 'object',
        properties: { match: { type: 'string', minLength: 1, maxLength: 1_024 }, namespace: { type: 'string', minLength: 1 } },
        required: ['match'],
        additionalProperties: false,
      },
      {
        type: 'object',
        properties: { metadata: { type: 'object', minProperties: 1 } },
        required: ['metadata'],
        additionalProperties: false,
      },
    ],
  },
  auth: { type: 'object', properties: { jwt: ref('jwt') }, required: ['jwt'], additionalProperties: false },
  jwt: {
    ...sectionSchema(JWT_KEYS, {
      secret: { type: 'string', minLength: 8, maxLength: 1_024 },
      public_key: { type: 'string', minLength: 1 },
      jwks_url: { type: 'string', maxLength: 2_048, pattern: '^\\s*[Hh][Tt][Tt][Pp][Ss]?:' },
      grants: {
        type: 'object',
        properties: { join: PATTERNS, call: PATTERNS, lease: PATTERNS },
        additionalProperties: false,
      },
    }),
    oneOf: [{ required: ['secret'] }, { required: ['public_key'] }, { required: ['jwks_url'] }],
  },
  'group-bounds': {
    ...sectionSchema(GROUP_BOUNDS_KEYS),
    anyOf: [{ required: ['max_items'] }, { required: ['max_bytes'] }, { required: ['max_age_ms'] }],
  },
};
