import { field, isJsonObject, isNamespace, LIMITS, namespaceRule, optionalField, RivuletError, stringField } from '@rivulet/protocol';

/** What a worker says of itself through engine::workers::register. */
export interface Announcement {
  readonly name: string | null;
  readonly description: string | null;
  readonly runtime: string | null;
  readonly version: string | undefined;
  readonly os: string | null;
  readonly pid: number | null;
  readonly isolation: string | null;
  /** Its namespace; `undefined`: it names none. */
  readonly namespace: string | undefined;
  /** It says that it takes messages as large as the engine sends: `large-messages.v1`, since SDK 0.25. */
  readonly takesLargeMessages: boolean;
  /** Keys of texts that were longer than the limit. */
  readonly shortened: readonly string[];
}

/** Reads it leniently: SDK versions differ in what they send (spec SM §7.1). Throws INVALID_NAMESPACE. */
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

/** The beginning of a text, in at most this many UTF-16 code units. Half a character at the end is left out: no strict peer reads one. */
export function shorten(text: string, most: number): string {
  return text.length <= most ? text : text.slice(0, most).replace(/[\ud800-\udbff]$/, '');
}
