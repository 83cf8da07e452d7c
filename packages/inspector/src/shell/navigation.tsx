import { linkTo } from '../parts/address.js';
import { Icon } from '../parts/icons.js';
import { currentToken, forgetToken, type Role } from '../wire/admin.js';
import { useStore } from '../wire/store.js';
import { PAGES } from './pages.js';
import { chooseTheme, type Theme, theme } from './theme.js';
import { iconAddress } from './token-form.js';

/** The list of pages: at the left edge, and at the bottom of a phone. */
export function Navigation({ current, role }: { readonly current: string | undefined; readonly role: Role }) {
  return (
    <header className="side">
      <a className="brand" href="#/">
        <img src={iconAddress()} alt="" width="26" height="26" />
        <span>Rivulet</span>
      </a>
      <nav aria-label="Pages">
        <ul>
          {PAGES.map(({ name, title, icon }) => (
            <li key={name}>
              <a href={linkTo([name])} aria-current={name === current ? 'page' : undefined}>
                <Icon name={icon} />
                <span>{title}</span>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div className="side-end">
        <p
          className="role"
          title={role === 'full' ? 'Your token may read and change everything.' : 'Your token may read and change nothing.'}
        >
          {role === 'full' ? 'Full access' : 'Read only'}
        </p>
        <ThemeSwitch />
        {currentToken() !== undefined && (
          <button type="button" className="button quiet" onClick={forgetToken}>
            <Icon name="key" /> <span>Log out</span>
          </button>
        )}
      </div>
    </header>
  );
}

const NEXT: Readonly<Record<Theme, { readonly next: Theme; readonly label: string }>> = {
  system: { next: 'light', label: 'Colours: as the device' },
  light: { next: 'dark', label: 'Colours: light' },
  dark: { next: 'system', label: 'Colours: dark' },
};

function ThemeSwitch() {
  const chosen = useStore(theme);
  const { next, label } = NEXT[chosen];
  return (
    <button type="button" className="button quiet icon-only" onClick={() => chooseTheme(next)} aria-label={label} title={label}>
      <Icon name={chosen} />
    </button>
  );
}
