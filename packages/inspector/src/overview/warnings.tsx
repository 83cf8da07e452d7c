import { time } from '../parts/figures.js';
import { EmptyState, Failure, Loading } from '../parts/states.js';
import { usePoll } from '../parts/use-poll.js';
import { pageOf } from '../wire/decoder.js';
import { useEventDocs } from './event-docs.js';
import { EventEntry } from './event-entry.js';
import { decodeWarning, type Warning } from './overview-wire.js';

const EVERY_MS = 5_000;
const SHOWN = 20;
const decoder = pageOf(decodeWarning);

/** The newest warnings and errors of the log, each with its entry in the docs. */
export function Warnings() {
  const { value, failure, refresh } = usePoll('warnings', { path: ['warnings'], query: { limit: SHOWN }, decoder }, EVERY_MS);
  const entries = useEventDocs(value !== undefined && value.rows.length > 0);
  return (
    <section className="card" aria-labelledby="warnings">
      <h2 id="warnings" className="card-title">
        Latest warnings
      </h2>
      {failure !== undefined && <Failure failure={failure} onRetry={refresh} />}
      {value === undefined && failure === undefined && <Loading what="warnings" />}
      {value?.rows.length === 0 && <EmptyState icon="check" title="No warnings since the start" />}
      <ul className="events">
        {value?.rows.map((warning) => (
          <Line key={warning.number} warning={warning} entry={entries.get(warning.event)} />
        ))}
      </ul>
    </section>
  );
}

interface LineProps {
  readonly warning: Warning;
  readonly entry: Parameters<typeof EventEntry>[0]['entry'];
}

function Line({ warning: { at_ms, level, event, fields, docs }, entry }: LineProps) {
  return (
    <li>
      <p className="event-head">
        <span className={`pill ${level === 'error' ? 'bad' : 'warn'}`}>{level}</span>
        <code>{event}</code>
        <time className="muted">{time(at_ms)}</time>
      </p>
      {fields.size > 0 && (
        <dl className="fields">
          {Array.from(fields, ([name, text]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      )}
      <EventEntry entry={entry} docs={docs} />
    </li>
  );
}
