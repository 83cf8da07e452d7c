import { type ReactNode, useState } from 'react';
import { count } from '../parts/figures.js';
import { preview } from './preview.js';

/** Entries of a list or an object that show at once. */
const ENTRIES = 100;
const PREVIEW_CHARS = 80;
/** Longest text that shows at once. */
const TEXT_CHARS = 2_000;

/** A JSON value as a tree. Lists and objects open and close, and have elements only while they are open. */
export function JsonView({ value }: { readonly value: unknown }) {
  return (
    <div className="json">
      <Value value={value} openDepth={2} />
    </div>
  );
}

function Value({ value, openDepth }: { readonly value: unknown; readonly openDepth: number }) {
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) return <Branch value={value} openDepth={openDepth} />;
  return <Leaf value={value} />;
}

function Branch({ value, openDepth, name }: { readonly value: object; readonly openDepth: number; readonly name?: ReactNode }) {
  const [isOpen, setOpen] = useState(openDepth > 0);
  const [most, setMost] = useState(ENTRIES);
  const size = Object.keys(value).length;
  return (
    <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        {name}
        <span className="json-hint">
          {isOpen
            ? `${Array.isArray(value) ? 'list' : 'object'}, ${count(size)} ${size === 1 ? 'entry' : 'entries'}`
            : preview(value, PREVIEW_CHARS)}
        </span>
      </summary>
      {isOpen && (
        <ul>
          {Object.entries(value)
            .slice(0, most)
            .map(([key, entry]: [string, unknown]) => (
              <li key={key}>
                <Entry name={key} value={entry} openDepth={openDepth - 1} />
              </li>
            ))}
          {size > most && (
            <li>
              <button type="button" className="button small" onClick={() => setMost(most + ENTRIES)}>
                Show {Math.min(ENTRIES, size - most)} more of {count(size - most)}
              </button>
            </li>
          )}
        </ul>
      )}
    </details>
  );
}

function Entry({ name, value, openDepth }: { readonly name: string; readonly value: unknown; readonly openDepth: number }) {
  const label = <span className="json-name">{name}: </span>;
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0)
    return <Branch value={value} openDepth={openDepth} name={label} />;
  return (
    <>
      {label}
      <Leaf value={value} />
    </>
  );
}

function Leaf({ value }: { readonly value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== 'string')
    return <span className={`json-${value === null ? 'null' : typeof value}`}>{preview(value, PREVIEW_CHARS)}</span>;
  const isLong = value.length > TEXT_CHARS && !isWhole;
  return (
    <>
      <span className="json-string">{JSON.stringify(isLong ? value.slice(0, TEXT_CHARS) : value)}</span>
      {isLong && (
        <button type="button" className="button small" onClick={() => setWhole(true)}>
          Show all {count(value.length)} characters
        </button>
      )}
    </>
  );
}
