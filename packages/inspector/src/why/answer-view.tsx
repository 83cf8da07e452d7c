import { linkTo } from '../parts/address.js';
import { count, time } from '../parts/figures.js';
import { type Explanation, explanationOf } from './explanation.js';
import { Details, type WhyAnswer } from './why-wire.js';

/** Answers inside answers that are shown. The engine makes two levels. */
const MOST_LEVELS = 3;

/** One answer: the cause in words, the facts behind it, and where the documents explain it. */
export function AnswerView({ answer, level = 0 }: { readonly answer: WhyAnswer; readonly level?: number }) {
  const details = new Details(answer);
  const explanation = explanationOf(answer.cause);
  const Heading = level === 0 ? 'h2' : 'h3';
  return (
    <article className={level === 0 ? 'card answer' : 'answer inner'} data-cause={answer.cause}>
      <header className="answer-head">
        <span className={`pill ${explanation.tone}`}>{explanation.verdict ?? VERDICTS[explanation.tone]}</span>
        <Heading>{explanation.title}</Heading>
        {answer.at !== undefined && <time dateTime={isoTime(answer.at)}>{time(answer.at)}</time>}
      </header>
      <p>{explanation.text(details)}</p>
      {explanation.advice !== undefined && <p className="muted">{explanation.advice(details)}</p>}
      {level < MOST_LEVELS && <InnerAnswers details={details} level={level + 1} />}
      <Facts answer={answer} details={details} />
      {level === 0 && (
        <p className="muted answer-docs">
          Cause <code>{answer.cause}</code>, explained in <code>docs/why.md#the-causes</code>
        </p>
      )}
    </article>
  );
}

const VERDICTS: Readonly<Record<Explanation['tone'], string>> = {
  good: 'Handed over',
  warn: 'Not yet',
  bad: 'Not handed over',
  info: 'No single answer',
};

function InnerAnswers({ details, level }: { readonly details: Details; readonly level: number }) {
  const otherwise = details.answer('otherwise');
  const deleted = details.answer('delete');
  const inner: readonly (readonly [string, WhyAnswer])[] = [
    ...details.answers('answers').map((answer) => [`Session ${new Details(answer).text('session_id') ?? ''}`, answer] as const),
    ...(deleted === undefined ? [] : [['The change that deletes the item', deleted] as const]),
    ...(otherwise === undefined ? [] : [['Unless that fact says otherwise', otherwise] as const]),
  ];
  return inner.map(([title, answer], index) => (
    <div key={`${title} ${index}`}>
      <p className="inner-title">{title}</p>
      <AnswerView answer={answer} level={level} />
    </div>
  ));
}

function Facts({ answer, details }: { readonly answer: WhyAnswer; readonly details: Details }) {
  const session = details.text('session_id');
  const stream = details.text('stream');
  const group = details.text('group');
  const item = details.text('item');
  const identity = details.text('identity');
  return (
    <dl className="answer-facts">
      {session !== undefined && (
        <div>
          <dt>Session</dt>
          <dd>
            <a href={linkTo(['connections', session])}>
              <code>{session}</code>
            </a>
            {identity === undefined ? '' : ` of ${identity}`}
          </dd>
        </div>
      )}
      {stream !== undefined && group !== undefined && (
        <div>
          <dt>Group</dt>
          <dd>
            <a href={linkTo(['streams', stream, group])}>
              <code>
                {stream}/{group}
              </code>
            </a>
          </dd>
        </div>
      )}
      {item !== undefined && (
        <div>
          <dt>Item</dt>
          <dd>
            <code>{item}</code>
          </dd>
        </div>
      )}
      {answer.offset !== undefined && (
        <div>
          <dt>Offset</dt>
          <dd>{count(answer.offset)}</dd>
        </div>
      )}
    </dl>
  );
}

/** The longest time that a `Date` holds. */
const MOST_MS = 8.64e15;

function isoTime(ms: number): string | undefined {
  return Math.abs(ms) > MOST_MS ? undefined : new Date(ms).toISOString();
}
