import { keep, kept } from '../wire/kept.js';
import { Store } from '../wire/store.js';

/** The colours of the page. `system` follows the setting of the device. */
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'rivulet-theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

export const theme = new Store<Theme>(THEMES.find((each) => each === kept('localStorage', KEY)) ?? 'system');

/** Keeps the attribute that the style sheet reads equal to the choice. Call it before the first render. */
export function followTheme(): void {
  const apply = () => document.documentElement.setAttribute('data-theme', theme.get());
  theme.subscribe(apply);
  apply();
}

export function chooseTheme(chosen: Theme): void {
  keep('localStorage', KEY, chosen);
  theme.set(chosen);
}
