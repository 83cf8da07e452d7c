import { field, isJsonObject, isNamespace, LIMITS, namespaceRule, optionalField, RivuletError, stringField } from '@rivulet/protocol';

/** The data that a worker sends about itself with engine::workers::register. */
export interface Announcement {
  readonly name: string | null;
  readonly description: string | null;
  readonly runtime: string | null;
  readonly version: string | undefined;
  readonly os: string | null;
  readonly pid: number | null;
  readonly isolation: string | null;
  /** Its namespace; `undefined` when it names none. */
  readonly namespace: string | undefined;
  /** True when it takes messages as large as the engine sends them. SDK 0.25 and later announce `large-messages.v1`. */
  readonly takesLargeMessages: boolean;
  /** Keys of the texts that were longer than `LIMITS.labelChars` and were shortened. */
  readonly shortened: readonly string[];
}

/** Reads an announcement. It accepts what it can, because SDK versions send different data (spec SM §7.1). Throws INVALID_NAMESPACE. */
export function readAnnouncement(data: unknown): Announcement {
  const object = isJsonObject(data) ? data : {};
  const pid = field(object, 'pid');
  const namespace = optionalField(object, 'namespace');
  if (namespace !== undefined && !isNamespace(namespace)) throw new RivuletError('INVALID_NAMESPACE', namespaceRule('namespace'));
  const shortened: string[] = [];
  const label = (key: string) => {
    const text = stringField(object, key);
    if (text === undefined) return null;
    const short = shorten(text, LIMITS.labelChars);
    if (short !== text) shortened.push(key);
    return short;
  };
  return {
    name: label('name'),
    description: label('description'),
    runtime: label('runtime'),
    version: label('version') ?? undefined,
    os: label('os'),
    pid: typeof pid === 'number' ? pid : null,
    isolation: label('isolation'),
    namespace,
    takesLargeMessages: listed(field(object, 'features'), 'large-messages.v1'),
    shortened,
  };
}

const listed = (list: unknown, name: string) => Array.isArray(list) && list.includes(name);

/**
 * Returns the beginning of a text, at most `most` UTF-16 code units. It leaves out half of a character at the end, because strict peers
 * refuse that.
 */
export function shorten(text: string, most: number): string {
  return text.length <= most ? text : text.slice(0, most).replace(/[\ud800-\udbff]$/, '');
}
