import { count, time } from '../parts/figures.js';
import { EmptyState, Failure, Loading } from '../parts/states.js';
import { usePoll } from '../parts/use-poll.js';
import { pageOf } from '../wire/decoder.js';
import { useEventDocs } from './event-docs.js';
import { EventEntry } from './event-entry.js';
import { decodeLimitHit } from './overview-wire.js';

const EVERY_MS = 5_000;
const decoder = pageOf(decodeLimitHit);

/** Limits that the engine has reached since its start. */
export function LimitsHit() {
  const { value, failure, refresh } = usePoll('limits-hit', { path: ['limits-hit'], decoder }, EVERY_MS);
  const entries = useEventDocs(value !== undefined && value.rows.length > 0);
  return (
    <section className="card" aria-labelledby="limits-hit">
      <h2 id="limits-hit" className="card-title">
        Limits reached
      </h2>
      {failure !== undefined && <Failure failure={failure} onRetry={refresh} />}
      {value === undefined && failure === undefined && <Loading what="limits" />}
      {value?.rows.length === 0 && <EmptyState icon="check" title="No limit was reached since the start" />}
      <ul className="events">
        {value?.rows.map(({ event, limits, times, last_ms, docs }) => (
          <li key={event}>
            <p className="event-head">
              <code>{event}</code>
              <span className="muted">
                {count(times)} {times === 1 ? 'time' : 'times'}, last at {time(last_ms)}
              </span>
            </p>
            <p className="muted">{limits.join(', ')}</p>
            <EventEntry entry={entries.get(event)} docs={docs} />
          </li>
        ))}
      </ul>
    </section>
  );
}
