/** Namespaces that one error message lists. */
const NAMES_SHOWN = 16;
const REMEDY = 'start the worker that provides it, connected to this engine';
const PLACE = ' is not registered in namespace ';
/** Replaces the place and the list in a message that guests get. */
const PLACELESS = ` is not registered at this engine; ${REMEDY}`;
const LIST = '; known namespaces: ';

export interface NotFound {
  readonly functionId: string;
  readonly namespace: string;
  /** Namespaces in which a function of this id is registered. */
  readonly elsewhere: readonly string[];
  readonly known: readonly string[];
}

/** Returns the message of `function_not_found` for a trusted worker. */
export function notFoundText({ functionId, namespace, elsewhere, known }: NotFound): string {
  const hint = elsewhere.length === 0 ? REMEDY : `it is registered in ${listed(elsewhere)}; name that namespace in the call`;
  return `function ${functionId}${PLACE}${JSON.stringify(namespace)} of this engine; ${hint}${LIST}${listed(known)}`;
}

/** Removes the namespaces from a message that contains the text for trusted workers, also when a worker repeats that text. */
export function withoutNamespaces(message: string): string {
  const list = message.indexOf(LIST);
  if (list < 0) return message;
  const place = message.lastIndexOf(PLACE, list);
  return place < 0 ? message.slice(0, list) : `${message.slice(0, place)}${PLACELESS}`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => JSON.stringify(name));
  return `${shown.join(', ')}${names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''}`;
}
