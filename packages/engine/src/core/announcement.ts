import { field, isJsonObject, stringField } from '@rivulet/protocol';

/** What a worker says of itself through engine::workers::register. */
export interface Announcement {
  readonly name: string | null;
  readonly description: string | null;
  readonly runtime: string | null;
  readonly version: string | undefined;
  readonly os: string | null;
  readonly pid: number | null;
  readonly isolation: string | null;
}

/** Reads it leniently: SDK versions differ in what they send (spec SM §7.1). */
export function readAnnouncement(data: unknown): Announcement {
  const object = isJsonObject(data) ? data : {};
  const pid = field(object, 'pid');
  return {
    name: bounded(stringField(object, 'name')),
    description: bounded(stringField(object, 'description')),
    runtime: bounded(stringField(object, 'runtime')),
    version: bounded(stringField(object, 'version')) ?? undefined,
    os: bounded(stringField(object, 'os')),
    pid: typeof pid === 'number' ? pid : null,
    isolation: bounded(stringField(object, 'isolation')),
  };
}

function bounded(text: string | undefined): string | null {
  return text === undefined ? null : text.slice(0, 256);
}
