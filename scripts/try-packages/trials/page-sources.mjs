import { entriesOf } from '../packages.mjs';

/** Frameworks that the entries of the client need, as a project would have them. */
export const FRAMEWORKS = { react: '19.3.1', 'react-dom': '19.3.1', vue: '3.5.45', svelte: '5.57.3' };
/** Packages that pages import. */
export const OF_PAGES = ['@rivulet/protocol', '@rivulet/client', '@rivulet/sdk'];

/** An entry for Node only. */
const NODE_ONLY = '@rivulet/sdk/testing';

/**
 * Returns the source of a page that imports every entry and shows the notes of a group. Its query names the stream URL and the group.
 *
 * @param {string} folder
 */
export function pageSource(folder) {
  const entries = entriesOf(folder, OF_PAGES).filter(({ specifier }) => specifier !== NODE_ONLY);
  return `import { connect } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
${entries.map(({ specifier }, index) => `import * as entry${index} from '${specifier}';`).join('\n')}

window.entries = { ${entries.map(({ specifier }, index) => `'${specifier}': Object.keys(entry${index}).length`).join(', ')} };
const query = new URLSearchParams(location.search);
const group = query.get('group');
const client = connect(query.get('stream'), { optimistic });
const notes = client.subscribeGroup('notes', group);
window.states = [];
notes.subscribe(() => {
  document.querySelector('#notes').textContent = notes.items.map(({ data }) => data.text).join('; ');
  const own = notes.items.find(({ id }) => id === 'own');
  if (own) window.states.push(own.pending ? 'pending' : 'stored');
});
document.querySelector('#add').onclick = () => {
  const draft = (draft) => draft.group('notes', group).set('own', { text: 'from the page' });
  client.call('notes::add', { group, id: 'own', text: 'from the page' }, { optimistic: draft });
};
`;
}

/** @param {string} script */
export const html = (script) => `<!doctype html><meta charset="utf-8"><title>try</title><link rel="icon" href="data:,">
<button id="add">add</button><p id="notes"></p><script type="module" src="${script}"></script>`;

/**
 * Returns a line about the entries of a page. Throws when one of them is empty.
 *
 * @param {Record<string, number>} entries
 */
export function checkedEntries(entries) {
  const empty = Object.entries(entries).filter(([, exports]) => exports === 0);
  if (empty.length > 0) throw new Error(`no exports: ${empty.map(([name]) => name).join(', ')}`);
  return `the page loads ${Object.keys(entries).length} entries, shows the note of the worker, and its own at once as pending: ${Object.keys(entries).join(', ')}`;
}
