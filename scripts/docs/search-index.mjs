import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SEARCH_OPTIONS, tokenize } from '../../site/src/search.mjs';
import { ROOT } from '../set-up/workspace.mjs';

/** A result of the search: a section of a page. @typedef {{ id: string, title: string, titles: string[] }} Hit */

/**
 * Loads the index of a built site, as the search field does.
 *
 * @param {string} folder
 * @returns {Promise<{ search: (text: string) => Hit[], ids: readonly string[] }>} `ids`: the addresses of all sections that it knows
 */
export async function loadSearch(folder) {
  const chunks = join(folder, 'assets/chunks');
  const file = readdirSync(chunks).find((name) => name.startsWith('@localSearchIndex'));
  if (file === undefined) throw new Error(`${chunks} has no index of the search`);
  const { default: json } = await import(pathToFileURL(join(chunks, file)).href);
  const { default: MiniSearch } = await import(createRequire(join(ROOT, 'site/package.json')).resolve('minisearch'));
  const index = MiniSearch.loadJSON(json, {
    fields: ['title', 'titles', 'text'],
    storeFields: ['title', 'titles'],
    tokenize,
    searchOptions: SEARCH_OPTIONS,
  });
  return { search: (text) => index.search(text), ids: Object.values(JSON.parse(json).documentIds) };
}
