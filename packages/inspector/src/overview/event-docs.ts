import { parseJson } from '@rivulet/protocol';
import { useEffect } from 'react';
import { BASE } from '../wire/admin.js';
import { decode, type Infer, mapOf, object, text } from '../wire/decoder.js';
import { Store, useStore } from '../wire/store.js';

const decodeDocs = mapOf(object({ meaning: text, remedy: text }));
type EventDocs = Infer<typeof decodeDocs>;

/** The entries of docs/log-events.md, which the build puts beside the page. They are loaded once, by the first list that needs them. */
const docs = new Store<EventDocs>(new Map());
let isRequested = false;

/** Returns the meaning and the remedy of events by their names. It is empty until they are loaded. */
export function useEventDocs(isNeeded: boolean): EventDocs {
  useEffect(() => {
    if (isNeeded) load();
  }, [isNeeded]);
  return useStore(docs);
}

function load(): void {
  const address = document.querySelector('meta[name=event-docs]')?.getAttribute('content');
  if (isRequested || typeof address !== 'string') return;
  isRequested = true;
  fetch(`${BASE}${address}`)
    .then((response) => response.text())
    .then(
      (answer) => {
        const decoded = decode(decodeDocs, parseJson(answer));
        if (decoded.kind === 'ok') docs.set(decoded.value);
      },
      () => {
        // The lists work without the entries. The next list tries again.
        isRequested = false;
      },
    );
}
