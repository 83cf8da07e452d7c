import { useId } from 'react';
import { Icon } from './icons.js';

/** A field that narrows a list while somebody types. */
export function SearchBox({
  label,
  value,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <search className="search">
      <label htmlFor={id} className="unseen">
        {label}
      </label>
      <Icon name="search" />
      <input
        id={id}
        type="search"
        placeholder={label}
        value={value}
        maxLength={256}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={({ target }) => onChange(target.value)}
      />
    </search>
  );
}
