import { type ReactNode, useId } from 'react';

export interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Explains the field below it. @default none */
  readonly help?: ReactNode;
  /** The fault of the value, which takes the place of `help`. */
  readonly problem?: string | undefined;
}

/** A labelled field for a name or an id. It takes the text as it is typed. */
export function TextField({ label, value, onChange, help, problem }: TextFieldProps) {
  const id = useId();
  const below = problem ?? help;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="code"
        value={value}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={below === undefined ? undefined : `${id}-help`}
        onChange={({ target }) => onChange(target.value)}
      />
      {below !== undefined && (
        <p id={`${id}-help`} className={`field-help ${problem === undefined ? 'muted' : 'bad-text'}`}>
          {below}
        </p>
      )}
    </div>
  );
}
