import type { useEventDocs } from './event-docs.js';

interface EventEntryProps {
  /** The entry of the event in docs/log-events.md; `undefined` while it is not loaded, and for events of other programs. */
  readonly entry: ReturnType<ReturnType<typeof useEventDocs>['get']>;
  /** The place in the docs, such as `log-events.md#store_full`. */
  readonly docs: string;
}

/** The meaning and the remedy of an event, and its place in the docs. */
export function EventEntry({ entry, docs }: EventEntryProps) {
  return (
    <>
      {entry !== undefined && (
        <p className="event-entry">
          <Marked text={entry.meaning} />.{' '}
          {entry.remedy !== 'Nothing' && (
            <>
              <strong>Remedy:</strong> <Marked text={entry.remedy} />.
            </>
          )}
        </p>
      )}
      <p className="muted">docs/{docs}</p>
    </>
  );
}

/** A text with names in backticks. */
function Marked({ text }: { readonly text: string }) {
  // Every second part stands between backticks, and the parts never change their order.
  return text.split('`').map((part, index) => (index % 2 === 1 ? <code key={`${index} ${part}`}>{part}</code> : part));
}
