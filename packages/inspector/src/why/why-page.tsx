import { type FormEvent, useEffect, useId, useState } from 'react';
import type { Route } from '../parts/address.js';
import { Icon } from '../parts/icons.js';
import { replaceQuery } from '../parts/route.js';
import { EmptyState, Failure, Loading } from '../parts/states.js';
import { usePoll } from '../parts/use-poll.js';
import { AnswerView } from './answer-view.js';
import { decodeWhyAnswer } from './why-wire.js';

const FIELDS = ['session', 'stream', 'group', 'item', 'offset'] as const;
type Field = (typeof FIELDS)[number];
type Question = Readonly<Record<Field, string>>;

/** "Why did this client not get that change?": the form, and the answer to the question that the address has. */
export function WhyPage({ query }: Route) {
  const asked = questionOf(query);
  return (
    <>
      <div className="page-head">
        <h1>Why did this client not get that change?</h1>
      </div>
      <div className="stack">
        <QuestionForm asked={asked} />
        {isComplete(asked) ? (
          <Answer question={asked} />
        ) : (
          <div className="card">
            <EmptyState icon="why" title="Ask about one client and one group">
              Without an item and an offset, the question is about the newest change of the group. The engine answers from what it knows,
              and never guesses.
            </EmptyState>
          </div>
        )}
      </div>
    </>
  );
}

function QuestionForm({ asked }: { readonly asked: Question }) {
  const [question, setQuestion] = useState(asked);
  const key = JSON.stringify(asked);
  // A link from another page brings a new question.
  useEffect(() => setQuestion(JSON.parse(key) as Question), [key]);
  const isOffsetRight = question.offset === '' || /^\d{1,16}$/.test(question.offset);
  const change = (field: Field) => (value: string) => setQuestion((before) => ({ ...before, [field]: value }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    replaceQuery({ ...question, offset: question.offset.trim() });
  };
  return (
    <form className="card question" onSubmit={submit} aria-label="The question">
      <TextField
        label="Client"
        hint="Session id, identity or address"
        value={question.session}
        onChange={change('session')}
        isWide
        isRequired
      />
      <TextField label="Stream" value={question.stream} onChange={change('stream')} isRequired />
      <TextField label="Group" value={question.group} onChange={change('group')} isRequired />
      <TextField label="Item" hint="Optional" value={question.item} onChange={change('item')} />
      <TextField label="Offset" hint="Optional" value={question.offset} onChange={change('offset')} isWrong={!isOffsetRight} isNumber />
      <button type="submit" className="button primary" disabled={!isComplete(question) || !isOffsetRight}>
        <Icon name="why" /> Ask
      </button>
    </form>
  );
}

interface TextFieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly isWide?: boolean;
  readonly isRequired?: boolean;
  readonly isWrong?: boolean;
  readonly isNumber?: boolean;
}

function TextField({ label, hint, value, onChange, isWide, isRequired, isWrong = false, isNumber }: TextFieldProps) {
  const id = useId();
  return (
    <div className={isWide ? 'field wide' : 'field'}>
      <label htmlFor={id}>
        {label} {hint !== undefined && <small>{hint}</small>}
      </label>
      <input
        id={id}
        value={value}
        maxLength={512}
        required={isRequired}
        aria-invalid={isWrong}
        inputMode={isNumber ? 'numeric' : 'text'}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={({ target }) => onChange(target.value)}
      />
    </div>
  );
}

function Answer({ question }: { readonly question: Question }) {
  const { item, offset } = question;
  const query = { ...question, item: item === '' ? undefined : item, offset: offset === '' ? undefined : offset };
  const { value, failure, refresh } = usePoll(JSON.stringify(question), { path: ['why'], query, decoder: decodeWhyAnswer });
  return (
    <div aria-live="polite">
      {failure !== undefined && <Failure failure={failure} onRetry={refresh} />}
      {value === undefined && failure === undefined && <Loading what="the answer" />}
      {value !== undefined && (
        <>
          <AnswerView answer={value} />
          <p className="again">
            <button type="button" className="button small" onClick={refresh}>
              <Icon name="refresh" /> Ask again
            </button>
          </p>
        </>
      )}
    </div>
  );
}

function questionOf(query: Readonly<Record<string, string>>): Question {
  return Object.fromEntries(FIELDS.map((field) => [field, query[field] ?? ''])) as Question;
}

function isComplete({ session, stream, group }: Question): boolean {
  return session !== '' && stream !== '' && group !== '';
}
