import { type FormEvent, useId, useState } from 'react';
import { Icon } from '../parts/icons.js';
import { forgetToken, giveToken } from '../wire/admin.js';

/** Asks for the token of the admin listener. */
export function TokenForm({ wasWrong }: { readonly wasWrong: boolean }) {
  const id = useId();
  const [given, setGiven] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = given.trim();
    if (token !== '') giveToken(token);
  };
  return (
    <main className="gate">
      <form className="card gate-card" onSubmit={submit}>
        <img className="gate-logo" src={iconAddress()} alt="" width="40" height="40" />
        <h1>Rivulet inspector</h1>
        <p className="muted">
          This engine needs a token of rivulet-admin in its configuration: <code>token</code> may change everything,{' '}
          <code>viewer_token</code> may only read.
        </p>
        <label htmlFor={id}>Token</label>
        <input
          id={id}
          type="password"
          autoComplete="current-password"
          value={given}
          aria-invalid={wasWrong}
          aria-describedby={`${id}-help`}
          onChange={({ target }) => setGiven(target.value)}
          // biome-ignore lint/a11y/noAutofocus: the field is the only thing to do here
          autoFocus
        />
        <p id={`${id}-help`} className={wasWrong ? 'bad-text' : 'muted'} role={wasWrong ? 'alert' : undefined}>
          {wasWrong ? 'The engine refused this token.' : 'This tab keeps it until you close the tab.'}
        </p>
        <button type="submit" className="button primary" disabled={given.trim() === ''}>
          <Icon name="key" /> Open
        </button>
      </form>
    </main>
  );
}

/** Says why the page cannot read anything, and offers to try again. */
export function Unavailable({ message, onRetry }: { readonly message: string; readonly onRetry: () => void }) {
  return (
    <main className="gate">
      <div className="card gate-card" role="alert">
        <img className="gate-logo" src={iconAddress()} alt="" width="40" height="40" />
        <h1>The inspector cannot read this engine</h1>
        <p>{message}</p>
        <div className="row">
          <button type="button" className="button primary" onClick={onRetry}>
            <Icon name="refresh" /> Try again
          </button>
          <button type="button" className="button" onClick={forgetToken}>
            Use another token
          </button>
        </div>
      </div>
    </main>
  );
}

/** The address of the icon has a hash, which only the document knows. */
export function iconAddress(): string {
  return document.querySelector('link[rel=icon]')?.getAttribute('href') ?? '';
}
