import { type FormEvent, useId, useMemo, useState } from 'react';
import { formatJson } from '../json/format-json.js';
import { duration } from '../parts/figures.js';
import { Icon } from '../parts/icons.js';
import { failureText } from '../parts/states.js';
import { api } from '../wire/admin.js';
import type { ApiFailure } from '../wire/api.js';
import { checkInput, type InputCheck } from './input-check.js';
import type { Example } from './schema-example.js';

/** Longest time that the engine waits for a function, in milliseconds. */
const MOST_TIMEOUT_MS = 300_000;

type Call =
  | { readonly kind: 'none' }
  | { readonly kind: 'running' }
  | { readonly kind: 'answered'; readonly ms: number; readonly text: string }
  | { readonly kind: 'failed'; readonly ms: number; readonly failure: ApiFailure };

interface CallFormProps {
  readonly id: string;
  readonly namespace: string;
  readonly schema: unknown;
  readonly example: Example;
  readonly mayCall: boolean;
}

/** An editor for the input of a function, with the check against its schema, and the result of the last call. */
export function CallForm({ id, namespace, schema, example, mayCall }: CallFormProps) {
  const exampleText = useMemo(() => JSON.stringify(example.value, null, 2), [example]);
  const [input, setInput] = useState(exampleText);
  const [timeoutMs, setTimeoutMs] = useState('30000');
  const [call, setCall] = useState<Call>({ kind: 'none' });
  const check = useMemo(() => checkInput(schema, input), [schema, input]);
  const isTimeoutRight = /^\d{1,6}$/.test(timeoutMs) && Number(timeoutMs) >= 1 && Number(timeoutMs) <= MOST_TIMEOUT_MS;
  const mayStart = check.kind !== 'not_json' && isTimeoutRight && call.kind !== 'running';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!mayStart) return;
    const began = performance.now();
    setCall({ kind: 'running' });
    const query = { namespace, timeout_ms: timeoutMs };
    api.requestText({ method: 'POST', path: ['call', id], query, body: input }, (result) => {
      const ms = performance.now() - began;
      setCall(result.kind === 'ok' ? { kind: 'answered', ms, text: result.value } : { kind: 'failed', ms, failure: result });
    });
  };
  return (
    <form className="card call" onSubmit={submit} aria-label="Call the function">
      <Editor input={input} onChange={setInput} exampleText={exampleText} check={check} />
      <div className="call-end">
        <label className="timeout">
          <span>Timeout, ms</span>
          <input
            inputMode="numeric"
            value={timeoutMs}
            aria-invalid={!isTimeoutRight}
            title={`From 1 to ${MOST_TIMEOUT_MS}`}
            onChange={({ target }) => setTimeoutMs(target.value.trim())}
          />
        </label>
        {mayCall ? (
          <button type="submit" className="button primary" disabled={!mayStart}>
            <Icon name="play" /> {call.kind === 'running' ? 'Calling…' : 'Call'}
          </button>
        ) : (
          <p className="muted">Only the full token may call.</p>
        )}
      </div>
      <Result call={call} />
    </form>
  );
}

interface EditorProps {
  readonly input: string;
  readonly onChange: (input: string) => void;
  readonly exampleText: string;
  readonly check: InputCheck;
}

function Editor({ input, onChange, exampleText, check }: EditorProps) {
  const id = useId();
  return (
    <>
      <div className="call-head">
        <label className="field-label" htmlFor={id}>
          Input (JSON)
        </label>
        <button type="button" className="button small" onClick={() => onChange(exampleText)} disabled={input === exampleText}>
          Use the example
        </button>
      </div>
      <textarea
        id={id}
        className="code editor"
        rows={Math.min(18, Math.max(8, input.split('\n').length))}
        value={input}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        aria-describedby={`${id}-check`}
        aria-invalid={check.kind === 'not_json' || check.kind === 'differs'}
        onChange={({ target }) => onChange(target.value)}
      />
      <div id={`${id}-check`} role="status">
        <Check check={check} />
      </div>
    </>
  );
}

function Check({ check }: { readonly check: InputCheck }) {
  switch (check.kind) {
    case 'not_json':
      return <p className="bad-text">{check.message}</p>;
    case 'no_schema':
      return <p className="muted">The function has no schema. It may take any JSON.</p>;
    case 'fits':
      return (
        <p className="good-text">
          <Icon name="check" /> Fits the schema.{check.unchecked.length > 0 && ` Not checked here: ${check.unchecked.join(', ')}.`}
        </p>
      );
    case 'differs':
      return (
        <ul className="bad-text">
          {check.problems.map(({ place, message }) => (
            <li key={`${place} ${message}`}>
              <code>{place === '' ? 'The input' : place}</code> {message}.
            </li>
          ))}
        </ul>
      );
  }
}

/** Returns the text with line breaks. Numbers keep all their digits. */
function formatted(text: string): string {
  const result = formatJson(text);
  return result.kind === 'ok' ? result.text : text;
}

function Result({ call }: { readonly call: Call }) {
  return (
    <section className="result" aria-live="polite" aria-label="Result of the call">
      {call.kind === 'answered' && (
        <>
          <p className="call-head">
            <span className="pill good">Answered</span> <span className="muted">after {duration(Math.round(call.ms))}</span>
          </p>
          <pre className="json-text" tabIndex={0}>
            {formatted(call.text)}
          </pre>
        </>
      )}
      {call.kind === 'failed' && (
        <>
          <p className="call-head">
            <span className="pill bad">Failed</span> <span className="muted">after {duration(Math.round(call.ms))}</span>
          </p>
          <p className="pad no-top failed-text">{failureText(call.failure)}</p>
        </>
      )}
    </section>
  );
}
