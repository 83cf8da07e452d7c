import { useId } from 'react';
import { bytes } from '../parts/figures.js';
import { type Formatted, formatJson } from './format-json.js';

/** A text that the editor holds, and what is wrong with it. */
export interface JsonDraft {
  readonly text: string;
  readonly checked: Formatted;
}

export function draftOf(text: string): JsonDraft {
  return { text, checked: formatJson(text) };
}

export interface JsonEditorProps {
  readonly label: string;
  readonly draft: JsonDraft;
  readonly onChange: (draft: JsonDraft) => void;
  /** The fault of a value that is JSON, such as a missing field. `undefined`: the value is right. */
  readonly problem?: string | undefined;
  /** @default 12 */
  readonly rows?: number;
}

/** A plain field for JSON. It names the first fault with its line, and never changes the text by itself. */
export function JsonEditor({ label, draft, onChange, problem, rows = 12 }: JsonEditorProps) {
  const id = useId();
  const { text, checked } = draft;
  const fault = checked.kind === 'fault' ? `Line ${checked.line}, column ${checked.column}: ${checked.message}.` : problem;
  return (
    <div className="field">
      <div className="field-head">
        <label htmlFor={id}>{label}</label>
        <button
          type="button"
          className="button small quiet"
          disabled={checked.kind !== 'ok' || checked.text === text}
          onClick={() => checked.kind === 'ok' && onChange(draftOf(checked.text))}
        >
          Format
        </button>
      </div>
      <textarea
        id={id}
        className="code"
        rows={rows}
        value={text}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-state`}
        onChange={({ target }) => onChange(draftOf(target.value))}
      />
      <p id={`${id}-state`} className={`field-help ${fault === undefined ? 'muted' : 'bad-text'}`} aria-live="polite">
        {fault ?? `Valid JSON, ${bytes(new TextEncoder().encode(text).length)}`}
      </p>
    </div>
  );
}
