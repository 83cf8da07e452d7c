import { duration } from '../parts/figures.js';
import { Failure, Loading, Notice } from '../parts/states.js';
import { Charts } from './charts.js';
import { LimitsHit } from './limits-hit.js';
import type { Overview } from './overview-wire.js';
import { Tiles } from './tiles.js';
import { useOverview } from './use-overview.js';
import { Warnings } from './warnings.js';

/** Health, figures and charts of the engine, the limits that it has reached, and its newest warnings. */
export function OverviewPage() {
  const { value, failure, samples, refresh } = useOverview();
  return (
    <>
      <div className="page-head">
        <h1>Overview</h1>
        {value !== undefined && <Health overview={value} isOld={failure !== undefined} />}
        {value !== undefined && <Facts overview={value} />}
      </div>
      {failure !== undefined && <Failure failure={failure} onRetry={refresh} />}
      {value === undefined ? (
        failure === undefined && <Loading what="the overview" />
      ) : (
        <div className="stack">
          {value.reasons.map(({ code, message }) => (
            <Notice key={code} tone="warn" text={message ?? code} />
          ))}
          <Tiles overview={value} />
          {samples !== undefined && <Charts samples={samples} />}
          <div className="halves">
            <LimitsHit />
            <Warnings />
          </div>
        </div>
      )}
    </>
  );
}

function Health({ overview, isOld }: { readonly overview: Overview; readonly isOld: boolean }) {
  const [tone, text] = isOld ? ['warn', 'Not answering'] : overview.ready ? ['good', 'Ready'] : ['bad', 'Not ready'];
  return (
    <span className={`pill ${tone}`} role="status">
      {text}
    </span>
  );
}

function Facts({ overview: { version, node, process, uptime_s } }: { readonly overview: Overview }) {
  const facts = [
    ['Version', version],
    ['Node', node],
    ['Process', process],
    ['Up', duration(uptime_s * 1_000)],
  ];
  return (
    <dl className="facts push">
      {facts.map(([title, text]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
